"""Builders for the tests of context: a register from YAML, events with facts from a few words each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from config.loader import load_register
from config.register import Register
from parsers.events import CONTEXT, EVENTS, FACTS, check

SHANGHAI = ZoneInfo("Asia/Shanghai")
SCHEMA = {**EVENTS, **FACTS}
PLAIN = {
    "site": "h", "system": "pg", "source": "s", "action": "query", "outcome": "ok", "understood": "ast", "verb": "select",
    "reads": [], "writes": [], "output_classes": [], "used_classes": [], "destination": "client", "dangerous": [],
    "aggregate_functions": [], "tongfang": False, "audit_change": False, "privilege_change": False, "schema_change": False,
    "command": None, "record_role": "main",
}  # fmt: skip
NO_SQL = dict.fromkeys(FACTS)


def row(local: str, **columns: object) -> dict[str, object]:
    """One event at a local time of Shanghai."""
    base = {**PLAIN, **(NO_SQL if columns.get("action", "query") != "query" else {})}
    stamp = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI)
    return {name: {**base, **columns, "occurred_at": stamp}.get(name) for name in SCHEMA}


def frame_of(rows: Iterable[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, object]]:
    return row


@pytest.fixture(scope="session")
def frame() -> Callable[..., pl.DataFrame]:
    return frame_of


@pytest.fixture
def register(tmp_path: Path) -> Callable[[str], Register]:
    def register(text: str) -> Register:
        file = tmp_path / "register.yaml"
        file.write_text(text, encoding="utf-8")
        return load_register(file, SHANGHAI)

    return register


@pytest.fixture(scope="session")
def checked() -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The context columns of an enriched frame whose schema is right."""

    def checked(enriched: pl.DataFrame) -> pl.DataFrame:
        check(enriched, EVENTS, FACTS, CONTEXT)
        return enriched.select(list(CONTEXT))

    return checked
