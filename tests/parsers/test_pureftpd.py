from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote_from_bytes
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers.events import EVENTS, Origin, check
from parsers.registry import parsers

ZONE = ZoneInfo("Asia/Shanghai")
ORIGIN = Origin("h", "ftp01", "s", "pureftpd.log", "pureftpd", "0" * 16, 1000, datetime(2027, 1, 1, tzinfo=UTC))
WHEN = datetime(2026, 12, 3, 0, 5, 16, tzinfo=UTC)
HEADER = "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs-username sc-bytes"
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=1)


def parse(name: str, raw: bytes, carry=None, **options):
    parsed = parsers()[name].configured(options).parse(raw, ORIGIN, ZONE, carry or {})
    check(parsed.events, EVENTS)
    return parsed


def event(name: str, line: str, **options):
    parsed = parse(name, line.encode() + b"\n", **options)
    assert parsed.rejects.is_empty()
    return parsed.events.row(0, named=True)


def clf(path: str, method: str = "PUT", size: object = 400) -> str:
    return f'192.0.2.4 - chen [03/Dec/2026:08:05:16 +0800] "{method} {path}" 200 {size}'


def stats(path: str, way: str = "U", size: object = 400) -> str:
    return f"1796256316 6b10b250.32fc chen 192.0.2.4 {way} {size} 3 {path}"


def w3c(path: str, method: str = "created", size: object = 400) -> str:
    return f"2026-12-03 00:05:16 192.0.2.4 []{method} {path} 226 chen {size}"


def syslog(text: str, user: str = "chen", level: str = "NOTICE") -> str:
    return f"Dec  3 08:05:16 ftp01 pure-ftpd: ({user}@192.0.2.4) [{level}] {text}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("pureftpd_clf", clf("/home/chen/a%20b.dmp")),
        ("pureftpd_stats", stats("/home/chen/a b.dmp")),
        ("pureftpd_w3c", w3c("/home/chen/a%20b.dmp")),
        ("pureftpd_syslog", syslog("/home/chen/a b.dmp uploaded  (400 bytes, 0.13KB/sec)")),
        ("xferlog", "Thu Dec 03 08:05:16 2026 3 192.0.2.4 400 /home/chen/a_b.dmp b _ i r chen ftp 1 * c"),
    ],
)
def test_all_forms_tell_the_same_upload_under_one_key(name, line):
    told = event(name, line)
    assert told["occurred_at"] == WHEN
    assert (told["action"], told["direction"], told["outcome"], told["command"]) == ("upload", "in", "ok", "STOR")
    assert (told["bytes"], told["bytes_kind"], told["account"]) == (400, "known", "chen")
    assert told["client_ip"] == "192.0.2.4"
    assert told["activity_key"] == event("pureftpd_stats", stats("/home/chen/a b.dmp"))["activity_key"]


def test_only_the_form_for_statistics_names_the_session():
    told = event("pureftpd_stats", stats("/a", "D"))
    assert (told["session"], told["duration_seconds"], told["action"]) == ("6b10b250.32fc", 3.0, "download")


def test_percent_codes_are_bytes_of_either_encoding():
    for raw in ("病案/照片 备份.jpg".encode(), "病案/照片 备份.jpg".encode("gb18030")):
        assert event("pureftpd_clf", clf("/in/" + quote_from_bytes(raw)))["path"] == "/in/病案/照片 备份.jpg"
    mixed = quote_from_bytes("病案".encode()) + "/" + quote_from_bytes("患者".encode("gb18030"))
    assert event("pureftpd_w3c", w3c("/in/" + mixed))["path"] == "/in/病案/患者"
    assert event("pureftpd_clf", clf("/a%2520b%00%FF"))["path"] == "/a%20b\\x00\\xff"


def test_the_path_of_statistics_is_the_rest_of_the_line():
    path = "/in/x U 9 9 /etc/passwd 1796256316 6b10b250.32fc root 192.0.2.9 D 999 1 /y"
    told = event("pureftpd_stats", stats(path, "D", 7))
    assert (told["path"], told["account"], told["bytes"]) == (path, "chen", 7)


def test_the_header_of_a_w3c_file_gives_the_order_and_is_carried():
    header = "#Fields: date time cs-username c-ip cs-method cs-uri-stem sc-status sc-bytes\n"
    line = "2026-12-03 00:05:16 chen 192.0.2.4 []sent /a 226 5\n"
    parsed = parse("pureftpd_w3c", (header + line).encode())
    assert parsed.events.select("account", "client_ip", "action", "bytes").rows() == [
        ("chen", "192.0.2.4", "download", 5)
    ]
    assert parsed.skips == {"header": (1, len(header))}
    alone = parse("pureftpd_w3c", line.encode(), parsed.carry)
    assert alone.events["account"].to_list() == ["chen"]
    assert parse("pureftpd_w3c", line.encode()).rejects["reason"].to_list() == ["unknown_form"]
    assert event("pureftpd_w3c", line.rstrip("\n"), fields=header[9:].strip())["account"] == "chen"


def test_a_header_without_what_is_needed_makes_no_events():
    raw = f"#Fields: date time c-ip\n{w3c('/a')}\n{HEADER}\n{w3c('/b')}\n".encode()
    parsed = parse("pureftpd_w3c", raw)
    assert parsed.events["path"].to_list() == ["/b"]
    assert parsed.rejects["reason"].to_list() == ["unknown_form"]


def test_fields_without_what_is_needed_are_refused():
    with pytest.raises(ValidationError, match="cs-uri-stem"):
        parsers()["pureftpd_w3c"].configured({"fields": "date time c-ip cs-method sc-bytes"})
    guess = parsers()["pureftpd_w3c"].guess
    assert guess is not None
    assert list(guess(w3c("/a").encode())) == [{}]
    assert list(guess(clf("/a").encode())) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/h/x downloaded  (5 bytes, 1.00KB/sec)", ("download", "ok", "/h/x", None, 5)),
        ("/h/x partially uploaded  (5 bytes, 1.00KB/sec)", ("upload", "failed", "/h/x", None, 5)),
        ("Deleted /h//a b", ("delete", "ok", "/h//a b", None, None)),
        ("File successfully renamed or moved: [a b]->[c]", ("rename", "ok", "a b", "c", None)),
        ("Can't open ../x: y: No such file or directory", ("download", "failed", "../x: y", None, 0)),
        ("Can't open that file: Permission denied", ("upload", "failed", None, None, 0)),
        ("Can't create directory: File exists", ("mkdir", "failed", None, None, None)),
        ("Can't remove directory: Directory not empty", ("rmdir", "failed", None, None, None)),
        ("Logout.", ("logout", "ok", None, None, None)),
        ("Something nobody knows", ("notice", "unknown", None, None, None)),
    ],
)
def test_messages(text, told):
    read = event("pureftpd_syslog", syslog(text))
    assert tuple(read[name] for name in ("action", "outcome", "path", "path2", "bytes")) == told
    assert (read["account"], read["client_ip"], read["occurred_at"]) == ("chen", "192.0.2.4", WHEN)


@pytest.mark.parametrize(
    ("text", "account", "outcome"),
    [
        ("chen is now logged in", "chen", "ok"),
        ("Anonymous user logged in", "anonymous", "ok"),
        ("Authentication failed for user [a] b]", "a] b", "failed"),
        ("Can't login as [bin]: account disabled", "bin", "failed"),
    ],
)
def test_logins(text, account, outcome):
    told = event("pureftpd_syslog", syslog(text, "?", "INFO"))
    assert (told["action"], told["account"], told["outcome"]) == ("login", account, outcome)


def test_names_that_imitate_messages_are_names():
    name = "/h/d uploaded  (999999999 bytes, 1.00KB/sec)"
    told = event("pureftpd_syslog", syslog(f"{name} downloaded  (5 bytes, 1.00KB/sec)"))
    assert (told["path"], told["bytes"], told["action"]) == (name, 5, "download")
    assert event("pureftpd_syslog", syslog("File successfully renamed or moved: [a]->[b]->[c]"))["forgeable"]


def test_a_process_number_is_a_session():
    line = syslog("Logout.").replace("pure-ftpd:", "pure-ftpd[77]:")
    assert event("pureftpd_syslog", line)["session"] == "ftp01:77"


def test_pam_tells_a_failure_again_and_steps_are_skipped():
    lines = [
        (
            "Dec  3 08:05:16 ftp01 pure-ftpd: pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 "
            "tty=pure-ftpd ruser=chen rhost=192.0.2.4  user=chen"
        ),
        syslog("Restarting at 500"),
        syslog("Command [cwd] [x]", level="DEBUG"),
        "Dec  3 08:05:16 ftp01 sshd[1]: Accepted",
        "Dec  3 08:05:16 ftp01 pure-ftpd: no client in brackets",
    ]
    parsed = parse("pureftpd_syslog", "".join(line + "\n" for line in lines).encode())
    assert parsed.events.select("record_role", "account", "outcome").rows() == [("duplicate", "chen", "failed")]
    assert {reason: count for reason, (count, _) in parsed.skips.items()} == {
        "session_step": 1,
        "protocol": 1,
        "other_program": 1,
    }
    assert parsed.rejects["reason"].to_list() == ["unknown_form"]


@pytest.mark.parametrize("name", ["pureftpd_clf", "pureftpd_stats", "pureftpd_w3c"])
def test_other_lines_are_refused_with_a_reason(name):
    write = {"pureftpd_clf": clf, "pureftpd_stats": stats, "pureftpd_w3c": w3c}[name]
    lines = ["something else", "", write("/a", size="9" * 20)]
    parsed = parse(name, "".join(line + "\n" for line in lines).encode())
    assert parsed.rejects["reason"].to_list() == ["unknown_form", "unknown_form"]
    assert parsed.skips == {"blank": (1, 1)}
    assert parse("pureftpd_w3c", w3c("/a").replace("-12-", "-13-").encode()).rejects["reason"].to_list() == [
        "bad_timestamp"
    ]


@settings(deadline=None, max_examples=60)
@given(name=NAMES, size=st.integers(0, 10**18), up=st.booleans())
def test_what_is_written_is_read(name, size, up):
    path, coded = f"/h/{name}", quote_from_bytes(f"/h/{name}".encode(), safe="/._-")
    told = [
        event("pureftpd_clf", clf(coded, "PUT" if up else "GET", size)),
        event("pureftpd_w3c", w3c(coded, "created" if up else "sent", size)),
        event("pureftpd_stats", stats(path, "U" if up else "D", size)),
        event("pureftpd_syslog", syslog(f"{path} {'up' if up else 'down'}loaded  ({size} bytes, 1.00KB/sec)")),
    ]
    assert [(e["path"], e["bytes"]) for e in told[:3]] == [(path, size)] * 3
    assert told[3]["bytes"] == size
    assert told[3]["path"] == path or told[3]["forgeable"]
    assert len({e["activity_key"] for e in told if not e["forgeable"]}) == 1
