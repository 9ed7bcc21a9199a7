"""The view `acts`: each act once, whatever number of records and logs told it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
from building import START, batch, events, open_store

from monitor.store.query import run_query

SECOND = timedelta(seconds=1)


def asked(tmp_path: Path, frame: pl.DataFrame, columns: str) -> list[tuple[object, ...]]:
    with open_store(tmp_path / "state") as store:
        made = batch(0)
        store.commit(type(made)(**{**{name: getattr(made, name) for name in made.__slots__}, "events": frame}))
    return run_query(tmp_path / "state", f"SELECT {columns} FROM acts ORDER BY occurred_at, rows").frame.rows()


def one(number: int, *, after: float = 0.0, **columns: object) -> pl.DataFrame:
    return events(1, start=number, at=START + after * SECOND, record_role=columns.pop("role", "main"), **columns)


def test_two_logs_of_a_server_tell_an_act_once_with_what_each_knows(tmp_path: Path) -> None:
    frame = pl.concat(
        [
            one(1, activity_key="q1", source="audit"),
            one(2, activity_key="q1", source="slow", after=1, outcome="unknown", rows=500, rows_kind="known"),
            one(3, activity_key="q1", source="audit", after=60),  # the same again, much later
            one(4, activity_key="q1", source="other", system="lis"),
            one(5, after=90),
        ]
    )
    told = asked(tmp_path, frame, "system, source, outcome, rows, rows_kind, records, array_to_string(told_by, ' ')")
    assert sorted(told, key=str) == sorted(
        [
            ("his", "audit", "ok", 500, "known", 2, "audit slow"),
            ("lis", "other", "ok", None, None, 1, "other"),
            ("his", "audit", "ok", None, None, 1, "audit"),
            ("his", "audit", "ok", None, None, 1, "audit"),
        ],
        key=str,
    )


def test_outcomes_reach_the_act_and_parts_are_none(tmp_path: Path) -> None:
    frame = pl.concat(
        [
            one(1, role="part", activity_key="f1", action="download"),
            one(2, activity_key="f1", action="download", outcome="unknown", bytes_kind="unknown", after=1),
            one(3, role="outcome", activity_key="f1", action="download", outcome="failed", error_code="aborted", bytes=7,
                bytes_kind="estimated", after=2),
        ]
    )  # fmt: skip
    told = asked(tmp_path, frame, "outcome, error_code, bytes, bytes_kind, records")
    assert told == [("failed", "aborted", 7, "estimated", 2)]
