"""A real MariaDB tells one act in its audit, slow and general log: the keys join them, and the slow log knows the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers import mariadb, wait_until

from detectors.folding import Folding
from parsers.events import Origin
from parsers.registry import parsers

ZONE = "Asia/Shanghai"
LOGS = {
    "mariadb_server_audit": "server_audit.log",
    "mariadb_slow_log": "slow.log",
    "mariadb_general_log": "general.log",
    "mariadb_error_log": "error.log",
}


def read(folder: Path, name: str) -> pl.DataFrame:
    """Events of one log; every byte of it is accounted for, and nothing is rejected."""
    path = folder / LOGS[name]
    data = path.read_bytes()
    now = datetime.now(UTC)
    origin = Origin("site", "his", name, path.name, name, "0" * 16, 0, now, now)
    parsed = parsers()[name].parse(data, origin, ZoneInfo(ZONE), {})
    assert parsed.rejects.is_empty(), parsed.rejects.rows()
    assert parsed.events["length"].sum() + sum(size for _, size in parsed.skips.values()) == len(data)
    assert parsed.events["clock_trusted"].all()
    return parsed.events


def numbered(events: pl.DataFrame) -> pl.DataFrame:
    mains = events.filter(pl.col("record_role") == "main")
    return mains.with_columns(number=pl.int_range(pl.len()).over("activity_key"))


@pytest.mark.live
def test_one_act_in_four_logs(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    files = {
        "general_log": "ON",
        "general_log_file": str(folder / "general.log"),
        "slow_query_log": "ON",
        "slow_query_log_file": str(folder / "slow.log"),
        "long_query_time": "0",
        "log_slow_verbosity": "query_plan,explain",
        "log_error": str(folder / "error.log"),
    }
    with mariadb(folder, ZONE, **files) as server:
        server.run(
            "CREATE DATABASE his CHARACTER SET utf8mb4; CREATE TABLE his.patients (id int, name text);"
            "INSERT INTO his.patients VALUES (1, 'it''s'), (2, '张三'), (3, 'a\nb')"
        )
        server.run("SELECT * FROM patients\n WHERE name <> 'x'; SELECT 'two' FROM patients LIMIT 2", database="his")
        server.run("PREPARE p FROM 'DELETE FROM patients WHERE id < ?'; SET @n = 3; EXECUTE p USING @n", database="his")
        server.run(
            "SELECT 1 FROM patients LIMIT 1; FLUSH LOGS; SELECT 2 FROM no_such_table", database="his", check=False
        )
        server.run("SELECT 1", user="nobody\nhere", check=False)
        server.run("SET GLOBAL server_audit_logging=OFF; SET GLOBAL server_audit_logging=ON")
        wait_until(lambda: b"nobody" in (folder / "server_audit.log").read_bytes(), "the refused login is logged")
        wait_until(lambda: b"logging=ON" in (folder / "slow.log").read_bytes(), "the last statement is logged")
    audit, slow, general, error = (read(folder, name) for name in LOGS)

    said = audit.filter(pl.col("statement").str.starts_with("SELECT * FROM patients")).row(0, named=True)
    counted = slow.filter(pl.col("activity_key") == said["activity_key"]).row(0, named=True)
    asked = general.filter(pl.col("activity_key") == said["activity_key"]).row(0, named=True)
    assert (said["rows"], said["rows_kind"]) == (None, "unknown")
    assert (counted["rows"], counted["rows_kind"]) == (3, "known")
    assert counted["bytes"] > 3
    for event in (counted, asked):
        for name in ("statement", "account", "client_ip", "session", "database", "command"):
            assert event[name] == said[name], name
        assert abs((event["occurred_at"] - said["occurred_at"]).total_seconds()) <= 1

    told = {event["command"]: event["rows"] for event in slow.iter_rows(named=True) if event["rows"]}
    assert told["INSERT"] == 3
    assert told["DELETE"] == 2

    query = pl.col("action") == "query"
    keys = ["activity_key", "number"]
    unheard = numbered(slow.filter(query)).join(numbered(audit.filter(query)), on=keys, how="anti")
    hidden = ["SET GLOBAL server_audit_logging=ON"]  # runs while the plugin is off, or is its first record
    assert set(unheard["statement"]) <= set(hidden), unheard["statement"].to_list()

    refused = [events.filter(pl.col("outcome") == "failed", action="login") for events in (audit, general, error)]
    assert [events["account"].to_list() for events in refused] == [["nobody\nhere"]] * 3
    assert len({key for events in refused for key in events["activity_key"]}) == 1
    settings = error.filter(action="setting")["detail"].to_list()
    assert "logging was stopped." in settings
    assert settings[-1] == "STOPPED"

    order = [(name, "his") for name in LOGS]
    folded = Folding(order).fold(pl.concat([audit, slow, general]), datetime.now(UTC))
    one = folded.filter(pl.col("activity_key") == said["activity_key"]).select("source", "record_role").rows()
    assert one == [
        ("mariadb_server_audit", "main"),
        ("mariadb_slow_log", "outcome"),
        ("mariadb_general_log", "duplicate"),
    ]
