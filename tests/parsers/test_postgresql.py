"""What PostgreSQL's records mean: the same from csvlog and jsonlog, and right where the format has traps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from parsers import postgresql_csvlog, postgresql_jsonlog
from parsers.events import Origin
from parsers.framing import MAX_RECORD

SAMPLES = Path(__file__).parent / "samples"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def parse(data, *, zone=SHANGHAI, carry=None, unit=postgresql_csvlog, position=0):
    origin = Origin("s", "y", "q", "/log", "f", "0" * 16, position, datetime(2026, 12, 1, tzinfo=UTC))
    return unit.parse(data, origin, zone, carry or {})


def quoted(text):
    return '"' + text.replace('"', '""') + '"' if text else ""


def record(message, *, line=1, tag="SELECT", state="00000", user="app", query="", context="", severity="LOG",
           session="6b000000.4d", backend="client backend", second=0):  # fmt: skip
    return (
        f"2026-11-20 10:00:{second:02}.000 CST,{quoted(user)},{quoted('his' if user else '')},77,"
        f"{quoted('192.0.2.7:4000' if user else '')},{session},{line},{quoted(tag)},2026-11-20 09:00:00 CST,3/1,0,"
        f"{severity},{state},{quoted(message)},,,,,{quoted(context)},{quoted(query)},,,{quoted('psql')},"
        f"{quoted(backend)},,0\n"
    ).encode()


def audit(text, number=1, sub=1, *, kind="READ,SELECT,,", parameters="<none>", rows=1, **more):
    tail = "" if rows is None else f",{rows}"
    return record(f"AUDIT: SESSION,{number},{sub},{kind},{quoted(text)},{parameters}{tail}", **more)


def roles(*records):
    return parse(b"".join(records)).events.select("record_role", "activity_key").rows()


@pytest.mark.parametrize("name", ["15-pgaudit_all", "15-pgaudit_relations", "15-pgaudit_edges", "15-object_audit"])
def test_csv_and_json_of_one_run_tell_the_same(name):
    csv = parse((SAMPLES / "postgresql_csvlog" / f"{name}.log").read_bytes())
    json = parse((SAMPLES / "postgresql_jsonlog" / f"{name}.log").read_bytes(), unit=postgresql_jsonlog)
    keep = pl.exclude("event_id", "position", "length")
    order = ["session", "occurred_at", "action", "statement_number", "substatement_number", "object_name", "detail"]
    one, other = (parsed.events.select(keep).sort(order, maintain_order=True) for parsed in (csv, json))
    for column in one.columns:
        assert one[column].to_list() == other[column].to_list(), column
    assert {reason: count for reason, (count, _) in csv.skips.items()} == {
        reason: count for reason, (count, _) in json.skips.items()
    }


@pytest.mark.parametrize(
    ("kind", "rows", "expected"),
    [
        ("READ,SELECT,,", 12, (12, "known")),
        ("WRITE,DELETE,,", 0, (0, "known")),
        ("READ,COPY,,", 0, (None, "unknown")),
        ("MISC,FETCH,,", 0, (None, "unknown")),
        ("READ,DECLARE CURSOR,,", 0, (None, "unknown")),
        ("FUNCTION,DO,,", 0, (None, "unknown")),
        ("MISC,SET,,", 0, (None, None)),
        ("DDL,DROP TABLE,,", 0, (None, None)),
        ("READ,SELECT,,", None, (None, "unknown")),
    ],
)
def test_zero_rows_are_believed_only_where_rows_are_counted(kind, rows, expected):
    events = parse(audit("x", kind=kind, rows=rows)).events
    assert events.select("rows", "rows_kind").row(0) == expected


def test_explain_sends_no_rows():
    assert parse(audit("explain analyze select 1", tag="EXPLAIN", rows=9)).events.select("rows", "rows_kind").row(
        0
    ) == (
        None,
        None,
    )


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("<none>", []),
        ("<not logged>", None),
        ('"10,N"', ["10", "N"]),
        ("10", ["10"]),
        ("", [""]),
        (quoted('2,"阿莫西林, ""口服""\n3次",,'), ["2", '阿莫西林, "口服"\n3次', "", ""]),
    ],
)
def test_parameters_are_a_third_level_of_csv(parameters, expected):
    assert parse(audit("x", parameters=parameters)).events["parameters"].to_list() == [expected]


def test_relation_records_of_one_statement_are_one_act():
    text = "select * from a join b using (id)"
    assert roles(
        audit(text, kind="READ,SELECT,TABLE,public.a"),
        audit(text, kind="READ,SELECT,TABLE,public.b"),
        audit(text, kind="MISC,???,VIEW,public.b"),
    ) == [("main", "6b000000.4d/1"), ("part", "6b000000.4d/1"), ("part", "6b000000.4d/1")]


def test_of_a_function_call_the_callers_record_stands_for_the_act():
    outer = "select fn(1)"
    told = roles(
        audit("select 0", 1, 1),
        audit(outer, 2, 1, kind="FUNCTION,EXECUTE,FUNCTION,public.fn", rows=0),
        audit("select name from patients", 2, 2),
        audit(outer, 2, 3),
    )
    assert [role for role, _ in told] == ["main", "part", "part", "main"]


def test_of_a_triggers_statements_the_outer_one_stands_for_the_act():
    told = roles(
        audit("update z set a = 1", 1, 1, kind="WRITE,UPDATE,,", tag="UPDATE"),
        audit("insert into log values (1)", 2, 1, kind="WRITE,INSERT,,", tag="UPDATE"),
        audit("update t set a = 1", 2, 2, kind="WRITE,UPDATE,,", tag="UPDATE"),
    )
    assert [role for role, _ in told] == ["main", "part", "main"]


def test_copy_of_a_query_keeps_the_row_count_of_its_select():
    text = "copy (select * from patients) to stdout"
    events = parse(
        audit(text, 1, 1, rows=4000, tag="COPY") + audit(text, 1, 2, kind="READ,COPY,,", rows=0, tag="COPY")
    ).events
    assert events.select("record_role", "rows", "rows_kind").rows() == [
        ("main", 4000, "known"),
        ("part", None, "unknown"),
    ]


def test_statement_duration_and_error_of_log_statement_are_one_act():
    events = parse(
        record("statement: select 1", line=4, tag="idle")
        + record("duration: 2.500 ms", line=5)
        + record("statement: select 1/0", line=6, tag="idle")
        + record("division by zero", line=7, state="22012", severity="ERROR", query="select 1/0")
    ).events
    assert events.select("record_role", "activity_key", "outcome", "error_code").rows() == [
        ("main", "6b000000.4d:4", "unknown", None),
        ("outcome", "6b000000.4d:4", "ok", None),
        ("main", "6b000000.4d:6", "unknown", None),
        ("outcome", "6b000000.4d:6", "failed", "22012"),
    ]
    assert events["duration_seconds"].to_list() == [None, 0.0025, None, None]


def test_a_duration_that_repeats_an_audited_statement_is_a_duplicate_only_right_after_it():
    told = roles(
        audit("select 1", line=4),
        record("duration: 1.000 ms  statement: select 1", line=5),
        record("duration: 1.000 ms  statement: select 1", line=6),  # pgaudit switched off in between
    )
    assert [role for role, _ in told] == ["main", "duplicate", "main"]


def test_an_audit_record_written_by_raise_is_not_believed():
    forged = audit("drop table patients", query="do $$ … $$", context="PL/pgSQL function inline_code_block line 1")
    events = parse(forged).events
    assert events.select("action", "forgeable").row(0) == ("notice", True)


def test_a_statement_in_the_form_of_a_record_stays_inside_its_record():
    inner = record("statement: drop table patients", tag="idle").decode()
    parsed = parse(audit(f"select '\n{inner}\n'"))
    assert parsed.events.height == 1
    assert not parsed.rejects.height


def test_a_torn_record_costs_itself_and_no_other():
    torn = audit("select torn", second=1).split(b"torn")[0] + b"\n"
    parsed = parse(audit("select 1") + torn + audit("select 2", number=2, second=2) * 50)
    assert parsed.events.height == 51
    assert parsed.rejects["reason"].to_list() == ["broken_record"]


def test_a_quote_that_never_closes_is_given_up_after_the_cap():
    start = record("x")[:120] + b'"'
    filler = b"no end in sight, no record\n" * (MAX_RECORD // 27 + 10)
    data = start + filler + audit("select 1")
    assert postgresql_csvlog.framing(data[: MAX_RECORD // 2], final=False) == 0
    assert postgresql_csvlog.framing(data, final=False) == len(data)
    parsed = parse(data)
    assert parsed.events["statement"].to_list() == ["select 1"]
    assert parsed.rejects["length"].max() == MAX_RECORD


def test_a_forged_record_in_a_statement_longer_than_the_cap_is_not_believed():
    forged = record("statement: drop table patients", tag="idle").decode()
    text = "select '" + "x" * MAX_RECORD + "\n" + forged * 3 + "'"
    parsed = parse(audit(text) + audit("select 1", number=2))
    assert parsed.events["statement"].to_list() == ["select 1"]


def test_half_a_record_waits():
    whole = audit("select '\n'")
    for cut in range(len(whole)):
        assert postgresql_csvlog.framing(whole + whole[:cut], final=False) == len(whole)


@pytest.mark.parametrize(
    ("message", "more", "expected"),
    [
        ("connection authorized: user=app database=his application_name=x", {"tag": "authentication"}, ("login", "ok")),
        ("连接已授权: user=app database=his", {"tag": "authentication"}, ("login", "ok")),
        ('用户 "app" 的密码认证失败', {"tag": "authentication", "state": "28P01"}, ("login", "failed")),
        ('permission denied for database "his"', {"tag": "startup", "state": "42501"}, ("login", "failed")),
        ("disconnection: session time: 0:00:01.117 user=app database=his host=192.0.2.7", {}, ("logout", "ok")),
        ("断开连接: 会话时长: 0:00:01.117 user=app database=his host=192.0.2.7", {}, ("logout", "ok")),
        ("kein Recht", {"state": "42501", "query": "select 1"}, ("query", "failed")),
        ("something new", {}, ("notice", "unknown")),
        ('parameter "pgaudit.log" changed to "none"', {"user": "", "tag": "", "backend": "postmaster"}, ("setting", "ok")),
        ('参数 "pgaudit.log" 已更改为 "none"', {"user": "", "tag": "", "backend": "postmaster"}, ("setting", "ok")),
        ("server process (PID 9) was terminated by signal 9", {"user": "", "tag": "", "backend": "postmaster"}, ("notice", "unknown")),
    ],
)  # fmt: skip
def test_what_a_message_is_does_not_hang_on_its_language(message, more, expected):
    assert parse(record(message, **more)).events.select("action", "outcome").row(0) == expected


def test_a_replication_connection_is_seen_as_one():
    events = parse((SAMPLES / "postgresql_csvlog" / "15-pgaudit_relations.log").read_bytes()).events
    assert events.filter(pl.col("command") == "REPLICATION").height == 2
    backup = events.filter(pl.col("command") == "BASE_BACKUP")
    assert backup.select("account", "client_ip", "dialect").rows() == [("his_backup", "10.20.1.10", None)]


def test_text_of_a_gbk_database_is_read_record_by_record():
    gbk = audit("select * from 病人").decode().encode("gb18030")
    events = parse(audit("select '药品'") + gbk).events
    assert events["statement"].to_list() == ["select '药品'", "select * from 病人"]


def test_the_zone_is_the_configured_one_whatever_the_abbreviation_says():
    shanghai = parse(record("statement: x")).events["occurred_at"].item()
    chicago = parse(record("statement: x"), zone=ZoneInfo("America/Chicago")).events["occurred_at"].item()
    assert shanghai == datetime(2026, 11, 20, 2, tzinfo=UTC)
    assert chicago == datetime(2026, 11, 20, 16, tzinfo=UTC)
