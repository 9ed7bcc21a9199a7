"""What versions before and after 15 write otherwise: columns, trust, how long a login took, escaped program names."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from parsers import postgresql_jsonlog

_spec = importlib.util.spec_from_file_location("postgresql_cases", Path(__file__).parent / "test_postgresql.py")
assert _spec is not None
assert _spec.loader is not None
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)
parse, record = cases.parse, cases.record
SAMPLES = Path(__file__).parent / "samples"


def columns(name):
    return parse((SAMPLES / "postgresql_csvlog" / f"{name}.log").read_bytes())


def test_versions_12_and_13_lack_columns_and_tell_the_same_acts():
    older, newer = columns("12-columns"), columns("13-columns")
    assert not older.rejects.height + newer.rejects.height
    kept = [name for name in older.events.columns if name not in {"event_id", "position", "length"}]
    assert older.events.select(kept).equals(newer.events.select(kept))
    counted = [sum(records for records, _ in parsed.skips.values()) for parsed in (older, newer)]
    assert counted[0] == counted[1] > 0


def test_a_server_may_change_its_columns_within_a_file():
    both = b"".join(
        (SAMPLES / "postgresql_csvlog" / f"{name}.log").read_bytes() for name in ("12-columns", "18-connections")
    )
    parsed = parse(both)
    assert parsed.events.height == columns("12-columns").events.height + columns("18-connections").events.height
    assert not parsed.rejects.height


@pytest.mark.parametrize("form", ["csvlog", "jsonlog"])
def test_of_the_records_of_a_login_one_counts(form):
    data = (SAMPLES / f"postgresql_{form}" / "18-connections.log").read_bytes()
    events = (parse(data) if form == "csvlog" else parse(data, unit=postgresql_jsonlog)).events
    logins = [row for row in events.iter_rows(named=True) if row["action"] == "login"]
    assert [row["record_role"] for row in logins] == ["part", "main", "part"] * 2 + ["main"]
    assert len({row["activity_key"] for row in logins}) == 3


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ('connection authenticated: identity="cn=a,ou=b" method=cert (/etc/pg_hba.conf:1)', "part"),
        ('connection authenticated: user="app" method=trust (/etc/pg_hba.conf:119)', "part"),
        ('connection authenticated: user="a" b" method=trust (C:/data/pg_hba.conf:1)', "part"),
        ("connection authorized: user=app database=his application_name=x", "main"),
        ('connection authorized: user="x" method=y database=his application_name=psql', "main"),
        ("replication connection authorized: user=rep application_name=walreceiver", "main"),
    ],
)
def test_who_was_proved_and_who_was_let_in(message, role):
    events = parse(record(message, tag="authentication")).events
    assert events.select("action", "record_role").row(0) == ("login", role)


def test_a_client_cannot_write_the_end_of_its_login():
    message = "connection ready: setup total=9.743 ms, fork=2.870 ms, authentication=1.150 ms"
    assert parse(record(message, tag="idle")).events["action"][0] == "login"
    raised = parse(
        record(message, tag="DO", query="do $$ begin raise log ... end $$", context="PL/pgSQL function")
    ).events
    assert raised["action"][0] == "notice"


@pytest.mark.parametrize(
    "text",
    [
        "select 1 -- 1:02:03.456 user=x",
        "x: 1.000 ms",
        "select a=1.0 ms, fork=2",
        "-- disconnection: session time: 0:00:01.000 user=a",
    ],
)
def test_no_text_of_a_statement_hides_it(text):
    events = parse(record(f"statement: {text}", tag="SELECT")).events
    assert events.select("action", "statement", "record_role").row(0) == ("query", text, "main")


def test_two_records_on_one_line_are_refused_whatever_stands_beside_them():
    one = record("statement: select 1")
    joined = one[:-1] + b"," + record("statement: select 2", line=2)
    for data in (joined, one + joined, joined + b"torn\n"):
        rejects = parse(data).rejects
        assert ("bad_columns", len(joined)) in rejects.select("reason", "length").rows()
