"""The benchmark of detection counts what is held and what is spent, and moves a day without making it another."""

from __future__ import annotations

import detection_cost as bench
import numpy as np
import polars as pl

from detectors.cases import ACTS, NOON, SCHEMA


def events(count: int) -> pl.DataFrame:
    rows = [
        dict.fromkeys(SCHEMA) | dict(ACTS["query"]) | {"event_id": str(n), "occurred_at": NOON, "received_at": NOON}
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_batches_are_the_whole_stream() -> None:
    parts = list(bench.batches(events(7), 3))
    assert [part.height for part in parts] == [3, 3, 1]
    assert pl.concat(parts).equals(events(7))


def test_another_day_is_the_same_work_under_other_names() -> None:
    before, after = events(3), bench.moved(events(3), 2)
    assert after.schema == before.schema
    assert ((after["occurred_at"] - before["occurred_at"]).dt.total_days() == 2).all()
    assert set(after["event_id"]).isdisjoint(before["event_id"])


def test_what_is_held_is_counted_once() -> None:
    array = np.zeros(1_000_000, np.int64)
    assert 8_000_000 <= bench.held([array, array], {"again": array}) < 8_010_000
    frame = pl.DataFrame({"a": array})
    assert bench.held(frame) >= 8_000_000
    assert bench.held(int, bench.held) == 0
