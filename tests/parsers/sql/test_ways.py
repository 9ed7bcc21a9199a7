"""Many ways to write one thing, and look-alikes: tests/parsers/sql/ways/*.sql, through workers, catalogue and stage.

A way: a header line `--! dialect | what is done | key: value | …`, then the statement up to the next header.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from config.catalogue import load_catalogue
from monitor.workers import Workers
from parsers.events import EVENTS, Origin, complete
from parsers.sql.lexer import DIALECTS
from parsers.sql.stage import Understanding

WAYS = Path(__file__).with_name("ways")
NOW = dt.datetime(2026, 11, 11, 2, 0, tzinfo=dt.UTC)
ORIGIN = Origin("his", "db1", "audit", "a.csv", "x", "0" * 16, 0, NOW)
PATIENTS = frozenset({"patients", "pat_master_index"})
NAMED = frozenset({"identity", "contact"})
KEYED = frozenset({"point", "set"})


@dataclass(frozen=True, slots=True)
class Way:
    kind: str
    dialect: str
    name: str
    text: str
    said: dict[str, str] = field(hash=False)


def ways(kind: str) -> Iterator[Way]:
    header, lines = "", []
    for line in [*(WAYS / f"{kind}.sql").read_text(encoding="utf-8").splitlines(), "--! "]:
        if not line.startswith("--! "):
            lines.append(line)
            continue
        if header.count(" | "):
            yield _way(kind, header, "\n".join(lines).strip())
        header, lines = line.removeprefix("--! "), []


def _way(kind: str, header: str, text: str) -> Way:
    dialect, name, *said = header.split(" | ")
    assert dialect in DIALECTS, header
    assert text, header
    return Way(kind, dialect, name, text, dict(part.split(": ", 1) for part in said))


KINDS = {kind: list(ways(kind)) for kind in ("reads", "tongfang", "injected", "harmless")}
ALL = [way for kind in KINDS.values() for way in kind]


@cache
def understood() -> dict[tuple[str, str], dict[str, Any]]:
    """Facts of all ways, as the pipeline attaches them to events of one batch."""
    frame = pl.DataFrame(
        {
            "position": range(len(ALL)),
            "length": [10] * len(ALL),
            "occurred_at": [NOW] * len(ALL),
            "action": ["query"] * len(ALL),
            "dialect": [way.dialect for way in ALL],
            "statement": [way.text for way in ALL],
        }
    )
    with Workers() as workers:
        told = Understanding(workers.analyser(load_catalogue()), b"k" * 32).attach(complete(frame, ORIGIN))
    rows = told.select(pl.exclude(*(set(EVENTS) - {"dialect", "statement"}))).rows(named=True)
    return {(row["dialect"], row["statement"]): row for row in rows}


def facts_of(way: Way) -> dict[str, Any]:
    return understood()[way.dialect, way.text]


def listed(said: str) -> set[str]:
    return set() if said == "-" else set(said.split())


def check_said(way: Way, told: dict[str, Any]) -> None:
    for key, said in way.said.items():
        if isinstance(told[key], list):
            missing = listed(said) - set(told[key])
            assert not missing, (key, told[key])
        elif isinstance(told[key], bool):
            assert told[key] == (said == "yes"), key
        else:
            assert (told[key] or "-") == said, key


def cases(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", KINDS[kind], ids=lambda way: f"{way.dialect}: {way.name}")


@cases("reads")
def test_every_way_to_read_the_patients_is_seen(way: Way) -> None:
    told = facts_of(way)
    check_said(way, told)
    read = {name.casefold().rsplit(".", 1)[-1] for name in told["reads"]}
    assert "reads" in way.said or read & PATIENTS, told["reads"]
    assert "output_classes" in way.said or "identity" in told["output_classes"], told["output_classes"]
    assert told["restriction"] == "none" or "restriction" in way.said, told["restriction"]


@cases("tongfang")
def test_every_way_to_count_by_doctor_and_drug_is_seen(way: Way) -> None:
    told = facts_of(way)
    check_said(way, told)
    assert told["tongfang"]


@cases("injected")
def test_what_a_form_let_in_is_seen(way: Way) -> None:
    assert "injection" in way.said
    check_said(way, facts_of(way))


@cases("harmless")
def test_daily_work_is_not_taken_for_it(way: Way) -> None:
    told = facts_of(way)
    check_said(way, told)
    assert not told["tongfang"]
    assert not told["dynamic"]
    assert not told["dangerous"]
    assert not told["injection"]
    assert told["restriction"] in KEYED or not NAMED & set(told["output_classes"])


@pytest.mark.parametrize(("kind", "least"), [("reads", 60), ("tongfang", 30), ("injected", 25), ("harmless", 60)])
def test_the_ways_are_many_and_different(kind: str, least: int) -> None:
    assert len(KINDS[kind]) >= least
    assert len({(way.dialect, way.text) for way in KINDS[kind]}) == len(KINDS[kind])
    assert {way.dialect for way in KINDS[kind]} == set(DIALECTS)
