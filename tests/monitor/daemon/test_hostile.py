"""Statements and bytes made to kill their reader, inside a real log: all are stored, and what follows is read."""

from __future__ import annotations

from pathlib import Path

from daemon import Daemon, configure, daemon
from hostile import BYTES, NOT_A_TREE, STORED, corpus, record
from running import metric, while_alive


def good(number: int) -> bytes:
    return record(200 + number, f"good{number}", b"SELECT name FROM patients WHERE patient_id = 7")


def test_hostile_statements_are_stored_and_cost_nobody_else(tmp_path: Path) -> None:
    log = tmp_path / "his.csv"
    statements = corpus()
    log.write_bytes(b"".join(record(n, who, text) + good(n) for n, (who, text) in enumerate(statements.items())))
    config, port = configure(
        tmp_path / "site", {"pg": {"system": "his-pg", "path": str(log), "format": "postgresql_csvlog"}}
    )
    with daemon(config, port) as running:
        count = 2 * len(statements)
        while_alive(running, lambda: metric(running, "hiswatch_records_total", source="pg") >= count, "all are read")
        assert metric(running, "hiswatch_records_total", source="pg") == count
        rows = running.query("SELECT account, understood, reason, reads, left(shape, 40) AS shape FROM events_full")
        assert len(rows) == count
        by_account = {row["account"]: row for row in rows}
        assert {name for name in by_account if not name.startswith("good")} == set(statements)
        for name in NOT_A_TREE:
            assert by_account[name]["understood"] in ("lexical", "none"), name
            assert by_account[name]["reason"], name
        for name in set(NOT_A_TREE) - {"garbage"}:  # the tables are found all the same
            assert "patients" in by_account[name]["reads"], name
        for name in (*STORED, *BYTES):
            assert by_account[name]["understood"] == "ast" or by_account[name]["reason"], name
        assert {row["understood"] for row in rows if row["account"].startswith("good")} == {"ast"}
        assert '"root"' not in repr(rows)  # the forged record stayed inside its statement
    assert "Traceback" not in running.log.read_text()


def test_a_line_of_four_megabytes_costs_only_itself(tmp_path: Path) -> None:
    log = tmp_path / "his.csv"
    long = record(1, "long", b"SELECT * FROM patients WHERE name = '" + b"a" * (4 << 20) + b"'")
    endless = b"x" * (4 << 20) + b"\n"
    log.write_bytes(good(0) + long + good(1) + endless + good(2))
    config, port = configure(
        tmp_path / "site", {"pg": {"system": "his-pg", "path": str(log), "format": "postgresql_csvlog"}}
    )
    with daemon(config, port) as running:
        # a line of four megabytes is several records, so how many were read says nothing of the last
        while_alive(running, lambda: _good(running) == ["good0", "good1", "good2"], "all is read")
        (told,) = running.query("SELECT count(*)::BIGINT AS n, sum(length)::BIGINT AS bytes FROM rejects")
        (events,) = running.query("SELECT sum(length)::BIGINT AS bytes FROM events")
        assert told["bytes"] + events["bytes"] == log.stat().st_size  # every byte is accounted for
    assert "Traceback" not in running.log.read_text()


def _good(running: Daemon) -> list[str]:
    rows = running.query("SELECT account FROM events WHERE account LIKE 'good%' ORDER BY 1")
    return [row["account"] for row in rows]
