"""Requests to web and WebDAV servers: fields that imitate others, escapes, the same act in both logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers.events import EVENTS, Origin, check
from parsers.registry import parsers
from parsers.web_names import log_url_text, url_text
from parsers.web_requests import LARGE

WHEN = datetime(2027, 1, 1, 4, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "samples"
AGENT = '"-" "curl"'


def parse(name: str, raw: bytes, **options):
    origin = Origin("h", "web01", "s", "access.log", name, "0" * 16, 0, WHEN)
    parsed = parsers()[name].configured(options).parse(raw, origin, ZoneInfo("Asia/Shanghai"), {})
    check(parsed.events, EVENTS)
    return parsed


def request(text: str, status: int = 200, sent: int = 9, user: str = "wang", more: str = "", **options):
    line = f'10.0.0.5 - {user} [18/Nov/2026:09:02:12 +0800] "{text}" {status} {sent} {AGENT}{more}\n'
    parsed = parse("web_combined", line.encode(), **options)
    assert parsed.rejects.is_empty()
    return parsed.events.row(0, named=True)


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 200, ("download", "ok", None, 9, "known")),
        ("GET", 206, ("download", "ok", None, 9, "known")),
        ("GET", "000", ("download", "unknown", "0", None, None)),
        ("GET", 304, ("notice", "unknown", "304", None, None)),
        ("GET", 403, ("download", "failed", "403", None, None)),
        ("GET", 499, ("download", "failed", "aborted", 9, "estimated")),
        ("HEAD", 200, ("notice", "ok", None, None, None)),
        ("PUT", 201, ("upload", "ok", None, None, "unknown")),
        ("PUT", 204, ("upload", "ok", None, None, "unknown")),
        ("PUT", 400, ("upload", "failed", "aborted", None, "unknown")),
        ("PUT", 413, ("upload", "failed", "413", None, None)),
        ("DELETE", 204, ("delete", "ok", None, None, None)),
        ("DELETE", 207, ("delete", "unknown", "207", None, None)),
        ("MOVE", 201, ("rename", "ok", None, None, None)),
        ("COPY", 204, ("rename", "ok", None, None, None)),
        ("MKCOL", 201, ("mkdir", "ok", None, None, None)),
        ("PROPFIND", 207, ("list", "ok", None, None, None)),
        ("OPTIONS", 200, ("notice", "ok", None, None, None)),
        ("POST", 200, ("notice", "ok", None, None, None)),
        ("GET", 401, ("login", "failed", "401", None, None)),
        ("PUT", 401, ("login", "failed", "401", None, None)),
    ],
)
def test_methods_and_answers(method, status, expected):
    told = request(f"{method} /a.csv HTTP/1.1", status)
    assert (told["action"], told["outcome"], told["error_code"], told["bytes"], told["bytes_kind"]) == expected
    assert (told["command"], told["path"], told["path2"]) == (method, "/a.csv", None)


def test_being_asked_for_a_name_is_no_failed_login():
    told = request("GET /a HTTP/1.1", 401, user="-")
    assert (told["action"], told["outcome"], told["account"]) == ("notice", "unknown", None)


def test_fields_behind_the_combined_form():
    trailing = ["request_length", "destination", "other", "request_completion"]
    told = request("MOVE /a.dmp HTTP/1.1", 204, more=' 200 "http://h:8/b%20c.jpg" 5 OK', trailing=trailing)
    assert (told["action"], told["path2"]) == ("rename", "/b c.jpg")
    told = request("PUT /a.dmp HTTP/1.1", 201, more=' 5000200 "-" 5 OK', trailing=trailing)
    assert (told["bytes"], told["bytes_kind"], told["path2"]) == (5000200, "estimated", None)
    told = request("GET /a.dmp HTTP/1.1", 200, more=' 200 "-" 5 -', trailing=trailing)
    assert (told["outcome"], told["error_code"], told["bytes_kind"]) == ("failed", "aborted", "estimated")
    with pytest.raises(ValidationError):
        parsers()["web_combined"].configured({"trailing": ["referer"]})


def test_the_log_of_an_ftp_server_in_this_form_is_refused():
    line = b'10.0.0.5 - wang [18/Nov/2026:09:02:12 +0800] "PUT /a.hl7" 200 400\n'
    assert parse("web_combined", line).rejects["reason"].to_list() == ["unknown_form"]
    assert request("GET /a")["action"] == "download"


def test_parts_of_pages_are_no_downloads():
    assert request("GET /x/App.JS HTTP/1.1", assets=[".js"])["action"] == "notice"
    assert request("GET /x/App.JS?v=3 HTTP/1.1", assets=[".js"])["action"] == "notice"
    assert request("GET /x/App.JS HTTP/1.1")["action"] == "download"


def test_a_cut_line_is_refused():
    line = b'10.0.0.5 - wang [18/Nov/2026:09:02:12 +0800] "GET /a HTTP/1.1" 200 9 "-" "curl"\n'
    whole = line.index(b'" 200 9') + len(b'" 200 9')
    for end in range(1, len(line) - 1):
        parsed = parse("web_combined", line[:end] + b"\n")
        told = parsed.events.rows(named=True)
        assert not told or (end >= whole and told[0]["bytes"] == 9), line[:end]


def escaped(text: str) -> str:
    """ngx_http_log_escape: quote, backslash and what is not printable ASCII."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02X}" for byte in text.encode()
    )


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
URL = st.text(st.characters(codec="utf-8", exclude_characters="\0?"), max_size=30).map(lambda text: "/" + text)
HOSTILE = st.sampled_from(
    ['x" 200 999 "-" "y', "a [18/Nov/2026:09:02:12 +0800] ", '"', "\\", "\\x22", "- - -", " ", "b] ", "李"]
)


@settings(deadline=None, max_examples=150)
@given(user=TEXT | HOSTILE, path=URL, agent=TEXT | HOSTILE, sent=st.integers(0, 1 << 40))
def test_no_field_can_imitate_another(user, path, agent, sent):
    line = (
        f'10.0.0.5 - {escaped(user)} [18/Nov/2026:09:02:12 +0800] "GET {escaped(path.replace("%", "%25"))} HTTP/1.1" '
        f'200 {sent} "-" "{escaped(agent)}"\n'
    )
    told = parse("web_combined", line.encode()).events.row(0, named=True)
    assert told["path"] == path
    assert told["bytes"] == (None if path.endswith("/") and sent < LARGE else sent)
    assert told["account"] == (None if user == "-" else user)
    assert told["client_program"] == (None if agent == "-" else agent)


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXT, min_size=1, max_size=5))
def test_percent_signs_are_undone_once(names):
    coded = [quote_from_bytes(name.encode()) for name in names]
    assert url_text(pl.Series(coded)).to_list() == names
    assert log_url_text(pl.Series(coded)).to_list() == names


def test_bytes_that_are_no_utf8():
    assert url_text(pl.Series(["%C0%EE.csv", "%ff", "a%zz"])).to_list() == ["李.csv", "\\xff", "a%zz"]
    assert log_url_text(pl.Series([r"\xC0%EE", r"\x5Cx41"])).to_list() == ["李", "\\x41"]


@settings(deadline=None, max_examples=60)
@given(user=TEXT | HOSTILE, agent=TEXT | HOSTILE, others=st.lists(st.binary(max_size=20), max_size=3))
def test_a_json_line_means_the_same_beside_any_other(user, agent, others):
    line = {"ts": "2026-11-18T09:02:12+08:00", "ip": "10.0.0.5", "user": user, "method": "GET", "uri": "/a"}
    raw = json.dumps(line | {"status": 200, "sent": 7, "ua": agent}, ensure_ascii=False).encode() + b"\n"
    beside = b"".join(other.replace(b"\n", b"") + b"\n" for other in others)
    alone = parse("web_json", raw).events.row(0, named=True)
    among = parse("web_json", beside + raw).events.filter(path="/a").row(0, named=True)
    for name in ("account", "client_program", "bytes", "occurred_at"):
        assert alone[name] == among[name]
    assert alone["account"] == (None if user == "-" else user)


def test_names_in_gbk_do_not_swallow_the_quote_behind_them():
    raw = b'{"ts":"2026-11-18T09:02:12+08:00","ip":"::1","user":"\xc0\xee","method":"GET","uri":"/\xd5\x5c\x5c","status":200,"sent":7}\n'
    told = parse("web_json", raw).events.row(0, named=True)
    assert (told["account"], told["bytes"]) == ("李", 7)


def test_keys_of_another_log_are_found():
    line = b'{"time_local":"18/Nov/2026:09:02:12 +0800","remote_addr":"::1","request":"GET /a HTTP/1.1","status":"200","body_bytes_sent":"7"}\n'
    for options in parsers()["web_json"].guess(line):
        if options:
            told = parse("web_json", line, **options).events.row(0, named=True)
            assert (told["path"], told["bytes"], told["client_ip"]) == ("/a", 7, "::1")


def test_both_logs_of_a_server_tell_the_same_acts():
    read = {
        name: parse(name, (SAMPLES / name / "nginx-1.22-webdav.log").read_bytes()).events
        for name in ("web_combined", "web_json")
    }
    told = ["activity_key", "occurred_at", "action", "account", "client_ip", "path", "command"]
    both = [
        frame.filter(pl.col("activity_key").is_not_null() & (pl.col("error_code") != "400").fill_null(value=True))
        for frame in read.values()
    ]
    assert both[0].select(told).equals(both[1].filter(pl.col("path").is_not_null()).select(told))
