"""Records built from the pattern of csvlog and jsonlog themselves come back as they were built, in both."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.events import Origin
from parsers.postgresql_csvlog import COLUMNS
from parsers.registry import parsers

WHEN = datetime(2027, 1, 1, tzinfo=UTC)
STAMP = "2026-11-18 09:00:00.123 CST"
# what a server logs: any text but NUL, which no value can hold; a lone CR is a line break for a CSV writer of Python
plain = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
names = st.text(plain, min_size=1, max_size=30)
texts = st.text(plain, min_size=1, max_size=200)
hosts = st.sampled_from(["10.20.3.16", "::1", "[local]"])
records = st.lists(st.tuples(names, names, hosts, texts, st.integers(0, 10**9)), min_size=1, max_size=6)


def audit(number: int, statement: str, rows: int) -> str:
    """pgaudit's own CSV: a field is quoted where it needs it."""
    quoted = '"' + statement.replace('"', '""') + '"' if set(statement) & set(',"\n\r') else statement
    return f"AUDIT: SESSION,{number},1,READ,SELECT,,,{quoted},<none>,{rows}"


def as_csv(told: dict[str, str]) -> str:
    def field(value: str, name: str) -> str:
        bare = name in {"log_time", "process_id", "session_id", "session_line_num", "session_start_time", "error_severity",
                        "virtual_transaction_id", "transaction_id", "sql_state_code", "query_id"}  # fmt: skip
        return value if bare or not value else '"' + value.replace('"', '""') + '"'

    return ",".join(field(told.get(name, ""), name) for name in COLUMNS) + "\n"


def as_json(told: dict[str, str]) -> str:
    host, _, port = told["connection_from"].rpartition(":")
    found = {
        "timestamp": told["log_time"], "user": told["user_name"], "dbname": told["database_name"], "pid": 77,
        "remote_host": host or told["connection_from"], "session_id": told["session_id"],
        "line_num": int(told["session_line_num"]), "ps": "SELECT", "session_start": told["session_start_time"],
        "vxid": "3/4", "txid": 0, "error_severity": "LOG", "message": told["message"], "backend_type": "client backend",
        "query_id": 0,
    }  # fmt: skip
    if host:
        found["remote_port"] = int(port)
    return json.dumps(found, ensure_ascii=False) + "\n"


@given(records)
@settings(deadline=None, max_examples=60)
def test_what_a_record_says_comes_back(built: list[tuple[str, str, str, str, int]]) -> None:
    logs: dict[str, list[str]] = {"csvlog": [], "jsonlog": []}
    for number, (user, database, host, statement, rows) in enumerate(built, 1):
        told = {
            "log_time": STAMP, "user_name": user, "database_name": database, "process_id": "77",
            "connection_from": host if host == "[local]" else f"{host}:5432{number}", "session_id": "6a1b2c3d.4d",
            "session_line_num": str(number), "command_tag": "SELECT", "session_start_time": "2026-11-18 08:00:00 CST",
            "virtual_transaction_id": "3/4", "transaction_id": "0", "error_severity": "LOG", "sql_state_code": "00000",
            "message": audit(number, statement, rows), "application_name": "psql", "backend_type": "client backend", "query_id": "0",
        }  # fmt: skip
        logs["csvlog"].append(as_csv(told))
        logs["jsonlog"].append(as_json(told))
    assert sum(1 for _ in csv.reader(io.StringIO("".join(logs["csvlog"]), newline=""))) == len(built)
    for form, lines in logs.items():
        name = f"postgresql_{form}"
        origin = Origin("h", "s", "s", "/log", name, "0" * 16, 0, WHEN, WHEN)
        parsed = parsers()[name].parse("".join(lines).encode(), origin, ZoneInfo("Asia/Shanghai"), {})
        assert parsed.rejects.is_empty(), form
        read = parsed.events.select("account", "database", "client_ip", "statement", "rows", "position").rows()
        starts = [sum(len(line.encode()) for line in lines[:index]) for index in range(len(lines))]
        expected = [
            (user, database, host, statement, rows, start)
            for (user, database, host, statement, rows), start in zip(built, starts, strict=True)
        ]
        assert read == expected, form
