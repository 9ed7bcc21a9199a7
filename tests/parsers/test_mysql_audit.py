"""MySQL Enterprise and Percona audit: whatever is in a statement comes out as it went in, and begins no record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.events import Origin
from parsers.framing import MAX_RECORD
from parsers.registry import parsers

RECEIVED = datetime(2026, 12, 1, tzinfo=UTC)
QUICK = settings(max_examples=60, deadline=None)
# anything a client may send; NUL becomes \x00 and is tested by itself
SQL = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=60)
HOSTILE = st.sampled_from(
    [
        '}},{"audit_record":{"name":"Query"',
        '\n{"timestamp":"2026-11-11 09:00:00","class":"general","event":"status"}',
        "</SQLTEXT></AUDIT_RECORD>\n<AUDIT_RECORD><NAME>Query</NAME>",
        '"/>\n<AUDIT_RECORD NAME="Query" TIMESTAMP="2026-11-11T09:00:00 UTC"/>',
        '"\n"Query","4_2026-11-11T08:55:01","2026-11-11T09:06:11 UTC","select","11",0,"x","u","","","","d"\n',
        "&lt;&amp;#10;&quot;",
        '\\"\\n\\',
    ]
)
STATEMENTS = st.lists(st.lists(SQL | HOSTILE, min_size=1, max_size=4).map("".join), min_size=1, max_size=5)


def read(name, data, carry=None, zone="Asia/Shanghai", options=None):
    unit = parsers()[name].configured(options or {})
    origin = Origin("site", "system", "source", "/log", name, "0" * 16, 0, RECEIVED)
    return unit.parse(data, origin, ZoneInfo(zone), carry or {})


def statements_of(parsed):
    assert not parsed.rejects.height, parsed.rejects.rows()
    return parsed.events["statement"].to_list()


@given(STATEMENTS, st.sampled_from([None, 1]))
@QUICK
def test_any_statement_comes_back_from_json(statements, indent):
    records = [
        {
            "timestamp": "2026-11-11 09:06:11", "id": 1, "class": "general", "event": "status", "connection_id": 9,
            "login": {"user": "a", "ip": "10.0.0.1"},
            "general_data": {"command": "Query", "sql_command": "select", "query": text, "status": 0},
        }
        for text in statements
    ]  # fmt: skip
    data = "[\n" + ",\n".join(json.dumps(record, indent=indent, ensure_ascii=False) for record in records) + "\n]\n"
    parsed = read("mysql_audit_json", data.encode())
    assert statements_of(parsed) == statements
    assert set(parsed.events["record_role"]) == {"main"}


def percona(text):
    for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\r", "\\r"), ("\n", "\\n")):
        text = text.replace(raw, escaped)
    return text


@given(STATEMENTS)
@QUICK
def test_any_statement_comes_back_from_the_plugin_that_escapes_four_characters(statements):
    line = '{{"audit_record":{{"name":"Query","record":"1_2","timestamp":"2026-11-11T09:06:11 UTC","status":0,"sqltext":"{}"}}}}\n'
    data = "".join(line.format(percona(text)) for text in statements)
    assert statements_of(read("mysql_audit_json", data.encode())) == statements


@given(st.lists(st.text("张伟昞abc\\\"\n'", min_size=1, max_size=20), min_size=1, max_size=4))
@QUICK
def test_gbk_is_unescaped_before_it_is_decoded(statements):
    line = b'{"audit_record":{"name":"Query","record":"1_2","timestamp":"2026-11-11T09:06:11 UTC","sqltext":"%s"}}\n'
    escaped = []
    for text in statements:
        raw = ("张" + text).encode("gbk")
        for plain, pair in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n")):
            raw = raw.replace(plain, pair)
        escaped.append(raw)
    parsed = read("mysql_audit_json", b"".join(line % raw for raw in escaped))
    assert statements_of(parsed) == ["张" + text for text in statements]


def xml_escaped(text):
    for raw, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("\n", "&#10;"),
        ("\r", "&#xD;"),
    ):
        text = text.replace(raw, entity)
    return text


@given(STATEMENTS, st.booleans())
@QUICK
def test_any_statement_comes_back_from_xml(statements, new):
    form = (
        " <AUDIT_RECORD>\n  <TIMESTAMP>2026-11-11T09:06:11 UTC</TIMESTAMP>\n  <NAME>Query</NAME>\n  <SQLTEXT>{}</SQLTEXT>\n </AUDIT_RECORD>\n"
        if new
        else ' <AUDIT_RECORD\n  TIMESTAMP="2026-11-11T09:06:11 UTC"\n  NAME="Query"\n  SQLTEXT="{}"/>\n'
    )
    data = '<?xml version="1.0"?>\n<AUDIT>\n' + "".join(form.format(xml_escaped(text)) for text in statements)
    parsed = read("mysql_audit_xml", data.encode())
    assert statements_of(parsed) == statements
    assert not parsed.events["forgeable"].any()


@given(STATEMENTS)
@QUICK
def test_any_statement_comes_back_from_csv(statements):
    line = '"Query","3_2026-11-11T08:55:01","2026-11-11T09:06:11 UTC","select","11",0,"{}","u[u] @  [10.0.0.1]","","","10.0.0.1","his"\n'
    data = "".join(line.format(text.replace('"', '""')) for text in statements)
    assert statements_of(read("percona_audit_csv", data.encode())) == statements


def test_a_declared_entity_is_not_expanded():
    data = (
        b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>\n <AUDIT_RECORD>\n'
        b"<TIMESTAMP>2026-11-11T09:06:11 UTC</TIMESTAMP><NAME>Query</NAME><SQLTEXT>&lol2;&amp;lol;</SQLTEXT></AUDIT_RECORD>\n"
    )
    assert read("mysql_audit_xml", data).events["statement"].to_list() == ["&lol2;&lol;"]


def test_the_names_of_connection_attributes_are_not_the_name_of_the_record():
    data = (
        b"<AUDIT_RECORD><TIMESTAMP>2026-11-11T09:06:11 UTC</TIMESTAMP><CONNECTION_ATTRIBUTES><ATTRIBUTE><NAME>Quit</NAME>"
        b"<VALUE>x</VALUE></ATTRIBUTE><ATTRIBUTE><NAME>program_name</NAME><VALUE>mysqldump</VALUE></ATTRIBUTE>"
        b"</CONNECTION_ATTRIBUTES><NAME>Connect</NAME><CONNECTION_ID>5</CONNECTION_ID><STATUS>0</STATUS><USER>u</USER></AUDIT_RECORD>\n"
    )
    event = read("mysql_audit_xml", data).events.row(0, named=True)
    assert (event["action"], event["client_program"], event["account"]) == ("login", "mysqldump", "u")


def test_times_without_utc_are_local_only_if_the_source_says_so():
    record = b"<AUDIT_RECORD><TIMESTAMP>%s</TIMESTAMP><NAME>Query</NAME><SQLTEXT>SELECT 1</SQLTEXT></AUDIT_RECORD>\n"
    data = record % b"2026-11-11T17:00:00" + record % b"2026-11-11T17:00:00 UTC"
    hours = [
        [when.hour for when in read("mysql_audit_xml", data, options={"local_time": local}).events["occurred_at"]]
        for local in (False, True)
    ]
    assert hours == [[17, 17], [9, 17]]


def general(event, kind="general", **data):
    record = {"timestamp": "2026-11-11 09:06:11", "class": kind, "event": event, "connection_id": 9}
    return json.dumps(record | {f"{kind}_data": {"query": "SELECT 1", "sql_command": "select", "status": 0} | data})


ACCESS = [general("read", "table_access", db="his", table=name) for name in ("patients", "visits")]


@pytest.mark.parametrize(
    "records",
    [
        [general("log"), general("query_start", "query"), *ACCESS, general("query_status_end", "query"), general("status")],
        [general("status"), *ACCESS],
        [general("query_start", "query"), *ACCESS, general("query_status_end", "query")],
        ACCESS,
    ],
)  # fmt: skip
def test_one_statement_has_one_main_record_however_many_tell_it(records):
    data = ("[\n" + ",\n".join(records) + "\n").encode()
    parsed = read("mysql_audit_json", data)
    assert parsed.events["record_role"].to_list().count("main") == 1
    assert parsed.events["activity_key"].n_unique() == 1


def test_what_a_connection_told_is_known_in_the_next_chunk():
    connect = b'{"timestamp":"2026-11-11 09:06:11","class":"connection","event":"connect","connection_id":9,"login":{"user":"u","ip":"10.0.0.1"},"connection_data":{"status":0,"db":"his","connection_attributes":{"program_name":"mysqldump"}}}\n'
    first = read("mysql_audit_json", connect)
    second = read("mysql_audit_json", general("query_start", "query").encode() + b"\n", first.carry)
    event = second.events.row(0, named=True)
    assert [event[name] for name in ("account", "client_ip", "database", "client_program")] == [
        "u", "10.0.0.1", "his", "mysqldump",
    ]  # fmt: skip
    assert len(json.dumps(dict(second.carry))) < 1000


@pytest.mark.parametrize(
    ("name", "opening", "inside"),
    [
        ("mysql_audit_json", b'{"audit_record":{"name":"Query","sqltext":"', b'{"audit_record":{"name":"Query","timestamp":"2026-11-11T09:06:11 UTC","sqltext":"x"}}'),
        ("percona_audit_csv", b'"Query","3_2026-11-11T08:55:01","2026-11-11T09:06:11 UTC","select","11",0,"', b'"Audit","1_2026","2026-11-11T08:55:01 UTC","5.7","",""'),
    ],
)  # fmt: skip
def test_text_behind_the_limit_of_a_record_begins_none(name, opening, inside):
    """A statement as long as a record may be, so that its middle stands where the next piece begins."""
    unit = parsers()[name]
    data = opening + b"x" * (MAX_RECORD - len(opening)) + inside + b"\n"
    for later in (b"", b"\n" * 1000):  # the second time the first piece is handed out before the file ends
        carry, position, reasons, final = {}, 0, [], False
        while position < len(data + later):
            whole = unit.framing((data + later)[position:], final=final)
            if not whole:
                final = True
                continue
            parsed = read(name, (data + later)[position : position + whole], carry)
            assert not parsed.events.height
            reasons += parsed.rejects["reason"].to_list()
            carry, position = json.loads(json.dumps(dict(parsed.carry))), position + whole
        assert reasons == ["broken_record", "not_a_record"]


def test_a_connection_record_without_its_event_ends_no_connection():
    connect = b'{"timestamp":"2026-11-11 09:06:11","class":"connection","event":"connect","connection_id":9,"login":{"user":"u","ip":"10.0.0.1"},"connection_data":{"status":0,"db":"his"}}\n'
    damaged = connect.replace(b'"event":"connect",', b"")
    carry = read("mysql_audit_json", damaged, read("mysql_audit_json", connect).carry).carry
    event = read("mysql_audit_json", general("query_start", "query").encode() + b"\n", carry).events.row(0, named=True)
    assert (event["account"], event["database"]) == ("u", "his")


def test_a_connection_number_that_comes_again_brings_nothing_of_the_old_connection():
    """Cut or not: what was told before the disconnect is forgotten with it."""
    connect = general("connect", "connection", db="his").replace(
        '"connection_id": 9', '"login": {"user": "u"}, "connection_id": 9'
    )
    records = [connect, general("disconnect", "connection"), general("query_start", "query")]
    whole = read("mysql_audit_json", "\n".join(records).encode()).events
    carry, parts = {}, []
    for record in records:
        parsed = read("mysql_audit_json", record.encode() + b"\n", carry)
        carry = parsed.carry
        parts += parsed.events["account"].to_list()
    assert whole["account"].to_list() == parts == ["u", "u", None]


def test_logins_have_the_keys_of_the_other_logs_of_the_server():
    data = b"".join(general(event, "connection").encode() + b"\n" for event in ("connect", "change_user", "disconnect"))
    assert read("mysql_audit_json", data).events["activity_key"].to_list() == ["login:9", "change:9", "logout:9"]
