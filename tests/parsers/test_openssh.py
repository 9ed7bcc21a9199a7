from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import openssh, sftp_server
from parsers.events import EVENTS, Origin, check

ZONE = ZoneInfo("Asia/Shanghai")
WHEN = datetime(2027, 1, 1, 4, tzinfo=UTC)
ORIGIN = Origin("h", "ftp01", "s", "auth.log", "openssh_sftp", "0" * 16, 0, WHEN)
OPENED = "session opened for local user wang from [192.0.2.31]"
CLOSED = "session closed for local user wang from [192.0.2.31]"
VERBOSE = "received client version 3"


def record(message: str, program: str = "internal-sftp[77]", stamp: str = "Dec  3 08:05:12") -> str:
    return f"{stamp} ftp01 {program}: {message}\n"


def parse(text: str, carry=None, position: int = 0):
    return openssh.parse(text.encode(), replace(ORIGIN, position=position), ZONE, carry or {})


def events(*messages: str, program: str = "internal-sftp[77]"):
    parsed = parse("".join(record(message, program) for message in messages))
    check(parsed.events, EVENTS)
    assert parsed.rejects.is_empty(), parsed.rejects
    return parsed.events.rows(named=True)


def last(*messages: str, program: str = "internal-sftp[77]"):
    return events(*messages, program=program)[-1]


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_close_tells_the_transfer():
    told = last(
        OPENED,
        'open "/in/a.dmp" flags WRITE,CREATE,TRUNCATE mode 0644',
        'close "/in/a.dmp" bytes read 0 written 700000',
    )
    assert (told["action"], told["outcome"], told["direction"], told["bytes"]) == ("upload", "ok", "in", 700000)
    assert (told["account"], told["client_ip"], told["session"]) == ("wang", "192.0.2.31", "ftp01:77")
    assert (told["record_role"], told["bytes_kind"], told["path"]) == ("main", "known", "/in/a.dmp")
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 12, tzinfo=UTC)


def test_open_and_close_are_one_activity():
    opened, closed = events(OPENED, 'open "/a" flags READ mode 0666', 'close "/a" bytes read 9 written 0')[1:]
    assert opened["record_role"] == "part"
    assert opened["activity_key"] == closed["activity_key"] is not None
    assert (closed["action"], closed["direction"], closed["bytes"]) == ("download", "out", 9)


@pytest.mark.parametrize(
    ("flags", "action"), [("READ", "download"), ("WRITE,CREATE,TRUNCATE", "upload"), ("READ,WRITE", "upload")]
)
def test_an_empty_transfer_is_what_the_file_was_opened_for(flags, action):
    told = last(OPENED, f'open "/a" flags {flags} mode 0644', 'close "/a" bytes read 0 written 0')
    assert (told["action"], told["bytes"]) == (action, 0)


def test_one_byte_written_does_not_hide_a_download():
    told = last(OPENED, 'open "/a" flags READ,WRITE mode 0644', 'close "/a" bytes read 1000000 written 1')
    assert (told["action"], told["bytes"]) == ("download", 1000000)


def test_a_forced_close_is_an_abort():
    told = last(OPENED, 'open "/a" flags WRITE mode 0644', 'forced close "/a" bytes read 0 written 3394560')
    assert (told["outcome"], told["error_code"], told["bytes"], told["bytes_kind"]) == (
        "failed",
        "aborted",
        3394560,
        "known",
    )
    told = last(OPENED, 'open "/a" flags READ mode 0644', 'forced close "/a" bytes read 7 written 0')
    assert told["bytes_kind"] == "estimated"


@pytest.mark.parametrize(
    "name",
    ['y" bytes read 0 written 999999999', 'x" flags READ mode 0666', 'quo"te.csv', "two words", '" new "/b', " x "],
)
def test_names_that_imitate_the_rest_of_the_message_are_names(name):
    opened, closed = events(
        OPENED, f'open "{name}" flags WRITE,CREATE mode 0644', f'close "{name}" bytes read 0 written 20'
    )[1:]
    assert (opened["path"], closed["path"], closed["bytes"]) == (name, name, 20)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('remove name "/etc/hosts"', ("delete", "/etc/hosts", None, "main")),
        ('mkdir name "/root/x" mode 0777', ("mkdir", "/root/x", None, "main")),
        ('rmdir name "/upload/scan"', ("rmdir", "/upload/scan", None, "main")),
        ('posix-rename old "/a b" new "/c.jpg"', ("rename", "/a b", "/c.jpg", "main")),
        ('rename old "/a" new "/b"', ("rename", "/a", "/b", "main")),
        ('symlink old "a" new "/b"', ("link", "a", "/b", "main")),
        ('hardlink old "/a" new "/b"', ("link", "/a", "/b", "main")),
        ('set "/a" mode 0600', ("chmod", "/a", None, "main")),
        ('set "/a" size 5000000', ("notice", "/a", None, "part")),
        ('opendir "/root/"', ("list", "/root/", None, "main")),
    ],
)
def test_every_act_is_logged_before_its_outcome(message, expected):
    told = last(OPENED, message)
    assert (told["action"], told["path"], told["path2"], told["record_role"]) == expected
    assert (told["outcome"], told["bytes"], told["direction"]) == ("unknown", None, None)


@pytest.mark.parametrize(
    "message", ['remove name "/etc/hosts"', 'open "/etc/shadow" flags READ mode 0666', 'opendir "/root"']
)
def test_a_refusal_is_an_event_of_its_own(message):
    act, refusal = events(OPENED, message, "sent status Permission denied")[1:]
    assert act["outcome"] == "unknown"
    assert (refusal["outcome"], refusal["record_role"]) == ("failed", "outcome")
    assert refusal["error_code"] == "Permission denied"
    for name in ("activity_key", "action", "path", "account", "client_ip", "command"):
        assert refusal[name] == act[name]


def test_another_session_in_between_changes_nothing():
    text = record(OPENED) + record('remove name "/a"') + record('remove name "/b"', "internal-sftp[78]")
    told = parse(text + record("sent status Failure")).events.row(-1, named=True)
    assert (told["path"], told["outcome"], told["session"]) == ("/a", "failed", "ftp01:77")


def test_a_file_that_is_missing_is_told_where_lookups_are_logged():
    assert last(OPENED, VERBOSE, 'remove name "/a"', "sent status No such file")["outcome"] == "failed"


def test_at_info_a_missing_file_may_answer_a_lookup_that_is_not_logged():
    told = last(OPENED, 'remove name "/a"', "sent status No such file")
    assert (told["outcome"], told["error_code"]) == ("unknown", "No such file")


def test_answers_to_lookups_mean_nothing():
    parsed = parse(
        "".join(
            map(
                record,
                (
                    OPENED,
                    VERBOSE,
                    'stat name "/a"',
                    "sent status No such file",
                    'lstat name "/etc/shadow"',
                    "sent status Permission denied",
                ),
            )
        )
    )
    assert {reason: count for reason, (count, _) in parsed.skips.items()} == {"lookup": 3, "lookup_status": 2}


def test_a_refusal_of_something_that_is_not_logged_is_a_notice():
    told = last(OPENED, "sent status Permission denied")
    assert (told["action"], told["outcome"], told["account"], told["path"]) == ("notice", "failed", "wang", None)


def test_a_cut_line_is_refused():
    parsed = parse(record('close "/a" bytes read 0 wri'))
    assert parsed.rejects["reason"].to_list() == ["unknown_form"]


def test_the_sessions_of_one_process_number_are_kept_apart():
    told = last(OPENED, CLOSED, 'close "/a" bytes read 1 written 0')
    assert (told["account"], told["bytes"]) == (None, 1)
    other = OPENED.replace("wang", "li")
    assert last(OPENED, other, 'close "/a" bytes read 1 written 0')["account"] == "li"


def test_a_repeated_message_counts_its_bytes_each_time():
    told = last(OPENED, 'message repeated 3 times: [ close "/a" bytes read 5 written 0]')
    assert (told["action"], told["bytes"]) == ("download", 15)


def test_a_repeated_failure_says_how_often():
    told = last("message repeated 3 times: [ Failed password for app from 192.0.2.8 port 5 ssh2]", program="sshd[12]")
    assert (told["action"], told["account"], told["detail"]) == ("login", "app", "repeated 3 times")


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"\346\202\243.csv", "患.csv"),
        (r"\262\241\260\270.zip", "病案.zip"),
        (r"back\\slash", "back\\slash"),
        (r"\\346\\202", r"\346\202"),
        (r"tab\there\n\033", "tab\there\n\x1b"),
        ("plain", "plain"),
    ],
)
def test_names_are_unescaped_once(escaped, plain):
    assert last(OPENED, f'remove name "/{escaped}"')["path"] == f"/{plain}"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=5))
def test_escaping_and_back(names):
    def escape(name: str) -> str:
        return "".join(
            "\\\\" if byte == 0x5C else chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}" for byte in name.encode()
        )

    assert sftp_server.unescape(pl.Series([escape(name) for name in names])).to_list() == names


# --- sshd, sudo, su ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Accepted publickey for app from 192.0.2.8 port 5 ssh2: ED25519 SHA256:x", ("login", "ok", "main", "app")),
        ("Accepted keyboard-interactive/pam for app from 192.0.2.8 port 5 ssh2", ("login", "ok", "main", "app")),
        ("Failed password for app from 192.0.2.8 port 5 ssh2", ("login", "failed", "main", "app")),
        ("Failed password for invalid user x y from 192.0.2.8 port 5 ssh2", ("login", "failed", "main", "x y")),
        ("Failed none for invalid user x from 192.0.2.8 port 5 ssh2", ("login", "failed", "part", "x")),
        ("error: PAM: Authentication failure for app from 192.0.2.8", ("login", "failed", "main", "app")),
        ("Failed keyboard-interactive/pam for app from 192.0.2.8 port 5 ssh2", ("login", "failed", "duplicate", "app")),
        ("error: PAM: Authentication failure for illegal user x from 192.0.2.8", ("login", "failed", "duplicate", "x")),
        (
            "Failed keyboard-interactive/pam for invalid user x from 192.0.2.8 port 5 ssh2",
            ("login", "failed", "main", "x"),
        ),
        ("Invalid user x from 192.0.2.8 port 5", ("login", "failed", "duplicate", "x")),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.8  user=app",
            ("login", "failed", "duplicate", "app"),
        ),
        ('Connection from 192.0.2.8 port 5 on 192.0.2.1 port 22 rdomain ""', ("connect", "ok", "main", None)),
        ("Connection closed by invalid user x 192.0.2.8 port 5 [preauth]", ("connect", "failed", "part", "x")),
        ("Connection reset by 192.0.2.8 port 5 [preauth]", ("connect", "failed", "part", None)),
        ("Disconnected from user app 192.0.2.8 port 5", ("logout", "ok", "main", "app")),
        ("Starting session: subsystem 'sftp' for app from 192.0.2.8 port 5 id 0", ("command", "ok", "part", "app")),
        ("Starting session: command for app from 192.0.2.8 port 5 id 0", ("command", "ok", "main", "app")),
        ("Starting session: shell on pts/0 for app from 192.0.2.8 port 5 id 0", ("command", "ok", "main", "app")),
        (
            "Starting session: forced-command (config) 'internal-sftp -l INFO' for app from 192.0.2.8 port 5 id 0",
            ("command", "ok", "part", "app"),
        ),
        (
            "error: maximum authentication attempts exceeded for root from 192.0.2.8 port 5 ssh2 [preauth]",
            ("notice", "failed", "main", "root"),
        ),
        (
            "Unable to negotiate with 192.0.2.8 port 5: no matching host key type found",
            ("notice", "unknown", "main", None),
        ),
    ],
)
def test_messages_of_sshd(message, expected):
    told = last(message, program="sshd[12]")
    assert (told["action"], told["outcome"], told["record_role"], told["account"]) == expected
    assert told["client_ip"] == "192.0.2.8"
    assert told["session"] == "ftp01:12"
    assert last(message, program="sshd-session[12]")["action"] == told["action"]


def test_a_remote_command_moves_an_unknown_volume():
    told = last("Starting session: command for app from 192.0.2.8 port 5 id 0", program="sshd[12]")
    assert (told["command"], told["bytes"], told["bytes_kind"]) == ("EXEC", None, "unknown")


def test_a_user_name_that_imitates_an_address_is_a_name():
    name = "root from 10.0.0.1 port 22 ssh2"
    told = last(f"Failed password for invalid user {name} from 203.0.113.9 port 99 ssh2", program="sshd[12]")
    assert (told["account"], told["client_ip"]) == (name, "203.0.113.9")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "wang : TTY=pts/0 ; PWD=/home/wang ; USER=root ; COMMAND=/usr/bin/cp a b",
            ("command", "ok", "/usr/bin/cp a b"),
        ),
        ("  root : PWD=/root ; USER=root ; ENV=A=1 ; COMMAND=/usr/bin/ls", ("command", "ok", "/usr/bin/ls")),
        (
            "wang : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            ("command", "failed", "/bin/sh"),
        ),
        (
            "wang : 3 incorrect password attempts ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            ("command", "failed", "/bin/sh"),
        ),
    ],
)
def test_commands_of_sudo(message, expected):
    told = last(message, program="sudo")
    assert (told["action"], told["outcome"], told["detail"]) == expected
    assert told["account"] in {"wang", "root"}
    assert not told["forgeable"]


def test_a_folder_that_imitates_a_command_is_marked():
    told = last("wang : PWD=/tmp/x ; USER=root ; COMMAND=/bin/true ; USER=root ; COMMAND=/bin/sh", program="sudo")
    assert told["forgeable"]
    assert "/bin/sh" in told["detail"]


def test_su_is_a_notice_with_both_names():
    ok = last("(to his_app) wang on pts/0", program="su[9]")
    assert (ok["action"], ok["outcome"], ok["account"], ok["detail"]) == ("notice", "ok", "wang", "(to his_app)")
    assert last("FAILED SU (to his_app) wang on none", program="su[9]")["outcome"] == "failed"


@pytest.mark.parametrize(
    "options",
    [
        "",
        "TTY=pts/0 ; ",
        "HOST=db01 ; TTY=pts/0 ; ",
        "HOST=db01 ; ",
        "CHROOT=/a ; b ; ",
    ],
)
@pytest.mark.parametrize("reason", ["", "a password is required ; ", "user NOT authorized on host ; "])
def test_fields_that_sudo_leaves_out(options, reason):
    line = f"wang : {reason}{options}PWD=/a ; b ; USER=root ; GROUP=adm ; ENV=A=1 B=2 ; COMMAND=/bin/x y=z"
    told = last(line, program="sudo")
    assert (told["action"], told["account"], told["detail"]) == ("command", "wang", "/bin/x y=z")
    assert (told["outcome"], told["error_code"]) == (("failed", reason[:-3]) if reason else ("ok", None))
    assert not told["forgeable"]


@pytest.mark.parametrize(
    ("program", "message", "account", "name"),
    [
        ("useradd", "new user: name=x, UID=0, GID=0, home=/, shell=/bin/sh, from=none", None, "x"),
        ("usermod", "add 'x' to shadow group 'sudo'", None, "x"),
        ("userdel", "delete user 'x'", None, "x"),
        ("passwd", "password for 'x' changed by 'root'", "root", "x"),
        ("passwd", "pam_unix(passwd:chauthtok): password changed for x", None, "x"),
        ("gpasswd", "user x removed by wang from group docker", "wang", "x"),
        ("gpasswd", "members of group docker set by root to x,y", "root", "docker"),
    ],
)
def test_changes_of_accounts_are_notices(program, message, account, name):
    told = last(message, program=f"{program}[3]")
    assert (told["action"], told["outcome"], told["command"]) == ("notice", "ok", program.upper())
    assert (told["account"], told["object_type"], told["object_name"]) == (account, "ACCOUNT", name)
    assert told["detail"] == message


def test_the_name_tried_at_a_console_may_imitate_the_message():
    told = last("FAILED LOGIN (1) ON '/dev/tty1' FOR 'a' FOR 'root', Authentication failure", program="login[3]")
    assert (told["action"], told["outcome"], told["account"]) == ("login", "failed", "a' FOR 'root")


def test_three_envelopes_tell_the_same():
    lines = (Path(__file__).parent / "reference" / "openssh_auth_rfc3164.log").read_text().splitlines()
    told = [openssh.parse("".join(f"{line}\n" for line in lines).encode(), ORIGIN, ZONE, {}).events]
    forms = ("{at}+08:00 {host} {tag}{pid}: {message}", "<86>1 {at}+08:00 {host} {tag} {bare} - -  {message}")
    for form in forms:
        again = []
        for line, at in zip(lines, _stamps(lines), strict=True):
            host, tag, pid, message = re.fullmatch(r".{15} (\S+) ([^\[:]+)(\[\d+\])?: ?(.*)", line).groups()
            bare = pid[1:-1] if pid else "-"
            again.append(form.format(at=at, host=host, tag=tag, pid=pid or "", bare=bare, message=message))
        told.append(openssh.parse("".join(f"{line}\n" for line in again).encode(), ORIGIN, ZONE, {}).events)
    placed = ["event_id", "position", "length", "activity_key"]  # these depend on the length of the envelope
    assert told[0].height > 200
    for other in told[1:]:
        assert told[0].drop(placed).equals(other.drop(placed))


def _stamps(lines):
    """ISO stamps of RFC 3164 lines whose year ends once."""
    year, before = 2026, 0
    for line in lines:
        at = datetime.strptime(f"2000 {line[:15]}", "%Y %b %d %H:%M:%S")
        year, before = year + (before - at.month > 6), at.month
        yield at.replace(year=year).isoformat()


def test_other_lines_are_skipped_or_refused():
    text = (
        record("x", "vsftpd[3]")
        + "\n"
        + record("User child is on pid 8797", "sshd[1]")
        + record("pam_unix(sshd:session): session opened for user wang(uid=1) by (uid=0)", "sshd[1]")
        + 'Thu Dec  3 08:05:16 2026 [pid 2] CONNECT: Client "192.0.2.8"\n'
        + record("x", stamp="Dec 33 08:05:12")
    )
    parsed = parse(text)
    assert {reason: count for reason, (count, _) in parsed.skips.items()} == {
        "other_program": 1,
        "blank": 1,
        "process": 1,
        "pam_session": 1,
    }
    assert parsed.rejects["reason"].to_list() == ["no_envelope", "bad_timestamp"]


def test_a_line_longer_than_any_name_is_refused():
    parsed = parse(record(f'remove name "/{"a" * 70_000}"'))
    assert parsed.rejects["reason"].to_list() == ["too_long"]
    assert len(parsed.rejects["text"][0]) == 4096


# --- streams -------------------------------------------------------------------------------------------------------

_PATHS = st.sampled_from(["/a", "/b", '/c" new "/d', r"/\346\202\243"])
_MESSAGES = st.one_of(
    st.sampled_from([OPENED, OPENED.replace("wang", "li"), CLOSED, VERBOSE]),
    st.sampled_from(["sent status No such file", "sent status Permission denied", "sent status Failure"]),
    st.builds('open "{}" flags {} mode 0644'.format, _PATHS, st.sampled_from(["READ", "WRITE,CREATE", "READ,WRITE"])),
    st.builds('close "{}" bytes read {} written {}'.format, _PATHS, st.integers(0, 1), st.integers(0, 1)),
    st.builds('{} name "{}"'.format, st.sampled_from(["remove", "stat", "rmdir"]), _PATHS),
    st.builds('posix-rename old "{}" new "{}"'.format, _PATHS, _PATHS),
)
_RECORDS = st.lists(
    st.tuples(_MESSAGES, st.sampled_from(["internal-sftp[1]", "internal-sftp[2]", "sftp-server"]), st.integers(0, 300)),
    max_size=25,
)


@settings(deadline=None, max_examples=40)
@given(_RECORDS, st.sets(st.integers(0, 25)))
def test_events_do_not_depend_on_how_the_stream_is_cut(records, cuts):
    when = datetime(2026, 11, 18, 1, tzinfo=UTC)
    lines = []
    for message, program, hours in records:
        when += timedelta(hours=hours)
        lines.append(f"{when.isoformat()} ftp01 {program}: {message}\n")
    whole = parse("".join(lines))
    carry, position, pieces = {}, 0, [whole.events.clear()]
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(lines)], strict=True):
        text = "".join(lines[start:end])
        part = parse(text, carry, position)
        position += len(text.encode())
        carry = json.loads(json.dumps(part.carry))
        pieces.append(part.events)
    assert pl.concat(pieces).equals(whole.events)


def test_the_memory_of_open_sessions_is_bounded(monkeypatch):
    monkeypatch.setattr(sftp_server, "MAX_SESSIONS", 50)
    text = "".join(record(OPENED, f"internal-sftp[{pid}]") for pid in range(80))
    carry = parse(text).carry
    assert len(set(carry["sessions"]["pid"])) == 50
    assert parse(record('close "/a" bytes read 1 written 0', "internal-sftp[79]"), carry).events[
        "account"
    ].to_list() == ["wang"]
    assert parse(record('close "/a" bytes read 1 written 0', "internal-sftp[0]"), carry).events[
        "account"
    ].to_list() == [None]
    many = record(OPENED) + "".join(record(f'open "/{n}" flags READ mode 0666') for n in range(500))
    assert len(parse(many).carry["sessions"]["pid"]) <= sftp_server.MAX_OPEN + 2


def test_a_closed_or_long_idle_session_is_forgotten():
    assert parse(record(OPENED) + record(CLOSED)).carry["sessions"]["pid"] == []
    carry = parse(record(OPENED)).carry
    later = parse(record('remove name "/a"', stamp="Dec 20 08:00:00"), carry)
    assert later.events["account"].to_list() == [None]  # another process by now


def test_a_stamp_of_another_process_ends_no_session():
    carry = parse(record(OPENED) + record('remove name "/a"', "internal-sftp[78]", "Dec 20 08:00:00")).carry
    assert (
        parse(record('remove name "/b"'), carry).events["account"].to_list()
        == parse(record(OPENED)).events["account"].to_list()
    )


def test_three_envelopes_of_one_stream_tell_the_same():
    log = (Path(__file__).parent / "reference" / "openssh_auth_rfc3164.log").read_text()
    forms: dict[str, list[str]] = {"iso": [], "rfc5424": []}
    frame = parse(log)
    for line in log.splitlines():
        stamp, rest = line[:15], line[16:]
        year = 2027 if stamp.startswith("Jan") else 2026
        when = datetime.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S").isoformat() + "+08:00"
        host, tag, message = rest.split(" ", 2)
        name, _, pid = tag.rstrip(":").rstrip("]").partition("[")
        forms["iso"].append(f"{when} {rest}\n")
        forms["rfc5424"].append(f"<86>1 {when} {host} {name} {pid or '-'} - -  {message}\n")
    same = [name for name in EVENTS if name not in {"event_id", "position", "length", "activity_key"}]
    for lines in forms.values():
        assert parse("".join(lines)).events.select(same).equals(frame.events.select(same))
