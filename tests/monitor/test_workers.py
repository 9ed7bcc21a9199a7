"""Hostile SQL costs a worker at most, and its own tree: every text gets an answer, and the next one too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.workers import Workers
from parsers.sql.structure import Structure

HONEST = "SELECT name FROM patients WHERE patient_id = 1"


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(timeout_ms=2_000) as made:
        yield made


def one(workers: Workers, text: str, dialect: str = "postgres") -> Structure:
    return workers.structures([(dialect, text)])[0]


HOSTILE = {
    "joins": ("mysql", "SELECT * FROM patients " + " ".join(f"JOIN t{i}" for i in range(20)) + " WHERE a = 1"),
    "half_joins": ("mysql", "SELECT * FROM patients " + " ".join(f"JOIN t{i} JOIN u{i} ON t{i}.a = u{i}.a" for i in range(11))),
    "decimal": ("postgres", "SELECT CAST(a AS " + "DECIMAL(" * 25 + "1" + ")" * 25 + ") FROM patients"),
    "array": ("postgres", "SELECT " + "ARRAY[" * 25 + "1" + "]" * 25 + " FROM patients"),
    "from_nesting": ("postgres", "SELECT * FROM " + "(" * 190 + "patients" + ")" * 190),
    "deep_nesting": ("postgres", "SELECT * FROM patients WHERE a IN " + "(" * 50_000),
    "type_nesting": ("postgres", "SELECT CAST(a AS " + "ARRAY<" * 10_000 + "INT" + ">" * 10_000 + ") FROM patients"),
    "not_nesting": ("postgres", "SELECT " + "NOT " * 9_000 + "a FROM patients"),
    "case_nesting": ("postgres", "SELECT " + "CASE WHEN a THEN b ELSE " * 1_500 + "c" + " END" * 1_500 + " FROM patients"),
    "long_list": ("mysql", "SELECT * FROM patients WHERE a IN (" + ",".join(map(str, range(150_000))) + ")"),
    "comment": ("postgres", "SELECT * FROM patients /* " * 40_000),
    "surrogate": ("postgres", "SELECT '\ud800' FROM patients"),
    "sum": ("postgres", "SELECT " + "1+" * 9_000 + "1 FROM patients"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_answered_and_the_next_one_too(workers: Workers, name: str) -> None:
    dialect, text = HOSTILE[name]
    made, honest = workers.structures([(dialect, text), (dialect, HONEST)])
    assert made.statements
    names = {table.lower() for s in made.statements for table in (*s.tables, *s.reads)}
    assert "patients" in names
    assert honest.statements[0].understood == "ast"


def test_order_is_kept_over_batches(workers: Workers) -> None:
    items = [("postgres", f"SELECT a FROM t{i}") for i in range(200)]
    assert [made.statements[0].tables for made in workers.structures(items)] == [(f"t{i}",) for i in range(200)]
    assert workers.structures([]) == []


def test_a_crashed_worker_costs_its_text_only() -> None:
    with Workers(timeout_ms=2_000) as workers:
        assert one(workers, HONEST).statements[0].understood == "ast"
        process, _ = workers._idle[0]
        os.kill(process.pid, signal.SIGSEGV)
        process.join(5)
        assert one(workers, HONEST).statements[0].understood == "ast"


def _stopped(pid: int) -> None:
    """Stop a process and wait until it stands: the signal may find it at work."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)


def test_a_text_that_takes_too_long_is_killed_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers(timeout_ms=200) as workers:
        one(workers, HONEST)
        process, _ = workers._idle[0]
        _stopped(process.pid)  # it will not answer any more
        monkeypatch.setattr("monitor.workers._WALL_FACTOR", 2)
        made = one(workers, "SELECT phone FROM patients")
        assert (made.statements[0].understood, made.statements[0].reason) == ("lexical", "killed")
        assert workers.killed == {"killed": 1, "crashed": 0}
        assert process.exitcode == -signal.SIGKILL
        again = one(workers, "SELECT phone FROM patients")
        assert again.statements[0].reason == "killed"
        assert workers.killed["killed"] == 1
        assert one(workers, HONEST).statements[0].understood == "ast"


def test_closing_twice_ends_the_processes() -> None:
    workers = Workers()
    one(workers, HONEST)
    process, _ = workers._idle[0]
    workers.close()
    workers.close()
    assert not process.is_alive()


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal\n"
        "from monitor.workers import Workers\n"
        "if __name__ == '__main__':\n"
        "    workers = Workers()\n"
        "    workers.structures([('postgres', 'SELECT 1')])\n"
        "    print(workers._idle[0][0].pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        check=False,
    )
    pid = int(done.stdout)
    status = Path(f"/proc/{pid}/status")
    # gone, or a zombie that nobody has collected yet
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_a_worker_loads_no_frame_library(workers: Workers) -> None:
    one(workers, HONEST)
    maps = Path(f"/proc/{workers._idle[0][0].pid}/maps").read_text()
    assert "polars" not in maps
    assert "duckdb" not in maps
