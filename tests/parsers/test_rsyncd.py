from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers import rsyncd
from parsers.events import EVENTS, Origin, check
from parsers.registry import parsers

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("h", "nas", "s", "rsyncd.log", "rsyncd", "0" * 16, 0, datetime(2027, 1, 1, tzinfo=UTC))
WITH_BYTES = "op=%o ip=%a user=%u module=%m file=%f length=%l bytes=%b"
SESSION = (
    "connect from UNDETERMINED (192.0.2.45)",
    "rsync allowed access on module backup from UNDETERMINED (192.0.2.45)",
    "rsync on backup/his/ from wang@UNDETERMINED (192.0.2.45)",
    "building file list",
)


def lines(*messages: str | bytes, pid: int = 77) -> bytes:
    head = f"2026/11/20 02:11:06 [{pid}] ".encode()
    return b"".join(head + (m if isinstance(m, bytes) else m.encode()) + b"\n" for m in messages)


def parse(*messages: str | bytes, log_format: str | None = None):
    unit = parsers()["rsyncd"].configured({"log_format": log_format} if log_format else {})
    parsed = unit.parse(lines(*messages), ORIGIN, ZONE, {})
    check(parsed.events, EVENTS)
    return parsed


def last(*messages: str | bytes, log_format: str | None = None):
    return parse(*messages, log_format=log_format).events.row(-1, named=True)


def test_a_file_that_the_server_sent_is_a_download():
    told = last(*SESSION, "send UNDETERMINED [192.0.2.45] backup (wang) his/full 2026.dmp 30000000")
    assert told["occurred_at"] == datetime(2026, 11, 19, 18, 11, 6, tzinfo=UTC)
    assert (told["action"], told["direction"], told["record_role"]) == ("download", "out", "main")
    assert (told["account"], told["client_ip"], told["object_name"]) == ("wang", "192.0.2.45", "backup")
    assert (told["path"], told["bytes"], told["bytes_kind"]) == ("his/full 2026.dmp", 30000000, "estimated")
    assert told["session"] == ":77"


def test_bytes_moved_are_known_where_the_format_tells_them():
    line = "op=recv ip=192.0.2.1 user=app module=in file=a length=9 bytes=1 length=30000000 bytes=1425"
    told = last(line, log_format=WITH_BYTES)
    assert (told["action"], told["path"], told["bytes"]) == ("upload", "a length=9 bytes=1", 1425)
    assert (told["bytes_kind"], told["detail"]) == ("known", "length 30000000")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (" lead and trail ", " lead and trail "),
        ("f 999999999", "f 999999999"),
        ("x [192.0.2.1] public () y 5", "x [192.0.2.1] public () y 5"),
        ("\\#134#012lit", "\\#012lit"),
        ("new\\#012line", "new\nline"),
        (b"\xe5\xbd\\#222\xe6\xa1\xa3", "归档"),
        (b"\xe6\xa1\xa3\\#200\\#377", "档\\x80\\xff"),
        ("患者".encode("gb18030"), "患者"),
    ],
)
def test_names_survive(name, path):
    name = name if isinstance(name, bytes) else name.encode()
    told = last(*SESSION, b"recv h [192.0.2.45] backup (wang) " + name + b" 12")
    assert (told["path"], told["bytes"], told["account"]) == (path, 12, "wang")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("auth failed on module m from h (192.0.2.9) for chen: password mismatch", ("login", "failed", "chen", "password mismatch")),
        ("auth failed on module m from h (192.0.2.9) for a: b: no matching rule", ("login", "failed", "a: b", "no matching rule")),
        ("unknown module 'x' tried from y (192.0.2.1)' tried from h (192.0.2.9)", ("login", "failed", None, "unknown module")),
        ("rsync denied access on module m from h (192.0.2.9)", ("login", "failed", None, "denied access")),
        ("rsync to m/ from root@x (192.0.2.1) from chen@h (192.0.2.9)", ("login", "ok", "chen", None)),
        ("rsync on m/a from h (192.0.2.9)", ("login", "ok", None, None)),
        ("module-list request from h (192.0.2.9)", ("list", "ok", None, None)),
    ],
)  # fmt: skip
def test_sessions_and_refusals(message, expected):
    told = last("connect from h (192.0.2.9)", message)
    assert (told["action"], told["outcome"], told["account"], told["error_code"]) == expected
    assert told["client_ip"] == "192.0.2.9"


def test_a_missing_file_and_a_read_only_module_are_failed_transfers():
    told = last(*SESSION, 'rsync: [sender] link_stat "a "b" (in c)" (in backup) failed: No such file or directory (2)')
    assert (told["action"], told["outcome"], told["path"]) == ("download", "failed", 'a "b" (in c)')
    assert told["error_code"] == "No such file or directory"
    told = last("rsync to pacs/in from chen@h (192.0.2.9)", "ERROR: module is read only")
    assert (told["action"], told["outcome"], told["account"]) == ("upload", "failed", "chen")


def test_a_killed_client_leaves_one_transfer_of_unknown_size():
    events = parse(
        *SESSION,
        "rsync: connection unexpectedly closed (58 bytes received so far) [generator]",
        "rsync error: error in rsync protocol data stream (code 12) at io.c(285) [generator=3.5.0]",
    ).events.filter(pl.col("error_code") == "aborted")
    told = events.select("action", "record_role", "outcome", "bytes", "bytes_kind", "path").rows()
    assert told == [
        ("download", "main", "failed", None, "unknown", "his/"),
        ("download", "part", "failed", None, "unknown", "his/"),
    ]
    assert events["activity_key"].n_unique() == 1


def test_volume_counts_once():
    told = last(
        *SESSION, "send h [192.0.2.45] backup (wang) a 30000000", "sent 301782 bytes  received 101 bytes  total size 3"
    )
    assert (told["action"], told["bytes"], told["bytes_kind"]) == ("logout", None, None)


def test_a_session_that_moved_much_and_names_no_file_is_a_transfer():
    told = last(*SESSION, "sent 4400000000 bytes  received 101 bytes  total size 4300000000")
    assert (told["action"], told["bytes"], told["bytes_kind"], told["path"]) == (
        "download",
        4400000000,
        "estimated",
        "his/",
    )
    told = last(*SESSION, "sent 215 bytes  received 4400000 bytes  total size 30300000")
    assert (told["action"], told["bytes"]) == ("logout", None)


def test_a_process_number_that_comes_again_is_another_session():
    again = lines(
        *SESSION, "sent 1 bytes  received 1 bytes  total size 0", "sent 2 bytes  received 1 bytes  total size 0"
    )
    events = parsers()["rsyncd"].parse(again, ORIGIN, ZONE, {}).events
    assert events["account"].to_list()[-2:] == ["wang", None]
    again = lines(*SESSION, "connect from h (192.0.2.7)", "some notice")
    assert parsers()["rsyncd"].parse(again, ORIGIN, ZONE, {}).events["account"].to_list()[-1] is None


def test_processes_do_not_mix():
    mixed = lines(*SESSION) + lines("connect from h (192.0.2.7)", "rsync to in/ from chen@h (192.0.2.7)", pid=78)
    mixed += lines("ERROR: something", pid=77) + lines("ERROR: something", pid=78)
    events = parsers()["rsyncd"].parse(mixed, ORIGIN, ZONE, {}).events
    assert events["account"].to_list()[-2:] == ["wang", "chen"]


def test_the_carry_is_bounded():
    raw = b"".join(lines("connect from h (192.0.2.9)", pid=pid) for pid in range(12_000))
    carry = parsers()["rsyncd"].parse(raw, ORIGIN, ZONE, {}).carry
    assert len(carry["sessions"]["pid"]) == 4_000
    assert len(json.dumps(carry)) < 2_000_000


def test_file_and_syslog_forms_tell_the_same():
    messages = [
        *SESSION,
        "send h [192.0.2.45] backup (wang) his/归档 2.arc 300",
        "sent 9 bytes  received 1 bytes  total size 0",
    ]
    own = parse(*messages).events
    raw = "".join(f"Nov 20 02:11:06 nas rsyncd[77]: {message}\n" for message in messages).encode()
    syslog = parsers()["rsyncd_syslog"].parse(raw, ORIGIN, ZONE, {}).events
    same = ["activity_key", "record_role", "action", "outcome", "account", "client_ip", "path", "bytes", "occurred_at"]
    assert own.select(same).equals(syslog.select(same))
    assert own["activity_key"].str.len_chars().max() < 250


def test_lines_of_other_programs_and_other_tags():
    unit = parsers()["rsyncd_syslog"]
    raw = b"Nov 20 02:11:06 nas nasync[77]: connect from h (192.0.2.9)\nNov 20 02:11:06 nas sshd[1]: x\n"
    assert dict(unit.parse(raw, ORIGIN, ZONE, {}).skips) == {"other_program": (2, len(raw))}
    assert unit.configured({"tag": "nasync"}).parse(raw, ORIGIN, ZONE, {}).events.height == 1


@pytest.mark.parametrize(
    ("log_format", "why"),
    [
        ("%o %h", "must hold %f"),
        ("%o %f%n", "text is needed before %n"),
        ("%o %f 100%", "without a letter"),
        ("%o %Z %f", "unknown escape %Z"),
    ],
)
def test_formats_that_cannot_be_read_back_are_refused(log_format, why):
    with pytest.raises(ValidationError, match=why):
        parsers()["rsyncd"].configured({"log_format": log_format})


def test_itemized_lines():
    form = "%i %o %f"
    acts = [
        "cd+++++++++ recv new",
        ".d..t...... recv old",
        ">f+++++++++ recv a b",
        "*deleting   del. gone",
        "cd+++++++++ send dir",
    ]
    parsed = parse(*acts, log_format=form)
    assert parsed.events.select("action", "path").rows() == [("mkdir", "new"), ("upload", "a b"), ("delete", "gone")]
    assert parsed.skips["unchanged"][0] == 2


@pytest.mark.parametrize(
    "line",
    [
        "2026/11/20 02:11:06 [78] op=recv ip=192.0.2.1 user=a mod=m file=his.dmp len=4 sent=4",
        "recv his.dmp",
        "192.0.2.1|send|his.dmp",
        ">f+++++++++ his.dmp",
        "2026/11/20 02:11:06 192.0.2.1 backup his.dmp 500",
        "[192.0.2.1] .d..t...... in",
    ],
)
def test_a_file_in_another_format_than_configured_is_refused_not_overlooked(line):
    parsed = parse(*SESSION, line)
    assert parsed.rejects["reason"].to_list() == ["other_log_format"]


@pytest.mark.parametrize(
    "message",
    [
        "max connections (2) reached",
        "rsync error: some files could not be transferred (code 23) at main.c(1338) [sender=3.5.0]",
        "rsync: [Receiver] failed to send 4 bytes: Broken pipe (32)",
        "name lookup failed for 192.0.2.9: Name or service not known",
        'file has vanished: "recv x" (in backup)',
    ],
)
def test_other_messages_are_notices(message):
    told = last(*SESSION, message)
    assert (told["action"], told["detail"], told["account"]) == ("notice", message, "wang")


@pytest.mark.parametrize(("way", "action"), [("on", "download"), ("to", "upload")])
def test_a_format_without_an_operation_takes_it_from_the_session(way, action):
    session = ["connect from h (192.0.2.45)", f"rsync {way} backup/ from wang@h (192.0.2.45)"]
    line = "2026/11/20 02:11:06 192.0.2.45 backup his 2026.dmp 500"
    told = last(*session, line, log_format="%t %a %m %f %b")
    assert (told["action"], told["path"], told["bytes"], told["account"]) == (action, "his 2026.dmp", 500, "wang")
    assert list(rsyncd.guess(lines(*session, line))) == [{"log_format": "%t %a %m %f %b"}]


def test_a_refused_client_cannot_pass_for_a_transfer():
    message = "unknown module 'x recv y' tried from h (192.0.2.9)"
    assert last(message, log_format=WITH_BYTES)["action"] == "login"
    assert last(message)["action"] == "login"
    told = last(message, log_format="%h %u %o %f")  # nothing fixed in front: it fits, so it is marked
    assert (told["action"], told["forgeable"]) == ("upload", True)


def test_guess_knows_the_recommended_format():
    assert list(rsyncd.guess(lines("op=send ip=192.0.2.1 user=a module=m file=f length=1 bytes=2"))) == [
        {"log_format": WITH_BYTES}
    ]
    assert list(rsyncd.guess(lines(*SESSION))) == [{}]
    assert list(rsyncd.guess(b"\xff\0 nonsense")) == [{}]


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"), min_size=1, max_size=40)


@given(
    op=st.sampled_from([("send", "download"), ("recv", "upload"), ("del.", "delete")]),
    name=NAMES,
    size=st.integers(0, 10**15),
)
@settings(max_examples=60, deadline=None)
def test_a_line_is_read_back_as_it_was_built(op, name, size):
    told = last(f"{op[0]} h [192.0.2.45] backup (wang) {name} {size}")
    assert (told["action"], told["path"], told["account"]) == (op[1], name, "wang")
    assert told["bytes"] == (None if op[1] == "delete" else size)
