"""A real PostgreSQL writing text, csvlog and jsonlog at once: all three tell the same, under several prefixes."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers import PostgreSQL, postgresql

from parsers.events import Origin
from parsers.registry import Parsed, parsers

ZONE = "Asia/Shanghai"
STATEMENTS = (
    "SELECT * FROM patients",
    "SELECT name,\n\n\t'a\r\nb'\n  FROM patients\n WHERE patient_id = 1",
    "SET application_name = 'x LOG:  y'; ",
    "UPDATE patients SET name = 'LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>,9'",
    "DO $$ BEGIN RAISE LOG 'AUDIT: SESSION,1,1,READ,SELECT,,,select * from patients,<none>,99'; END $$",
)
SHARED = ("occurred_at", "action", "outcome", "account", "database", "client_ip", "statement", "rows", "rows_kind",
          "parameters", "statement_number", "record_role", "activity_key", "session", "detail")  # fmt: skip


def read(path: Path, name: str, prefix: str | None = None) -> Parsed:
    data = path.read_bytes()
    unit = parsers()[name]
    unit = unit.configured({"log_line_prefix": prefix}) if prefix else unit
    origin = Origin("site", "system", "source", path.name, name, "0" * 16, 0, datetime.now(UTC), datetime.now(UTC))
    parsed = unit.parse(data, origin, ZoneInfo(ZONE), {})
    told = parsed.events["length"].sum() + sum(size for _, size in parsed.skips.values())
    assert parsed.rejects.is_empty()
    assert told == len(data)
    return parsed


def use(server: PostgreSQL) -> None:
    server.psql("CREATE DATABASE his", database="postgres")
    server.psql("CREATE TABLE patients (patient_id int, name text); INSERT INTO patients VALUES (1, '张三'), (2, 'x')")
    server.psql('CREATE ROLE "his app" LOGIN SUPERUSER')
    for statement in STATEMENTS:
        server.psql(statement, user="his app")
    for wrong, user in (("SELECT nothing FROM nowhere", "his app"), ("SELECT 1", "a@b\nno LOG:  statement: such")):
        with pytest.raises(subprocess.CalledProcessError):
            server.psql(wrong, user=user)


@pytest.mark.live
@pytest.mark.parametrize(
    ("prefix", "verbosity"),
    [
        ("%m [%p] %q%u@%d %h %a ", "default"),
        ("%m [%p] ", "default"),
        ("%m [%p] %c user=%u,db=%d,app=%a,client=%r ", "verbose"),
        ("%n <%-8p> %e %s %b ", "terse"),
    ],
)
def test_text_tells_what_csvlog_tells(tmp_path: Path, prefix: str, verbosity: str) -> None:
    destinations = {"log_destination": "stderr,csvlog,jsonlog", "log_line_prefix": prefix}
    with postgresql(tmp_path / "pg", ZONE, log_error_verbosity=verbosity, **destinations) as server:
        use(server)
    full = read(next(server.logs.glob("*.csv")), "postgresql_csvlog").events
    text = read(next(server.logs.glob("*.log")), "postgresql_stderr", prefix).events
    # a name with a line break makes its own record forgeable, whatever else it says; the server's own session has no
    # beginning in the text
    name = full["account"].str.contains("\n").fill_null(value=False)
    assert text.height == full.height
    keep = ~(
        name
        | text["forgeable"]
        | full["session"].is_in(full.filter(pl.col("action") == "setting")["session"].implode())
    )
    keep &= full["error_code"].ne_missing("57P03")  # who asked whether the server is up; only the prefix would tell
    given = {"database"} if "%d" not in prefix else set()
    given |= {"detail"} if verbosity == "terse" else set()
    # a session may have begun in the second before the one in which it was logged
    given |= {"session", "activity_key"} if "%c" not in prefix and "%s" not in prefix else set()
    for column in SHARED:
        if column in given:
            continue
        assert text[column].filter(keep).to_list() == full[column].filter(keep).to_list(), column
    assert text["statement"].fill_null("").str.contains("\n", literal=True).any()
    raised = text.filter(pl.col("detail").str.starts_with("AUDIT: "))
    assert raised.select("action", "forgeable").rows() == [("notice", True)]
