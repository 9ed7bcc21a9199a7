"""Statements with the facts expected of them: tests/parsers/sql/fixtures/<dialect>.sql."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.catalogue import load_catalogue
from parsers.sql.explain import explain

FIXTURES = Path(__file__).with_name("fixtures")
CATALOGUE = load_catalogue()


def cases(dialect: str) -> list[Any]:
    found: list[Any] = []
    notes: list[str] = []
    lines: list[str] = []

    def close() -> None:
        if lines and notes:
            found.append(pytest.param(dialect, notes[-1], "\n".join(lines), id=f"{dialect}: {notes[-2]}"))
        lines.clear()

    for line in (FIXTURES / f"{dialect}.sql").read_text(encoding="utf-8").split("\n"):
        if line.startswith("--!"):
            if lines:
                close()
                notes.clear()
            notes.append(line[3:].strip())
        elif line.strip():
            lines.append(line)
    close()
    return found


ALL = [case for dialect in ("postgres", "mysql", "oracle", "tsql") for case in cases(dialect)]


def expected(note: str) -> dict[str, str]:
    return dict(part.strip().split(": ", 1) for part in note.split(" | "))


def shown(key: str, value: object) -> str:
    if key == "aggregate" and isinstance(value, dict):
        return " ".join([*value["functions"][:1], "by", *value["by"]])
    if isinstance(value, list):
        return " ".join(sorted(map(str, value))) or "-"
    return "-" if value in {None, ""} else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("dialect", "note", "text"), ALL)
def test_the_facts_of_a_statement(dialect: str, note: str, text: str) -> None:
    told = explain(text, dialect, CATALOGUE)
    assert len(told) == 1
    wanted = expected(note)
    lists = {key for key, value in told[0].items() if isinstance(value, list)}
    wanted = {key: " ".join(sorted(value.split())) if key in lists else value for key, value in wanted.items()}
    assert {key: shown(key, told[0][key]) for key in wanted} == wanted


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 150
