"""Enriched frames for tests: every column of the real schema, ordinary values unless a test says otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from detectors.cases import ACTS, BY, NOON, SCHEMA

_count = iter(range(10**9))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    number = next(_count)
    moment = columns.pop("occurred_at", at(minutes))
    row = dict.fromkeys(SCHEMA) | ACTS["event"]
    row |= {"position": number, "event_id": f"e{number:09d}", "occurred_at": moment, "received_at": moment}
    unknown = set(columns) - set(SCHEMA)
    assert not unknown, unknown
    return row | columns


def query(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    """A SELECT by a registered member of staff that touches nothing sensitive."""
    return event(minutes, **(ACTS["query"] | columns))


def transfer(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    """A member of staff fetches a form from the file server."""
    return event(minutes, **(ACTS["transfer"] | columns))


def login(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    return event(minutes, **(ACTS["login"] | columns))


def vendor(**columns: Any) -> dict[str, Any]:
    """Columns of a registered vendor engineer inside the agreed hours, without a ticket."""
    return BY["vendor"] | columns


def service(**columns: Any) -> dict[str, Any]:
    return BY["service"] | columns


def frame(*events: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(events), schema=SCHEMA, orient="row")


def keys_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["rule"], row["id"]
