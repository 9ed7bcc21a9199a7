from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import vsftpd_native, vsftpd_syslog
from parsers.events import EVENTS, Origin, check

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("h", "ftp01", "s", "vsftpd.log", "vsftpd_native", "0" * 16, 0, datetime(2027, 1, 1, tzinfo=UTC))
HEAD = "Thu Dec  3 08:05:16 2026 [pid 12634] "


def parse(*messages: str):
    return vsftpd_native.parse("".join(f"{HEAD}{m}\n" for m in messages).encode(), ORIGIN, ZONE, {})


def event(message: str):
    parsed = parse(message)
    check(parsed.events, EVENTS)
    assert parsed.events.height == 1, parsed.rejects
    return parsed.events.row(0, named=True)


def test_a_transfer_is_read_whole():
    told = event('[wang] OK UPLOAD: Client "192.0.2.31", "/in/his.dmp", 4400000000 bytes, 85763.77Kbyte/sec')
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, tzinfo=UTC)
    assert (told["action"], told["outcome"], told["record_role"]) == ("upload", "ok", "main")
    assert (told["account"], told["client_ip"], told["path"]) == ("wang", "192.0.2.31", "/in/his.dmp")
    assert (told["bytes"], told["bytes_kind"], told["direction"]) == (4400000000, "known", "in")
    assert told["duration_seconds"] == pytest.approx(50.1, abs=0.1)


def test_bytes_that_are_not_told_are_none():
    told = event('[app] OK UPLOAD: Client "192.0.2.8", "/in/empty.ok", 0.00Kbyte/sec')
    assert (told["bytes"], told["bytes_kind"], told["path"]) == (0, "known", "/in/empty.ok")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('CONNECT: Client "192.0.2.8"', ("connect", "ok", None, None)),
        ('CONNECT: Client "192.0.2.8", "Connection refused: too many sessions."', ("connect", "failed", None, None)),
        ('[chen] OK LOGIN: Client "192.0.2.8"', ("login", "ok", "chen", None)),
        ('[chen] FAIL LOGIN: Client "192.0.2.8"', ("login", "failed", "chen", None)),
        ('[ftp] OK LOGIN: Client "192.0.2.8", anon password "x@y"', ("login", "ok", "anonymous", None)),
        (
            '[chen] FAIL DELETE: Client "192.0.2.8", "/in/../etc/shadow"',
            ("delete", "failed", "chen", "/in/../etc/shadow"),
        ),
        ('[chen] OK MKDIR: Client "192.0.2.8", "/in/a b"', ("mkdir", "ok", "chen", "/in/a b")),
        ('[chen] OK RMDIR: Client "192.0.2.8", "/in/a"', ("rmdir", "ok", "chen", "/in/a")),
        ('[chen] FAIL CHMOD: Client "192.0.2.8", "/in/forms 777"', ("chmod", "failed", "chen", "/in/forms")),
        ('[chen] FAIL RENAME: Client "192.0.2.8", "/in/a /b"', ("rename", "failed", "chen", "/in/a /b")),
    ],
)
def test_every_verb(message, expected):
    told = event(message)
    assert (told["action"], told["outcome"], told["account"], told["path"]) == expected
    assert told["bytes"] is None
    assert not told["forgeable"]


def test_the_anonymous_password_is_not_kept():
    told = event('[ftp] OK LOGIN: Client "192.0.2.8", anon password "my secret"')
    assert not any("secret" in str(value) for value in told.values())


def test_the_last_quote_ends_the_name():
    told = event(
        '[chen] OK UPLOAD: Client "192.0.2.8", "/in/r.txt", 999999999 bytes, 1.00Kbyte", 23 bytes, 5.52Kbyte/sec'
    )
    assert (told["bytes"], told["path"]) == (23, '/in/r.txt", 999999999 bytes, 1.00Kbyte')
    told = event('[chen] OK DELETE: Client "192.0.2.8", "/in/r.txt", 9 bytes, 1.00Kbyte/sec"')
    assert (told["bytes"], told["path"]) == (None, '/in/r.txt", 9 bytes, 1.00Kbyte/sec')


def test_a_rename_holds_two_names():
    told = event('[chen] OK RENAME: Client "192.0.2.8", "/in/a b.dmp /in/c d.jpg"')
    assert (told["path"], told["path2"], told["forgeable"]) == ("/in/a b.dmp", "/in/c d.jpg", False)
    assert event('[chen] OK RENAME: Client "192.0.2.8", "/in/a /b /in/c"')["forgeable"]


def test_a_broken_download_may_not_have_arrived():
    told = event('[chen] FAIL DOWNLOAD: Client "192.0.2.8", "/a.zip", 13926113 bytes, 11958.19Kbyte/sec')
    assert (told["outcome"], told["error_code"], told["bytes_kind"]) == ("failed", "aborted", "estimated")


def test_a_user_name_that_imitates_a_login_is_a_failed_login():
    told = event('[x] OK LOGIN: Client "10.0.0.1"] FAIL LOGIN: Client "203.0.113.9"')
    assert (told["outcome"], told["client_ip"]) == ("failed", "203.0.113.9")
    assert told["account"] == 'x] OK LOGIN: Client "10.0.0.1"'
    assert told["forgeable"]


def test_where_two_messages_stand_in_one_line_the_event_says_so():
    told = event('[chen] OK DELETE: Client "192.0.2.8", "/x] FAIL LOGIN: Client "203.0.113.9"')
    assert (told["action"], told["account"], told["forgeable"]) == ("delete", "chen", True)


def test_the_ftp_dialogue_is_skipped_whatever_it_imitates():
    parsed = parse(
        'FTP command: Client "192.0.2.8", "USER x] OK LOGIN: Client "10.0.0.1""',
        '[chen] FTP command: Client "192.0.2.8", "STOR x] OK DELETE: Client "192.0.2.9", "/y"',
        '[chen] FTP response: Client "192.0.2.8", "226 Transfer complete."',
        '[chen] DEBUG: Client "192.0.2.8", "SSL version: TLSv1.3"',
    )
    assert parsed.skips["protocol"][0] == 4
    assert parsed.events.is_empty()
    assert parsed.rejects.is_empty()


def test_a_line_longer_than_any_name_is_refused_once():
    parsed = parse(f'[chen] FTP command: Client "192.0.2.8", "STOR {"a" * 70_000}"')
    assert parsed.rejects["reason"].to_list() == ["too_long"]
    assert not parsed.skips


def test_other_lines_are_refused_with_a_reason():
    chunk = (
        b'Thu Foo  3 08:05:16 2026 [pid 2] CONNECT: Client "192.0.2.8"\nnonsense\n\n'
        + HEAD.encode()
        + b"[a] OK DANCE\n"
    )
    parsed = vsftpd_native.parse(chunk, ORIGIN, ZONE, {})
    assert parsed.rejects["reason"].to_list() == ["bad_timestamp", "unknown_form", "unknown_form"]
    assert parsed.skips == {"blank": (1, 1)}


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.from_regex(
            r'\A(\[.{0,5}\] )?(OK|FAIL)? ?(LOGIN|UPLOAD|RENAME|CONNECT|CHMOD): Client "[0-9.]{0,9}"(, ".{0,9}"(, [0-9]{1,25} bytes)?(, [0-9]\.[0-9]{2}Kbyte/sec)?)?\Z'
        ),
        max_size=5,
    )
)
def test_near_misses_are_events_or_rejects(messages):
    chunk = "".join(f"{HEAD}{m}\n" for m in messages).encode("utf-8", "surrogatepass")
    parsed = vsftpd_native.parse(chunk, ORIGIN, ZONE, {})
    told = parsed.events["length"].sum() + parsed.rejects["length"].sum() + sum(b for _, b in parsed.skips.values())
    assert told == len(chunk)


@settings(deadline=None, max_examples=60)
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=1), size=st.integers(1, 2**62))
def test_what_is_written_is_read(name, size):
    told = event(f'[u] OK DOWNLOAD: Client "192.0.2.4", "/{name}", {size} bytes, 1.00Kbyte/sec')
    assert (told["path"], told["bytes"]) == (f"/{name}", size)


def test_the_syslog_form_keeps_names_and_tells_pam_twice():
    lines = (
        'Dec  3 08:05:14 ftp01 vsftpd[9]: [chen] OK UPLOAD: Client "192.0.2.8", "/导出/a#011b.csv", 7 bytes, 1.00Kbyte/sec',
        "Dec  3 08:05:15 ftp01 vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= ruser=admin rhost=203.0.113.9 ",
        "Dec  3 08:05:15 ftp01 vsftpd: pam_unix(vsftpd:auth): check pass; user unknown",
        'Dec  3 08:05:16 ftp01 vsftpd[9]: [admin] FAIL LOGIN: Client "203.0.113.9"',
        "Dec  3 08:05:16 ftp01 vsftpd: pam_listfile(vsftpd:auth): Refused user root for service vsftpd",
        "Dec  3 08:05:16 ftp01 sshd[1]: Connection from 192.0.2.1 port 1 on 192.0.2.2 port 22",
        "Dec  3 08:05:16 ftp01 vsftpd[9]: something else",
        'Dec  3 08:05:17 ftp01 vsftpd[9]: message repeated 2 times: [ [li] OK DOWNLOAD: Client "192.0.2.9", "/a", 3 bytes, 1.00Kbyte/sec]',
    )
    parsed = vsftpd_syslog.parse("".join(f"{line}\n" for line in lines).encode(), ORIGIN, ZONE, {})
    check(parsed.events, EVENTS)
    told = parsed.events.select("action", "outcome", "record_role", "account", "client_ip").rows()
    assert told == [
        ("upload", "ok", "main", "chen", "192.0.2.8"),
        ("login", "failed", "duplicate", "admin", "203.0.113.9"),
        ("login", "failed", "main", "admin", "203.0.113.9"),
        ("notice", "failed", "main", "root", None),
        ("download", "ok", "main", "li", "192.0.2.9"),
    ]
    assert parsed.events["bytes"][-1] == 6
    assert parsed.events["path"][0] == "/导出/a#011b.csv"
    assert {reason: count for reason, (count, _) in parsed.skips.items()} == {"pam_session": 1, "other_program": 1}
    assert parsed.rejects["reason"].to_list() == ["unknown_form"]
