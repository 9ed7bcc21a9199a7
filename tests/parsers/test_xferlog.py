from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import xferlog
from parsers.events import EVENTS, Origin, check

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("h", "ftp01", "s", "xferlog", "xferlog", "0" * 16, 1000, datetime(2027, 1, 1, tzinfo=UTC))


def parse(*lines: str, carry=None):
    return xferlog.parse("".join(line + "\n" for line in lines).encode(), ORIGIN, ZONE, carry or {})


def event(line: str):
    parsed = parse(line)
    check(parsed.events, EVENTS)
    assert parsed.events.height == 1, parsed.rejects
    return parsed.events.row(0, named=True)


def test_an_upload_is_read_whole():
    line = "Fri Nov 20 02:11:56 2026 31 192.0.2.31 4400000000 /incoming/his.dmp b _ i r wang ftp 0 * c"
    told = event(line)
    assert told["occurred_at"] == datetime(2026, 11, 19, 18, 11, 56, tzinfo=UTC)
    assert (told["action"], told["outcome"], told["direction"]) == ("upload", "ok", "in")
    assert (told["bytes"], told["bytes_kind"], told["duration_seconds"]) == (4400000000, "known", 31.0)
    assert (told["account"], told["client_ip"], told["path"]) == ("wang", "192.0.2.31", "/incoming/his.dmp")
    assert (told["position"], told["length"], told["command"]) == (1000, len(line) + 1, "STOR")


@pytest.mark.parametrize("day", ["Dec  3", "Dec 03"])
def test_days_are_padded_with_a_blank_or_a_zero(day):
    told = event(f"Thu {day} 08:05:16 2026 1 192.0.2.1 5 /a b _ o r u ftp 0 * c")
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, tzinfo=UTC)


def test_an_incomplete_record_of_no_bytes_is_an_attempt():
    told = event("Thu Dec  3 08:05:16 2026 1 192.0.2.1 0 /etc/passwd b _ i r u ftp 0 * i")
    assert (told["outcome"], told["bytes"], told["bytes_kind"], told["error_code"]) == ("failed", 0, "known", None)


def test_a_broken_download_may_not_have_arrived():
    told = event("Thu Dec  3 08:05:07 2026 1 192.0.2.1 13926113 /a.zip b _ o r u ftp 0 * i")
    assert (told["outcome"], told["bytes"], told["bytes_kind"]) == ("failed", 13926113, "estimated")
    assert told["error_code"] == "aborted"


def test_a_deletion_is_no_traffic():
    told = event("Thu Nov 19 01:30:03 2026 0 192.0.2.9 30000000 /home/b/full.dmp.gz a _ d r bak ftp 0 * c")
    assert (told["action"], told["command"]) == ("delete", "DELE")
    assert (told["bytes"], told["bytes_kind"], told["direction"]) == (None, None, None)


@pytest.mark.parametrize("password", ["guest@his.local", "my secret", "b _ o r root", ""])
def test_the_password_of_an_anonymous_user_is_not_kept(password):
    told = event(f"Thu Dec 03 08:05:19 2026 0 192.0.2.4 12345 /pub/n.pdf b _ o a {password} ftp 0 * c")
    assert told["account"] == "anonymous"
    assert told["path"] == "/pub/n.pdf"
    assert told["forgeable"] == (password == "b _ o r root")  # a name with a blank would look the same


def test_pure_ftpd_calls_the_anonymous_user_ftp():
    assert event("Thu Dec 03 08:05:33 2026 0 192.0.2.4 1 /pub/n b _ o r ftp ftp 1 * c")["account"] == "anonymous"


def test_a_name_that_imitates_a_record_is_a_name():
    told = event("Sat Nov 21 12:41:38 2026 0 192.0.2.4 17 /in/a_b___o_r_root_ftp_0_*_c b _ i r chen ftp 0 * c")
    assert (told["account"], told["path"], told["bytes"]) == ("chen", "/in/a_b___o_r_root_ftp_0_*_c", 17)


def test_a_daemon_that_leaves_blanks_in_names_is_read_from_the_right():
    told = event("Sat Nov 21 12:41:38 2026 0 192.0.2.4 17 /in/a b _ o r root ftp 0 * c b _ i r chen ftp 0 * c")
    assert (told["account"], told["action"], told["path"]) == ("chen", "upload", "/in/a b _ o r root ftp 0 * c")
    assert told["forgeable"]


def test_names_of_two_encodings_stand_in_one_file():
    line = "Sat Nov 21 12:41:38 2026 0 192.0.2.4 17 /in/{} b _ i r chen ftp 0 * c\n"
    chunk = line.format("病案").encode() + line.format("病案").encode("gb18030")
    assert xferlog.parse(chunk, ORIGIN, ZONE, {}).events["path"].to_list() == ["/in/病案"] * 2


def test_other_lines_are_refused_with_a_reason():
    parsed = parse(
        "Nov 18 09:02:08 ftp01 sshd[8562]: Server listening on 0.0.0.0 port 2222.",
        "Thu Foo 03 08:05:33 2026 0 192.0.2.4 1 /pub/n b _ o r u ftp 1 * c",
        "",
        "Thu Dec 03 08:05:33 2026 0 192.0.2.4 99999999999999999999 /pub/n b _ o r u ftp 1 * c",
    )
    assert parsed.rejects["reason"].to_list() == ["unknown_form", "bad_timestamp", "unknown_form"]
    assert parsed.skips == {"blank": (1, 1)}
    assert parsed.events.is_empty()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.from_regex(
            r"\A[A-Z][a-z]{2} Dec [ 0-3][0-9] 08:05:33 2026 [0-9] [^ \n]{1,5} [0-9]{1,3} .{0,20} b _ [iod] [arg] .{0,9} ftp 0 \* [cix]\Z"
        ),
        max_size=5,
    )
)
def test_near_misses_are_events_or_rejects(lines):
    chunk = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    parsed = xferlog.parse(chunk, ORIGIN, ZONE, {})
    told = parsed.events["length"].sum() + parsed.rejects["length"].sum() + sum(b for _, b in parsed.skips.values())
    assert told == len(chunk)


@settings(deadline=None, max_examples=60)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_characters=" \n\r\0"), min_size=1),
    size=st.integers(0, 2**62),
    way=st.sampled_from("io"),
)
def test_what_is_written_is_read(name, size, way):
    told = event(f"Thu Dec 03 08:05:33 2026 7 192.0.2.4 {size} /{name} b _ {way} r u ftp 0 * c")
    assert (told["path"], told["bytes"]) == (f"/{name}", size)
