"""Logs that nobody foresaw: what is configured is read, what is configured wrongly is refused with the reason."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.loader import load_site
from parsers.events import Origin
from parsers.registry import parsers

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
GENERIC = ("json_lines", "csv_lines", "key_value", "regex_lines")
QUICK = settings(max_examples=60, deadline=None)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=30).filter(
    lambda text: text == text.strip()
)
MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))
BASE = {"fields": {"occurred_at": "at", "account": "who", "path": "file"}, "constant": {"action": "download"}}


def read(name, options, data, carry=None):
    origin = Origin("site", "system", "source", "/log", name, "0" * 16, 0, datetime(2026, 12, 1, tzinfo=UTC))
    return parsers()[name].configured(options).parse(data, origin, ZoneInfo("Asia/Shanghai"), carry or {})


def told(parsed, *columns):
    assert not parsed.rejects.height, parsed.rejects.rows()
    return parsed.events.select(columns or ("occurred_at", "account", "path")).rows()


RECORDS = st.lists(st.tuples(MOMENT, TEXT, TEXT), min_size=1, max_size=5)


@given(RECORDS)
@QUICK
def test_json_gives_back_what_was_written(records):
    lines = [
        json.dumps({"at": at.isoformat(), "who": who, "file": file}, ensure_ascii=False) for at, who, file in records
    ]
    assert told(read("json_lines", BASE, "\n".join(lines).encode())) == records


@given(RECORDS, st.sampled_from([",", ";", "\t", "|"]), st.booleans())
@QUICK
def test_csv_gives_back_what_was_written(records, delimiter, named):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows = [(at.isoformat(), who, file) for at, who, file in records]
    writer.writerows(rows if named else [("at", "who", "file"), *rows])
    options = BASE | {"delimiter": delimiter} | ({"columns": ["at", "who", "file"]} if named else {})
    assert told(read("csv_lines", options, out.getvalue().encode())) == records


@given(RECORDS, st.sampled_from([" ", ";", "|"]))
@QUICK
def test_pairs_give_back_what_was_written(records, separator):
    def quoted(text):
        for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(raw, escaped)
        return f'"{text}"'

    lines = [
        separator.join([f'at="{at.isoformat()}"', f"file={quoted(file)}", f"who={quoted(who)}"])
        for at, who, file in records
    ]
    parsed = read("key_value", BASE | {"separator": separator}, "\n".join(lines).encode())
    assert told(parsed) == records
    assert not parsed.events["forgeable"].any()


@given(
    MOMENT,
    st.sampled_from(["iso8601", "epoch", "epoch_ms", "epoch_us", "%Y%m%d %H:%M:%S%.f", "%d/%b/%Y:%H:%M:%S%.f %z"]),
)
@QUICK
def test_times_are_read_in_every_form(at, form):
    local = at.astimezone(timezone(timedelta(hours=8)))  # Shanghai has had no other offset in these years
    micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    at = at if form != "epoch_ms" else at.replace(microsecond=at.microsecond // 1000 * 1000)
    text = {
        "iso8601": at.isoformat(), "epoch": f"{micros // 10**6}.{micros % 10**6:06d}",
        "epoch_ms": str(micros // 1000), "epoch_us": str(micros),
        "%Y%m%d %H:%M:%S%.f": local.strftime("%Y%m%d %H:%M:%S.%f"),
    }.get(form) or local.strftime("%d/%b/%Y:%H:%M:%S.%f %z")  # fmt: skip
    line = json.dumps({"at": text, "who": "u", "file": "f"}).encode()
    assert told(read("json_lines", BASE | {"time_format": form}, line), "occurred_at") == [(at,)]


@pytest.mark.parametrize(
    "text", ["2026-13-01 00:00:00", "", "yesterday", "1e999", "-5", "NaN", "99999999999999999999", None, {"a": 1}]
)
@pytest.mark.parametrize("form", ["iso8601", "epoch", "%Y-%m-%d %H:%M:%S"])
def test_what_is_no_time_is_a_reject(text, form):
    parsed = read("json_lines", BASE | {"time_format": form}, json.dumps({"at": text, "who": "u"}).encode() + b"\n")
    assert parsed.rejects["reason"].to_list() == ["bad_timestamp"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("json_lines", {"fields": {"occured_at": "t"}}, "did you mean occurred_at"),
        ("json_lines", {"fields": {"occurred_at": "t"}}, "action is needed"),
        ("json_lines", {"fields": {"action": "t"}}, "occurred_at is needed"),
        ("json_lines", BASE | {"constant": {"action": "downlaod"}}, "did you mean download"),
        ("json_lines", BASE | {"constant": {"action": "gap"}}, "unknown"),
        ("json_lines", BASE | {"constant": {"action": "query", "rows": 5}}, "rows cannot be constant"),
        ("json_lines", BASE | {"values": {"action": {"GET": "download", "PUT": "uplod"}}}, "did you mean upload"),
        ("json_lines", BASE | {"values": {"outcom": {"0": "ok"}}}, "did you mean outcome"),
        ("json_lines", BASE | {"time_format": "%Y-%m-%d"}, "does not tell a whole time"),
        ("json_lines", BASE | {"time_format": "%H:%M:%S"}, "does not tell a whole time"),
        ("json_lines", BASE | {"time_format": "iso"}, "did you mean iso8601"),
        ("json_lines", BASE | {"extract": {"account": "no group"}}, "needs a group"),
        ("json_lines", BASE | {"extract": {"rows": "(.*)"}}, "rows has no field"),
        ("json_lines", BASE | {"extract": {"account": "(?=x)(.*)"}}, "look-around"),
        ("json_lines", BASE | {"prefix": "("}, "unclosed group"),
        ("json_lines", BASE | {"feilds": {}}, "Extra inputs"),
        ("csv_lines", BASE | {"columns": ["at", "whom", "file"]}, "did you mean whom"),
        ("csv_lines", BASE | {"columns": ["at", "at", "file"]}, "twice"),
        ("csv_lines", BASE | {"delimiter": ",,"}, "one ASCII character"),
        ("csv_lines", BASE | {"delimiter": '"'}, "same character"),
        ("key_value", BASE | {"separator": "="}, "three different"),
        ("regex_lines", BASE, "pattern"),
        ("regex_lines", BASE | {"pattern": r"(?P<at>\S+) (?P<whom>\S+) (?P<file>.*)"}, "did you mean whom"),
        ("regex_lines", BASE | {"pattern": r"(\S+) (.*)"}, "no named group"),
        ("regex_lines", BASE | {"pattern": r"(?P<at>a)(?P<who>b)\1(?P<file>c)"}, "backreferences"),
        ("regex_lines", BASE | {"pattern": "(?P<at>((a{1000}){1000}){1000})"}, "size limit"),
        ("regex_lines", BASE | {"pattern": "(?P<at>" + "a" * 5000 + ")"}, "longer than 4096"),
    ],
)
def test_wrong_options_are_refused_with_the_reason(name, options, message):
    with pytest.raises(ValidationError, match=message):
        parsers()[name].configured(options)


@pytest.mark.parametrize("name", GENERIC)
def test_there_is_no_default_for_what_a_log_means(name):
    with pytest.raises(ValidationError, match="fields"):
        parsers()[name].configured({})


def test_an_unknown_action_is_no_event_until_somebody_says_what_it_is():
    options = {"fields": {"occurred_at": "at", "action": "op"}}
    data = b'{"at":"2026-11-20T00:00:00Z","op":"exfiltrate"}\n{"at":"2026-11-20T00:00:00Z","op":"DownLoad"}\n'
    parsed = read("json_lines", options, data)
    assert parsed.rejects["reason"].to_list() == ["unknown_action"]
    assert parsed.events["direction"].to_list() == ["out"]
    parsed = read("json_lines", options | {"values": {"action": {"DEFAULT": "notice"}}}, data)
    assert parsed.events["action"].to_list() == ["notice", "download"]


def test_counts_are_known_or_unknown_never_nought():
    options = {"fields": {"occurred_at": "at", "action": "op", "rows": "n", "bytes": "n"}}
    line = '{{"at":"2026-11-20T00:00:00Z","op":"{}","n":{}}}\n'
    pairs = [
        ("query", "5"),
        ("query", "null"),
        ("query", '"-1"'),
        ("upload", "7.0"),
        ("upload", '"many"'),
        ("login", "null"),
        ("query", "1e400"),
    ]
    parsed = read("json_lines", options, "".join(line.format(*pair) for pair in pairs).encode())
    rows = parsed.events.select("rows", "rows_kind", "bytes", "bytes_kind").rows()
    assert rows == [
        (5, "known", 5, "known"), (None, "unknown", None, None), (None, "unknown", None, None), (7, "known", 7, "known"),
        (None, None, None, "unknown"), (None, None, None, None),
    ]  # fmt: skip
    assert parsed.rejects["reason"].to_list() == ["bad_json"]


def test_a_key_inside_a_quoted_value_is_none_and_one_that_is_added_is_marked():
    line = b'at=2026-11-20T00:00:00Z note="x who=forged file=/y" who=zhang file=/x\n'
    assert told(read("key_value", BASE, line), "account", "path", "forgeable") == [("zhang", "/x", False)]
    line = b"at=2026-11-20T00:00:00Z note=x who=forged who=zhang file=/x\n"
    assert read("key_value", BASE, line).events["forgeable"].to_list() == [True]


def test_an_expression_that_reads_a_line_in_two_ways_marks_it():
    options = BASE | {"pattern": r"(?P<at>\S+) (?P<who>.*) got (?P<file>.*)"}
    plain, forged = b"2026-11-20T00:00:00Z zhang got /x\n", b"2026-11-20T00:00:00Z zhang got /y got /x\n"
    assert read("regex_lines", options, plain + forged).events["forgeable"].to_list() == [False, True]
    anchored = BASE | {"pattern": r"(?P<at>\S+) (?P<who>[^ ]+) got (?P<file>.*)"}
    assert told(read("regex_lines", anchored, forged), "account", "path", "forgeable") == [
        ("zhang", "/y got /x", False)
    ]


def test_a_literal_key_with_a_dot_comes_before_a_path():
    options = BASE | {"fields": {"occurred_at": "at", "account": "a.b", "path": "c.d.e"}}
    data = b'{"at":"2026-11-20T00:00:00Z","a.b":"x","a":{"b":"y"},"c":{"d":{"e":"z"}}}\n{"at":"2026-11-20T00:00:00Z","a":{"b":"y"},"c":"text"}\n'
    assert told(read("json_lines", options, data), "account", "path") == [("x", "z"), ("y", None)]


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_and_doubled_json_is_a_reject_and_its_neighbours_are_read(depth):
    good = b'{"at":"2026-11-20T00:00:00Z","who":"u","file":"f"}\n'
    bad = b'{"at":' * depth + b"\n" + good.strip() + good + b"\n{}x\n"
    parsed = read("json_lines", BASE, good + bad + good)
    assert parsed.events.height == 2
    assert set(parsed.rejects["reason"]) <= {"bad_json", "too_long"}
    assert parsed.rejects.height == 3


def test_a_header_is_known_in_the_next_chunk_and_skipped_when_it_comes_again():
    first = read("csv_lines", BASE, b"file,who,at\n")
    second = read(
        "csv_lines", BASE, b"/x,u,2026-11-20T00:00:00Z\nfile,who,at\n", json.loads(json.dumps(dict(first.carry)))
    )
    assert told(second, "account", "path") == [("u", "/x")]
    assert dict(second.skips) == {"header": (1, 12)}
    assert read("csv_lines", BASE, b"/x,u,2026-11-20T00:00:00Z\n").rejects["reason"].to_list() == ["bad_columns"]


def test_an_open_quote_spoils_its_own_line_only():
    options = BASE | {"columns": ["at", "who", "file"]}
    good = b"2026-11-20T00:00:00Z,u,/x\n"
    parsed = read("csv_lines", options, good + b'2026-11-20T00:00:00Z,"torn\n' + good + good)
    assert parsed.events.height == 3
    assert parsed.rejects["reason"].to_list() == ["broken_record"]


@pytest.mark.parametrize(
    ("name", "sample"),
    [("json_lines", "jumpserver_ftp"), ("json_lines", "teleport"), ("csv_lines", "oracle_unified_audit-utc")],
)
def test_a_proposed_mapping_reads_the_file_it_was_made_of(name, sample):
    data = (SAMPLES / name / f"{sample}.log").read_bytes()
    proposals = list(parsers()[name].guess(data))
    assert proposals
    parsed = read(name, proposals[0], data)
    assert parsed.events.height
    assert not parsed.rejects.height


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@QUICK
def test_a_proposal_is_made_of_anything_without_falling_over(head):
    for name in ("json_lines", "csv_lines"):
        for proposal in parsers()[name].guess(head):
            parsers()[name].configured(proposal)


def test_the_shipped_example_holds_and_its_sources_read_the_samples():
    site = load_site(
        ROOT / "config" / "examples" / "generic-sources.yaml",
        formats={name: unit.options for name, unit in parsers().items()},
    )
    used = {
        "cloud_db_audit": "json_lines/aliyun_dbaudit", "bastion_files": "json_lines/jumpserver_ftp",
        "bastion_syslog": "json_lines/jumpserver_syslog", "oracle_audit": "csv_lines/oracle_unified_audit-utc",
        "audit_box": "key_value/dbaudit_gbk", "gateway": "regex_lines/gateway",
    }  # fmt: skip
    sources = site.settings.sources
    assert set(used) == set(sources)
    for name, sample in used.items():
        parsed = read(sources[name].format, sources[name].options, (SAMPLES / f"{sample}.log").read_bytes())
        assert parsed.events.height, name
