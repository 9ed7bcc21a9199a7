from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers.events import EVENTS, Origin, check
from parsers.proftpd_logformat import AUTH, DEFAULT, KEY_VALUE, compiled
from parsers.registry import parsers

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("h", "ftp01", "s", "ext.log", "proftpd", "0" * 16, 1000, datetime(2027, 1, 1, tzinfo=UTC))
STAMP = "[03/Dec/2026:08:05:16 +0800]"


def parse(*lines: str, form: str = DEFAULT, name: str = "proftpd_extended", carry=None):
    unit = parsers()[name].configured({"log_format": form} if name == "proftpd_extended" else {})
    parsed = unit.parse("".join(line + "\n" for line in lines).encode(), ORIGIN, ZONE, carry or {})
    check(parsed.events, EVENTS)
    return parsed


def events(*lines: str, form: str = DEFAULT):
    parsed = parse(*lines, form=form)
    assert parsed.rejects.is_empty()
    return parsed.events.rows(named=True)


def default(request: str, code: int, size: str = "-", user: str = "wang") -> str:
    return f'192.0.2.4 UNKNOWN {user} {STAMP} "{request}" {code} {size}'


def key_value(command: str, argument: str, code: str, size="-", status="-", fail="-", file="-", pid=7, user="wang"):
    return (
        f'ts=2026-12-03 08:05:16,154 pid={pid} ip=192.0.2.4 user={user} orig=wang cmd={command} arg="{argument}" '
        f'file="{file}" code={code} bytes={size} dur=4.205 xfer={status} fail="{fail}" size={size} end='
    )


def test_an_upload_is_read_whole():
    (told,) = events(default("STOR ADT 1.hl7", 226, "400"))
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, tzinfo=UTC)
    assert (told["action"], told["outcome"], told["direction"]) == ("upload", "ok", "in")
    assert (told["bytes"], told["bytes_kind"], told["path"]) == (400, "known", "ADT 1.hl7")
    assert (told["account"], told["client_ip"], told["command"]) == ("wang", "192.0.2.4", "STOR")


def test_a_local_stamp_is_of_the_zone_of_the_source():
    (told,) = events(key_value("STOR", "a", "226", "5", "success", file="/home/a"), form=KEY_VALUE)
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, 154000, tzinfo=UTC)
    assert (told["path"], told["session"], told["duration_seconds"]) == ("/home/a", "proftpd:7", 4.205)


@pytest.mark.parametrize(("code", "status"), [("426", "failed"), ("426", "-"), ("226", "cancelled"), ("552", "failed")])
def test_a_broken_transfer_has_failed(code, status):
    (told,) = events(key_value("RETR", "a", code, "5", status, "Data connection closed"), form=KEY_VALUE)
    assert (told["outcome"], told["error_code"], told["bytes"]) == ("failed", "aborted", 5)
    assert (told["bytes_kind"], told["detail"]) == ("estimated", "Data connection closed")


def test_a_refused_transfer_is_an_attempt_of_no_bytes():
    (told,) = events(default("RETR ../../etc/shadow", 550))
    assert (told["outcome"], told["error_code"], told["bytes"], told["bytes_kind"]) == ("failed", "550", 0, "known")


def test_a_stalled_transfer_counts_once():
    first, second = events(
        key_value("STOR", "a", "150", "900", "timeout", "Data stalled timeout"),
        key_value("STOR", "a", "426", "900", "failed", "Data stalled timeout"),
        form=KEY_VALUE,
    )
    assert (first["record_role"], second["record_role"]) == ("part", "main")
    assert first["activity_key"] == second["activity_key"]
    assert (second["outcome"], second["bytes"]) == ("failed", 900)


def test_an_abort_after_a_success_tells_that_it_was_none():
    told = events(
        key_value("STOR", "a.bin", "226", "300", "success", file="/home/a.bin"),
        key_value("ABOR", "", "226", "-", "cancelled"),
        key_value("ABOR", "", "226", "-", "cancelled", pid=8),
        form=KEY_VALUE,
    )
    assert [event["record_role"] for event in told] == ["main", "outcome"]
    assert told[0]["activity_key"] == told[1]["activity_key"]
    assert (told[1]["action"], told[1]["outcome"], told[1]["path"]) == ("upload", "failed", "/home/a.bin")


def test_the_size_of_a_deleted_file_is_no_traffic():
    (told,) = events(default("DELE full.dmp", 250, "30000000"))
    assert (told["action"], told["bytes"], told["bytes_kind"], told["direction"]) == ("delete", None, None, None)


def test_a_rename_has_both_names_and_its_first_half_is_a_part():
    lines = [default("RNFR his full.dmp", 350, "0"), default("RNTO IMG 1.jpg", 250, "0")]
    first, second = events(*lines)
    assert (first["record_role"], second["record_role"]) == ("part", "main")
    assert (second["path"], second["path2"]) == ("his full.dmp", "IMG 1.jpg")
    assert first["activity_key"] == second["activity_key"]
    carried = parse(lines[0]).carry
    assert parse(lines[1], carry=carried).events["path"].to_list() == ["his full.dmp"]


def test_renames_of_two_sessions_do_not_mix():
    told = events(
        key_value("RNFR", "a", "350", "0", file="/a", pid=1),
        key_value("RNFR", "b", "350", "0", file="/b", pid=2),
        key_value("RNTO", "c", "250", "0", file="/c", pid=1),
        key_value("RNTO", "d", "250", "0", file="/d", pid=2),
        form=KEY_VALUE,
    )
    assert [(e["path"], e["path2"]) for e in told[2:]] == [("/a", "/c"), ("/b", "/d")]


def test_a_second_name_without_a_first_has_no_old_name():
    (told,) = events(default("RNTO b", 503, "0"))
    assert (told["path"], told["path2"], told["outcome"], told["activity_key"]) == (None, "b", "failed", None)


def test_a_failed_login_has_the_name_that_was_offered():
    parsed = parse(default("USER chen", 331, user="-"), default("PASS (hidden)", 530, user="-"))
    told = parsed.events.row(0, named=True)
    assert (told["action"], told["outcome"], told["account"], told["path"]) == ("login", "failed", "chen", None)
    assert parsed.skips["login_step"][0] == 1


def test_two_names_from_one_address_leave_a_failed_login_without_one():
    told = events(
        default("USER a", 331, user="-"),
        default("USER b", 331, user="-"),
        default("PASS (hidden)", 530, user="-"),
        default("PASS (hidden)", 530, user="-"),
    )
    assert [event["account"] for event in told] == [None, None]
    with_pid = [f'his [{pid}] 192.0.2.4 {STAMP} "{text}" {code}' for pid, text, code in (
        (1, "USER a", 331), (2, "USER b", 331), (1, "PASS (hidden)", 530), (2, "PASS (hidden)", 230))]  # fmt: skip
    told = events(*with_pid, form=AUTH)
    assert [(event["account"], event["outcome"]) for event in told] == [("a", "failed"), ("b", "ok")]


def test_steps_of_a_session_are_skipped_but_a_port_elsewhere_is_not():
    parsed = parse(
        default("CWD x", 250), default("PASV", 227), default("SITE HELP", 214), default("PORT 8,8,8,8,0,22", 500)
    )
    assert parsed.skips["session_step"][0] == 3
    assert parsed.events.select("action", "outcome", "detail").rows() == [("notice", "failed", "PORT 8,8,8,8,0,22")]


@pytest.mark.parametrize(
    ("request_text", "action", "path"),
    [
        ("SITE CHMOD 777 forms", "chmod", "777 forms"),
        ("NLST", "list", None),
        ("MKD a b", "mkdir", "a b"),
        ("XRMD a", "rmdir", "a"),
        ("SITE CPTO /b", "link", "/b"),
        ("QUIT", "logout", None),
        ("FOO bar", "notice", "bar"),
    ],
)
def test_commands(request_text, action, path):
    (told,) = events(default(request_text, 250))
    assert (told["action"], told["path"]) == (action, path)


FORGED = [
    'a" 226 999999999',
    'x" code=226 bytes=9 dur=1.0 xfer=success fail="-" size=9 end=',
    f'x" 226 9 root {STAMP} "RETR y',
    'a" file="/etc/x" code=226 bytes=1 dur=0.1 xfer=success fail="-" size=1 end=" file="/b',
]


@pytest.mark.parametrize("name", FORGED)
def test_a_name_that_imitates_the_line_is_a_name(name):
    (told,) = events(default(f"STOR {name}", 226, "17"))
    assert (told["path"], told["bytes"], told["account"], told["action"]) == (name, 17, "wang", "upload")
    (told,) = events(key_value("STOR", name, "226", "17", "success", file=f"/home/{name}"), form=KEY_VALUE)
    assert (told["bytes"], told["account"], told["action"], told["outcome"]) == (17, "wang", "upload", "ok")
    assert told["path"] == f"/home/{name}" or told["forgeable"]


def test_a_failure_that_repeats_a_forged_name_is_marked():
    name = 'x" code=226 bytes=999 dur=1.0 xfer=success fail="-" size=9 end='
    (told,) = events(key_value("RETR", name, "550", "-", "failed", f"{name}: No such file"), form=KEY_VALUE)
    assert told["forgeable"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("%h %r", "no time"),
        ("%t %h %s", "no command"),
        ("%{%Q}t %r", "%Q"),
        ("%t\n%r", "one line"),
    ],
)
def test_a_log_format_that_cannot_be_read_is_refused(form, problem):
    with pytest.raises(ValidationError, match=problem):
        parsers()["proftpd_extended"].configured({"log_format": form})


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (r"%t %a %u \"%r\" %s %b %%", f'{STAMP} 192.0.2.4 wang "STOR a b" 226 5 %'),
        ("%{%Y-%m-%d %H:%M:%S}t|%a|%u|%m|%J|%s|%b", "2026-12-03 08:05:16|192.0.2.4|wang|STOR|a b|226|5"),
        ("%{epoch} %{uuid} %v %a %u %r %s %b", "1796256316 uuid any thing 192.0.2.4 wang STOR a b 226 5"),
        ("%t %a %u %{protocol} %m %J (%s) %b", f"{STAMP} ::ffff:192.0.2.4 wang ftp STOR a b (226) 5"),
    ],
)
def test_other_log_formats(form, line):
    (told,) = events(line, form=form)
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, tzinfo=UTC)
    assert (told["account"], told["client_ip"], told["path"], told["bytes"]) == ("wang", "192.0.2.4", "a b", 5)


def test_without_a_size_the_bytes_are_unknown():
    (told,) = events(f"{STAMP} 192.0.2.4 wang 226 STOR a", form="%t %a %u %s %r")
    assert (told["bytes"], told["bytes_kind"]) == (None, "unknown")


def test_the_form_of_a_file_is_guessed():
    guess = parsers()["proftpd_extended"].guess
    assert guess is not None
    assert list(guess(default("STOR a", 226, "1").encode())) == [{}]
    assert list(guess(key_value("STOR", "a", "226").encode())) == [{"log_format": KEY_VALUE}]
    assert list(guess(b"something else\n")) == []


def test_other_lines_are_refused_with_a_reason():
    parsed = parse("something else", "", default("STOR a", 226).replace("/Dec/", "/Foo/"))
    assert parsed.rejects["reason"].to_list() == ["unknown_form", "bad_timestamp"]
    assert parsed.skips == {"blank": (1, 1)}


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=1).filter(lambda t: t == t.strip())


@settings(deadline=None, max_examples=60)
@given(name=NAMES, size=st.integers(0, 2**62), command=st.sampled_from(["STOR", "RETR", "APPE"]))
def test_what_is_written_is_read(name, size, command):
    (told,) = events(default(f"{command} {name}", 226, str(size)))
    assert (told["path"], told["bytes"], told["command"]) == (name, size, command)
    (full,) = events(key_value(command, name, "226", str(size), "success", file=f"/h/{name}"), form=KEY_VALUE)
    assert full["bytes"] == size
    assert full["path"] == f"/h/{name}" or full["forgeable"]


@settings(deadline=None, max_examples=40)
@given(st.text(st.sampled_from('%{}abhrstuJmPf "-[]'), max_size=30).map(lambda text: f"%t {text} %r"))
def test_any_log_format_is_compiled_or_refused(form):
    try:
        pattern = compiled(form).pattern
    except ValueError:
        return
    pl.Series(["x"]).str.contains(pattern)


def system(text: str, name: str = "2026-12-03 08:05:16,154 ftp01 proftpd[9011] 127.0.0.1"):
    parsed = parse(f"{name} (pc7[192.0.2.4]): {text}", name="proftpd_system")
    assert parsed.rejects.is_empty()
    return parsed


@pytest.mark.parametrize(
    ("text", "account", "outcome"),
    [
        ("USER chen (Login failed): Incorrect password", "chen", "failed"),
        ("USER admin: no such user found from pc7 [192.0.2.4] to ::ffff:192.0.2.1:21", "admin", "failed"),
        ("SECURITY VIOLATION: Root login attempted", "root", "failed"),
        ("USER chen: Login successful.", "chen", "ok"),
        ("USER a: Login successful: no such user found from pc7 [192.0.2.4] to 1:21", "a: Login successful", "failed"),
    ],
)
def test_logins_of_the_system_log(text, account, outcome):
    told = system(text).events.row(0, named=True)
    assert (told["action"], told["account"], told["outcome"]) == ("login", account, outcome)
    assert (told["client_ip"], told["session"]) == ("192.0.2.4", "proftpd:9011")
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, 154000, tzinfo=UTC)


def test_a_login_has_one_key_in_the_system_log_and_in_the_extended_log():
    told = system("USER chen (Login failed): Incorrect password").events["activity_key"].to_list()
    lines = [default("USER chen", 331, user="-"), default("PASS (hidden)", 530, user="-")]
    assert parse(*lines).events["activity_key"].to_list() == told


def test_an_aborted_transfer_is_part_of_what_the_transfer_logs_tell():
    told = system("notice: user chen: aborting transfer: Data connection closed").events.row(0, named=True)
    assert (told["record_role"], told["account"], told["outcome"]) == ("part", "chen", "failed")


@pytest.mark.parametrize(
    "head",
    ["Dec  3 08:05:16 ftp01 proftpd[9011]: 127.0.0.1", "2026-12-03T08:05:16+08:00 ftp01 proftpd[9011]: 127.0.0.1"],
)
def test_the_system_log_through_syslog(head):
    told = system("USER chen (Login failed): Incorrect password", head).events.row(0, named=True)
    assert (told["account"], told["session"]) == ("chen", "proftpd:9011")
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 16, tzinfo=UTC)
    assert system("FTP session opened.", head).skips["session"][0] == 1
