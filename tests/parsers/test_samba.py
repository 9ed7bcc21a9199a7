from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers import samba_full_audit
from parsers.events import EVENTS, Origin, check
from parsers.registry import parsers

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("h", "nas", "s", "samba.log", "samba_full_audit", "0" * 16, 0, datetime(2027, 1, 1, tzinfo=UTC))
FULL = "%u|%I|%m|%S"
MIB = 1 << 20
A = "/srv/scan/a.jpg"


def line(message: str, who: str = "wang|192.0.2.31|pc1|scan", second: int = 6) -> bytes:
    return f"Nov 20 02:11:{second:02d} nas smbd_audit: {who}|{message}\n".encode()


def parse(*messages: str, **options):
    return parse_raw(b"".join(line(message) for message in messages), **options)


def parse_raw(raw: bytes, **options):
    unit = parsers()["samba_full_audit"].configured({"prefix": FULL, **options})
    parsed = unit.parse(raw, ORIGIN, ZONE, {})
    check(parsed.events, EVENTS)
    return parsed


def told(parsed, *columns: str):
    """Events but for the opens of clients, which are parts."""
    return apart(parsed).select(*(columns or ("record_role", "action", "path", "bytes"))).rows()


def apart(parsed):
    is_open = (pl.col("command") == "CREATE_FILE") & (pl.col("record_role") == "part")
    return parsed.events.filter(~is_open)


def opened(path: str = A, mask: str = "0x120089", disposition: str = "open") -> list[str]:
    return [f"openat|ok|r|{path}", f"create_file|ok|{mask}|file|{disposition}|{path}"]


LISTED = [f"openat|ok|r|{A}", f"close|ok|{A}"]  # what the server does with every file of a folder
READ, WRITE, CLOSE = f"pread_send|ok|{A}", f"pwrite_send|ok|{A}", f"close|ok|{A}"


def test_a_file_that_is_read_is_one_download_and_its_close_the_volume():
    parsed = parse(*opened(), READ, READ, READ, CLOSE)
    assert told(parsed) == [
        ("main", "download", A, None),
        ("part", "download", A, None),
        ("part", "download", A, None),
        ("outcome", "download", A, 3 * MIB),
    ]
    assert parsed.events["activity_key"].n_unique() == 1
    assert apart(parsed)["bytes_kind"].to_list() == ["unknown"] * 3 + ["estimated"]
    assert parsed.events.row(0, named=True)["command"] == "CREATE_FILE", "the open is a part of it"
    assert told(parsed, "account", "client_ip", "object_name", "direction")[0] == ("wang", "192.0.2.31", "scan", "out")


def test_an_open_without_a_read_moves_nothing_but_is_kept_as_a_part():
    parsed = parse(*opened(), CLOSE, *opened("/srv/scan/b", mask="0x10000"), *opened("/srv/scan/c", mask="0x80"))
    assert parsed.events.select("record_role", "action", "path", "bytes_kind").rows() == [("part", "download", A, None)]


def test_a_listing_is_one_act():
    names = [f"/srv/scan/{number}.jpg" for number in range(50)]
    messages = ["create_file|ok|0x81|dir|open|/srv/scan"]
    messages += [message for name in names for message in (f"openat|ok|r|{name}", f"close|ok|{name}")]
    parsed = parse(*messages)
    assert told(parsed) == [("main", "list", "/srv/scan", None)]
    assert {reason: count for reason, (count, _) in parsed.skips.items()} == {"opened": 50, "closed": 50}


def test_a_listing_in_the_middle_does_not_end_a_download():
    parsed = parse(*opened(), READ, *LISTED, READ, READ, CLOSE)
    assert [row[0] for row in told(parsed)].count("main") == 1
    outcomes = parsed.events.filter(pl.col("record_role") == "outcome")
    assert outcomes["bytes"].sum() == 3 * MIB
    assert parsed.events["activity_key"].n_unique() == 1


def test_the_same_file_again_is_another_download():
    parsed = parse(*opened(), READ, CLOSE, *opened(), READ, CLOSE)
    assert [row[0] for row in told(parsed)] == ["main", "outcome"] * 2
    assert parsed.events["activity_key"].n_unique() == 2


def test_without_any_open_logged_a_close_still_ends_a_download():
    parsed = parse(READ, CLOSE, READ, CLOSE)
    assert [row[0] for row in told(parsed)] == ["main", "outcome"] * 2


def test_lost_closes_do_not_hide_the_next_download():
    parsed = parse(*opened(), READ, *opened(), READ, CLOSE)
    assert [row[0] for row in told(parsed)] == ["main", "main", "outcome"]
    assert parsed.events["bytes"].sum() == 2 * MIB


def test_a_file_that_is_never_closed_has_been_told():
    assert told(parse(*opened(), READ)) == [("main", "download", A, None)]


def test_reading_and_writing_through_one_open_is_both():
    parsed = parse(*opened(mask="0x12019f"), READ, WRITE, WRITE, CLOSE)
    assert told(parsed, "record_role", "action") == [
        ("main", "download"),
        ("main", "upload"),
        ("part", "upload"),
        ("outcome", "upload"),
    ]
    assert parsed.events["bytes"].sum() == 3 * MIB
    assert parsed.events["activity_key"].n_unique() == 2


def test_two_clients_reading_one_file_are_two_downloads():
    other = "chen|192.0.2.40|pc2|scan"
    raw = line(READ) + line(READ, other) + line(CLOSE) + line(READ, other) + line(CLOSE, other)
    parsed = parse_raw(raw)
    assert told(parsed, "record_role", "account", "bytes") == [
        ("main", "wang", None),
        ("main", "chen", None),
        ("outcome", "wang", MIB),
        ("part", "chen", None),
        ("outcome", "chen", 2 * MIB),
    ]


def test_a_copy_on_the_server_is_an_upload_of_the_new_name_that_crossed_no_network():
    copy = "/srv/scan/copy.jpg"
    parsed = parse(
        *opened(),
        f"openat|ok|w|{copy}",
        f"create_file|ok|0x17019f|file|create|{copy}",
        "offload_read_send|ok|",
        "offload_write_send|ok|",
        "offload_write_send|ok|",
        CLOSE,
        f"close|ok|{copy}",
    )
    assert told(parsed) == [
        ("main", "upload", copy, None),
        ("part", "upload", copy, None),
        ("outcome", "upload", copy, 2 * MIB),
    ]
    assert apart(parsed)["direction"].null_count() == 3
    assert apart(parsed)["detail"][0] == f"copied on the server from {A}"
    assert parsed.skips["copy_source"][0] == 1


def test_a_copy_whose_target_is_unknown_is_told_without_a_name():
    assert told(parse("offload_write_send|ok|"), "action", "path", "record_role") == [("upload", None, "main")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("connect|ok|scan", ("login", "ok", None, None, None)),
        ("connect|fail (Permission denied)|scan", ("login", "failed", None, None, "Permission denied")),
        ("disconnect|ok|scan", ("logout", "ok", None, None, None)),
        ("unlinkat|ok|/s/pi|pe", ("delete", "ok", "/s/pi|pe", None, None)),
        ("mkdirat|fail (File exists)|/s/a", ("mkdir", "failed", "/s/a", None, "File exists")),
        ("renameat|ok|/s/a b|/s/c", ("rename", "ok", "/s/a b", "/s/c", None)),
        ("renameat|ok|/s/a|b|/s/c", ("rename", "ok", "/s/a|b", "/s/c", None)),
        ("rename|ok|a|b", ("rename", "ok", "a", "b", None)),
        ("fchmod|ok|/s/a|755", ("chmod", "ok", "/s/a", None, None)),
        ("pread_send|fail (Input/output error)|/s/a", ("download", "failed", "/s/a", None, "Input/output error")),
        ("openat|fail (Permission denied)|w|/s/a", ("upload", "failed", "/s/a", None, "Permission denied")),
        ("openat|fail (Permission denied)|r|/s/", ("list", "failed", "/s/", None, "Permission denied")),
        ("create_file|fail (No such file or directory)|0x120089|file|open|/s/a", ("download", "failed", "/s/a", None, "No such file or directory")),
        ("create_file|fail (Permission denied)|0x10000|file|open|/s/a", ("delete", "failed", "/s/a", None, "Permission denied")),
        ("create_file|fail (Permission denied)|0x12019f|file|overwrite_if|/s/a", ("upload", "failed", "/s/a", None, "Permission denied")),
        ("create_file|fail (Permission denied)|0x81|dir|open|/s", ("list", "failed", "/s", None, "Permission denied")),
    ],
)  # fmt: skip
def test_other_acts_and_failures(message, expected):
    parsed = parse(message)
    assert told(parsed, "action", "outcome", "path", "path2", "error_code") == [expected]
    assert parsed.events["record_role"].to_list() == ["main"]


@pytest.mark.parametrize(
    "name",
    ["a|ok|b", "x|pread_send|ok|/etc/shadow", "fail (x)|y", "0x1|file|open|z", "new#012line", "r|w|q", "归档 |2"],
)
def test_names_that_imitate_a_record_stay_names(name):
    path = f"/srv/scan/{name}"
    messages = [*opened(path), f"pread_send|ok|{path}", f"close|ok|{path}", f"unlinkat|ok|{path}"]
    assert told(parse(*messages), "record_role", "action", "path") == [
        ("main", "download", path),
        ("outcome", "download", path),
        ("main", "delete", path),
    ]


def test_a_rename_that_can_be_read_in_two_ways_is_forgeable():
    assert told(parse("renameat|ok|/s/a|/b|/s/c"), "forgeable") == [(True,)]
    assert told(parse("renameat|ok|/s/a|b|/s/c"), "forgeable") == [(False,)]


@pytest.mark.parametrize(("proof", "count"), [("requests", 0), ("create_file", 1), ("openat", 3)])
def test_what_proves_a_transfer_where_requests_are_not_logged(proof, count):
    parsed = parse(*LISTED, *LISTED, *opened(), CLOSE, transfers_from=proof)
    downloads = apart(parsed).filter(pl.col("action") == "download")
    assert downloads.height == count
    assert set(downloads["bytes_kind"]) <= {"unknown"}
    parsed = parse(*opened(), READ, CLOSE, transfers_from="create_file")
    assert [row[0] for row in told(parsed)] == ["main"]
    assert parsed.skips["request"][0] == 1


def test_the_size_of_a_request_is_the_sites():
    assert parse(READ, READ, CLOSE, request_bytes=8 * MIB).events["bytes"].sum() == 16 * MIB


def test_any_cut_gives_the_same_and_the_carry_is_json():
    messages = [*opened(), READ, *LISTED, READ, "create_file|ok|0x17019f|file|create|/c", "offload_write_send|ok|"]
    messages += ["offload_write_send|ok|", "close|ok|/c", CLOSE, "disconnect|ok|scan", READ, CLOSE]
    records = [line(message) for message in messages]
    unit = parsers()["samba_full_audit"].configured({"prefix": FULL})
    whole = unit.parse(b"".join(records), ORIGIN, ZONE, {}).events
    frames, carry, position = [], {}, 0
    for record in records:
        origin = Origin("h", "nas", "s", "samba.log", "samba_full_audit", "0" * 16, position, ORIGIN.received_at)
        part = unit.parse(record, origin, ZONE, carry)
        carry = json.loads(json.dumps(dict(part.carry)))
        position += len(record)
        frames.append(part.events)
    assert pl.concat(frames).equals(whole)


def test_the_carry_is_bounded_and_empty_after_a_disconnect():
    raw = b"".join(line(f"openat|ok|r|/srv/scan/{number}") for number in range(6000))
    parsed = parse_raw(raw)
    assert len(parsed.carry["open"]["path"]) == 4000
    assert parse_raw(raw + line("disconnect|ok|scan")).carry["open"]["path"] == []


@pytest.mark.parametrize(
    ("prefix", "message", "expected"),
    [
        ("%u|%I", "wang|192.0.2.31|unlinkat|ok|/a", ("wang", "192.0.2.31", None)),
        ("%U at %I: %S (%m)", "wang at 2001:db8::1: my share (pc1)|unlinkat|ok|/a", ("wang", "2001:db8::1", "my share")),
        ("smb|%d|%u|%I|%T", "smb|4711|wang|::ffff:192.0.2.31|2026/11/20 02:11:06|unlinkat|ok|/a", ("wang", "192.0.2.31", None)),
    ],
)  # fmt: skip
def test_prefixes_of_sites(prefix, message, expected):
    parsed = parse_raw(f"Nov 20 02:11:06 nas smbd_audit: {message}\n".encode(), prefix=prefix)
    assert told(parsed, "account", "client_ip", "object_name") == [expected]
    assert parsed.events["session"].to_list() == (["nas:4711"] if "%d" in prefix else [None])


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("%I|%m", "must hold %u"),
        ("%u%I", "side by side"),
        ("%u|%q", "unknown variable %q"),
        ("%u|100%", "unknown variable"),
    ],
)
def test_prefixes_that_cannot_be_read_back_are_refused(prefix, why):
    with pytest.raises(ValidationError, match=why):
        parsers()["samba_full_audit"].configured({"prefix": prefix})


def test_a_line_under_another_prefix_is_refused():
    parsed = parse_raw(b"Nov 20 02:11:06 nas smbd_audit: wang|192.0.2.31|unlinkat|ok|/a\n")
    assert parsed.rejects["reason"].to_list() == ["unknown_form"]


def test_guess_proposes_both_prefixes_the_fitting_one_first():
    assert next(iter(samba_full_audit.guess(line(READ)))) == {"prefix": FULL}
    assert next(iter(samba_full_audit.guess(line(READ, "wang|192.0.2.31")))) == {"prefix": "%u|%I"}
    assert len(list(samba_full_audit.guess(b"\xff\0"))) == 2


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).map("/srv/".__add__)
OPS = st.sampled_from(
    [("unlinkat", "delete"), ("mkdirat", "mkdir"), ("pread_send", "download"), ("pwrite_send", "upload")]
)


@given(op=OPS, name=NAMES, reason=st.none() | st.sampled_from(["Permission denied", "Input/output error"]))
@settings(max_examples=40, deadline=None)
def test_a_line_is_read_back_as_it_was_built(op, name, reason):
    result = "ok" if reason is None else f"fail ({reason})"
    parsed = parse(f"{op[0]}|{result}|{name}")
    assert told(parsed, "action", "path", "error_code") == [(op[1], name, reason)]


@given(st.lists(st.sampled_from([*opened(), READ, WRITE, CLOSE, *LISTED]), max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_requests_of_every_close_add_up_to_what_was_asked(messages):
    parsed = parse(*messages, CLOSE) if messages else parse(CLOSE)
    asked = sum(1 for message in messages if message in (READ, WRITE))
    assert (parsed.events["bytes"].sum() or 0) == asked * MIB
    moved = apart(parsed).filter(pl.col("record_role") != "outcome")
    assert moved.height == asked
    mains = moved.filter(pl.col("record_role") == "main")
    assert mains["activity_key"].n_unique() == mains.height
    assert set(apart(parsed)["activity_key"]) == set(mains["activity_key"])
