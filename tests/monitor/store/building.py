"""Small batches as the pipeline would hand them over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from detectors.findings import FINDINGS
from monitor.alerts.outbox import OUTBOX
from monitor.sources.generations import Position, Prefix, digest
from monitor.store.hot import Batch, SpaceLimits, Store
from parsers.events import CONTEXT, EVENTS, FACTS

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
NO_LIMITS = SpaceLimits(low_bytes=0, low_share=0, pause_bytes=0, ballast_bytes=0)


def open_store(directory: Path, **more: Any) -> Store:
    more.setdefault("space", NO_LIMITS)
    return Store(directory, memory_limit_mb=128, **more)


def events(count: int, *, start: int = 0, at: datetime = START, **columns: Any) -> pl.DataFrame:
    """Enriched events in flight; `columns` override."""
    frame = pl.DataFrame(
        {
            "event_id": [f"0123456789abcdef-{number}" for number in range(start, start + count)],
            "position": list(range(start, start + count)),
        }
    ).with_columns(
        site=pl.lit("renmin"),
        system=pl.lit("his"),
        source=pl.lit("audit"),
        format=pl.lit("toy"),
        occurred_at=pl.lit(at),
        received_at=pl.lit(at),
        action=pl.lit("query"),
        outcome=pl.lit("ok"),
        account=pl.lit("jean"),
        statement=pl.lit("SELECT * FROM patient WHERE id_no = '110101199001011237'"),
        understood=pl.lit("ast"),
        shape_id=pl.lit("a" * 32),
        patient_keys=pl.lit(["token"], dtype=pl.List(pl.String)),
    )
    frame = frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()})
    wanted = {**EVENTS, **FACTS, **CONTEXT}
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in wanted.items()
    )


def shapes(*ids: str, verb: str = "select") -> pl.DataFrame:
    frame = pl.DataFrame({"shape_id": list(ids)})
    values = {"shape": "SELECT * FROM patient WHERE id_no = ?", "understood": "ast", "verb": verb}
    return frame.select(
        (pl.col(name) if name == "shape_id" else pl.lit(values.get(name))).cast(dtype).alias(name)
        for name, dtype in FACTS.items()
    )


def findings(*keys: tuple[str, int]) -> pl.DataFrame:
    rows = [{"id": id_, "revision": revision, "rule": "EXF-01", "severity": "high"} for id_, revision in keys]
    return pl.DataFrame(rows, schema=FINDINGS)


def messages(*ids: str, at: datetime = START, channel: str = "webhook", created_at: datetime = START) -> pl.DataFrame:
    rows = [
        {
            "finding_id": id_, "revision": 1, "channel": channel, "story": "s", "created_at": created_at, "next_try_at": at,
            "attempts": 0, "state": "waiting", "payload": "{}",
        }
        for id_ in ids
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=OUTBOX)


def position(amount: int, generation: str = "0123456789abcdef", source: str = "audit") -> Position:
    empty = digest(b"")
    return Position(
        source, generation, "/var/log/app.log", 1, 2, 0, empty, 0, empty, Prefix().chain, empty, amount, "open", START
    )


def batch(count: int = 0, *, start: int = 0, minutes: int = 0, **more: Any) -> Batch:
    at = START + timedelta(minutes=minutes)
    given: dict[str, Any] = {"positions": [position(start + count)], "events": events(count, start=start, at=at)}
    return Batch(at, **(given | more))


def values(store: Store, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return store.database.read(sql, list(parameters)).rows()
