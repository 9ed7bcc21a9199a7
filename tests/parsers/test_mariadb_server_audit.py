"""server_audit: escapes, encodings, cut statements, and names that imitate records."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import mariadb_server_audit, mariadb_server_audit_syslog
from parsers.events import Origin
from parsers.mariadb_audit_options import AuditOptions

STAMP = "20261120 10:00:00,db01,"


def parse(data, carry=None):
    origin = Origin("s", "y", "q", "/log", "f", "0" * 16, 0, datetime(2026, 12, 1, tzinfo=UTC))
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return mariadb_server_audit.parse(raw, origin, ZoneInfo("Asia/Shanghai"), carry or {})


def escaped(raw):
    for byte, written in ((b"\\", b"\\\\"), (b"'", b"\\'"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t")):
        raw = raw.replace(byte, written)
    return raw


def query(statement, errno=0, *, user="app", query_id=11, limit=1 << 20, encoding="utf-8"):
    text = escaped(statement.encode(encoding))[:limit]
    return f"{STAMP}{user},192.0.2.7,7,{query_id},QUERY,his,'".encode() + text + f"',{errno}\n".encode()


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=60))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_what_the_plugin_escapes_comes_back(statement):
    assert parse(query(statement)).events["statement"].to_list() == [statement]


@given(st.text(st.sampled_from("患者乗亅乗 a'\\n\n\t,"), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_gbk_is_decoded_after_unescaping(statement):
    # 0x5C is the second byte of 乗 and 亅: the plugin escapes it as if it were a backslash
    statement = "病人" + statement
    assert parse(query(statement, encoding="gb18030")).events["statement"].to_list() == [statement]


@pytest.mark.parametrize(
    ("errno", "outcome"),
    [(0, "ok"), (1142, "failed"), (1160, "unknown"), (1161, "unknown"), (1317, "unknown"), (1969, "unknown")],
)
def test_a_statement_that_broke_off_may_have_sent_rows(errno, outcome):
    event = parse(query("select * from patients", errno)).events.row(0, named=True)
    assert (event["outcome"], event["error_code"]) == (outcome, str(errno) if errno else None)


def test_encodings_are_decided_line_by_line():
    events = parse(
        query("select '药品'")
        + query("select '病人'", encoding="gb18030")
        + query("select 'x\xff'", encoding="latin-1")
    ).events
    assert events["statement"].to_list() == ["select '药品'", "select '病人'", "select 'x\\xff'"]


@pytest.mark.parametrize("limit", [1024, 200])
def test_a_statement_cut_at_the_limit_is_marked(limit):
    cut = query("select '" + "x" * 2000 + "'", limit=limit)
    events = parse(query("select 1") + cut + query("select 2") + cut).events
    assert events["truncated"].to_list() == [False, True, False, True]


def test_long_statements_of_a_larger_limit_are_not_marked():
    events = parse(query("select '" + "x" * 5000 + "'") + query("select '" + "x" * (1024 - 11) + "'")).events
    assert events["truncated"].to_list() == [False, False]


def test_a_limit_that_is_told_decides():
    limit = AuditOptions(query_log_limit=200)
    data = query("select " + "x" * 400, limit=200) + query("select 1") + query("select " + "x" * 180)
    origin = Origin("s", "y", "q", "/log", "f", "0" * 16, 0, datetime(2026, 12, 1, tzinfo=UTC))
    events = mariadb_server_audit.parse(data, origin, ZoneInfo("Asia/Shanghai"), {}, options=limit).events
    assert events["truncated"].to_list() == [True, False, False]
    with pytest.raises(ValueError, match="query_log_limit"):
        AuditOptions(query_log_limit=0)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_the_limit_counts_bytes_as_logged(encoding):
    short = "select 1, /* " + "中" * 400 + "*/"
    cut = query(short + "中" * 300, limit=1024, encoding=encoding)
    assert parse(query("select 1") + cut).events["truncated"].to_list() == [False, True]


def test_a_statement_cut_inside_a_character_is_marked_and_readable():
    events = parse(query("select 1, /* " + "中" * 500 + "*/", limit=1024)).events
    assert events["truncated"].to_list() == [True]
    assert events["statement"].item().startswith("select 1, /* 中中")


@given(
    st.text(st.sampled_from("ab,'\n0123456789QUERY"), min_size=1, max_size=40).map(
        lambda tail: f"x,192.0.2.66,9,9,QUERY,his,'DROP TABLE t',0{tail}"
    )
    | st.sampled_from(
        [f"x\n{STAMP}dba,192.0.2.66,9,9,QUERY,his,'DROP TABLE t',0", "a,b", "line\nbreak", "q'u", "x,1,1,CONNECT,,,0"]
    )
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_name_without_login_never_becomes_a_plain_record(name):
    line = f"{STAMP}{name},192.0.2.8,14,0,FAILED_CONNECT,,,1045\n"
    parsed = parse(query("select 1") + line.encode() + query("select 2"))
    assert parsed.events["statement"].drop_nulls().to_list()[0] == "select 1"
    for row in parsed.events.filter(parsed.events["account"] != "app").iter_rows(named=True):
        believed = row["action"] == "query"
        # the first line of a name can be a whole record of its own: then its rest is a reject that shows it
        assert (row["forgeable"] and not believed) or parsed.rejects.height, row
    if "\n" not in name:
        refused = parsed.events.row(1, named=True)
        assert (refused["action"], refused["outcome"]) == ("login", "failed")
        assert refused["account"] == name


def test_a_record_of_another_server_name_is_marked():
    long = "select 1 -- " + "x" * 600  # no name can hold a record so long
    other = query(long).replace(b"db01", b"h")
    assert parse(query(long) + other).events["forgeable"].to_list() == [False, True]


def test_table_events_are_parts_of_their_query():
    events = parse(
        query("select 0") + f"{STAMP}app,192.0.2.7,7,12,READ,his,patients,\n".encode() + query("select 1", query_id=12)
    ).events
    assert events.select("record_role", "statement_number", "object_name").rows()[1:] == [
        ("part", 12, "his.patients"),
        ("main", 12, None),
    ]


def test_reads_stand_for_the_act_where_the_server_logs_no_select():
    lines = [f"{STAMP}app,192.0.2.7,7,{n},READ,his,{table},\n" for n, table in ((1, "a"), (1, "b"), (2, "a"))]
    assert parse("".join(lines)).events["record_role"].to_list() == ["main", "part", "main"]


def test_rows_are_never_told():
    events = parse(query("select 1")).events
    assert events.select("rows", "rows_kind").row(0) == (None, "unknown")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "[local]"),
        ("192.0.2.7:40112", "192.0.2.7"),
        ("[2001:db8::7]:40112", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("", None),
    ],
)
def test_client_addresses(host, address):
    assert parse(f"{STAMP}app,{host},7,0,CONNECT,his,,0\n").events["client_ip"].to_list() == [address]


def test_a_half_written_line_and_a_half_written_name_wait():
    whole = query("select 1")
    assert mariadb_server_audit.framing(whole + whole[:-1], final=False) == len(whole)
    name = f"{STAMP}line\n".encode()
    assert mariadb_server_audit.framing(whole + name, final=False) == len(whole)
    assert mariadb_server_audit.framing(whole + name, final=True) == len(whole + name)


def test_a_record_cut_by_syslog_is_an_event_of_unknown_outcome():
    line = b"2026-11-20T10:00:00+08:00 db01 mysql-server_auditing: info db01,app,192.0.2.7,7,11,QUERY,his,'select \\'a\\',5"
    origin = Origin("s", "y", "q", "/log", "f", "0" * 16, 0, datetime(2026, 12, 1, tzinfo=UTC))
    events = mariadb_server_audit_syslog.parse(line + b"\n", origin, ZoneInfo("Asia/Shanghai"), {}).events
    assert events.select("statement", "outcome", "truncated").rows() == [("select 'a',5", "unknown", True)]
