"""docs/store.md tells the truth: every column is there, and its questions can be asked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.protect import Protection, load_key
from monitor.store import schema
from monitor.store.query import run_query

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
DEMO = ROOT / "config" / "demo"
TOKEN = "195428385c6366b3662dfdab"
TABLES = {
    "events": schema.APPENDED["events"],
    "shapes": schema.APPENDED["shapes"],
    "findings": schema.APPENDED["findings_history"],
    "rejects": schema.APPENDED["rejects"],
    "settlements": schema.APPENDED["settlements"],
    "hushed": schema.APPENDED["hushed"],
    "outbox": schema.MUTABLE["outbox"],
    "queries": schema.MUTABLE["queries"],
    "accounts": schema.MUTABLE["accounts"],
    "code": schema.MUTABLE["code"],
    "inventory_changes": schema.MUTABLE["inventory_changes"],
}
QUESTIONS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_explained_and_no_other(table: str) -> None:
    section = PAGE.partition(f"\n### {table}\n")[2].partition("\n#")[0]
    named = [
        name
        for line in section.split("\n")
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert sorted(named) == sorted(TABLES[table])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's day and night, as `scan --store` keeps them."""
    folder = tmp_path_factory.mktemp("page") / "store"
    command = [sys.executable, "-m", "monitor.cli", "scan", "--config", str(DEMO / "hospital.yaml"), "--json"]
    subprocess.run([*command, "--store", str(folder)], check=True, capture_output=True, cwd=ROOT)
    return folder


def test_there_are_five_questions() -> None:
    assert len(QUESTIONS) == 5


def test_the_questions_of_the_page_are_answered(store: Path) -> None:
    first = "SELECT patient_tokens[1] AS token FROM events WHERE patient_tokens IS NOT NULL LIMIT 1"
    present = run_query(store, first).frame.item()
    assert sum(TOKEN in question for question in QUESTIONS) == 1
    for question in QUESTIONS:
        answer = run_query(store, question.replace(TOKEN, present))
        assert answer.frame.height > 0, question
        assert not answer.warning


def test_a_number_in_the_log_is_found_by_its_token(store: Path) -> None:
    """The way of an investigator: a number, its token, who touched it."""
    number = "P0002682"
    assert f"patient_id = '{number}'" in (DEMO / "logs" / "postgresql-2026-11-11.csv").read_text(encoding="utf-8")
    protection = Protection(load_key(store / "keys" / "token.key"))
    asking = next(question for question in QUESTIONS if TOKEN in question)
    found = run_query(store, asking.replace(TOKEN, protection.token(number))).frame
    assert found.height > 0
    assert found["account"].null_count() == 0
    assert run_query(store, asking.replace(TOKEN, protection.token("P9999999"))).frame.is_empty()
