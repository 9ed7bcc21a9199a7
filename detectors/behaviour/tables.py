"""What behaviour remembers, as append-only rows: `union` of marks, sums of days, sums and first evidence of cells.

No name of a patient and no text of a statement is in it: subjects and items are hashes; cells, which are kept for days only, hold
what a finding shows.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from detectors.panes import COUNTS
from parsers.events import TEXTS, UTC

EVIDENCE = 5  # events that a cell keeps: the first ones
MOST = 24  # patients of a subject and day of which the hash is kept: the smallest ones

SUMS: dict[str, pl.DataType] = {name: pl.Int64() for name in COUNTS}  # of a cell, beside the first and last time
CELL: dict[str, pl.DataType] = {
    "key": pl.String(),  # the subject, as the engine writes keys
    "subject": pl.UInt64(),
    "item": pl.UInt64(),  # what each of its events brought, one thing or several; 0 where a cell is a whole day
    "parts": pl.List(pl.UInt64()),  # marks of those things, or of what the only one is made of
    "names": TEXTS,  # of each as a finding shows it
    "day": pl.Int32(),  # local day since 1970-01-01
    **SUMS,
    "first_at": pl.Int64(),  # microseconds since the epoch
    "last_at": pl.Int64(),
    "evidence": TEXTS,  # time, event_id, objects and classes; null: nothing that changes the first EVIDENCE events
    "first": TEXTS,  # who and where of the earliest event
}
BEHAVIOUR_TABLES: dict[str, dict[str, pl.DataType]] = {
    "behaviour_marks": {
        "rule": pl.String(), "until": UTC, "mark": pl.UInt64(), "slot": pl.Int32(), "bits": pl.UInt64(),
    },
    "behaviour_days": {
        "rule": pl.String(), "until": UTC, "subject": pl.UInt64(), "peers": pl.UInt64(), "day": pl.Int32(),
        "amount": pl.Int64(),
    },
    "behaviour_patients": {
        "rule": pl.String(), "until": UTC, "subject": pl.UInt64(), "peers": pl.UInt64(), "day": pl.Int32(),
        "members": pl.List(pl.UInt32()),
    },
    "behaviour_cells": {"rule": pl.String(), "until": UTC, **CELL},
    "learning_sources": {"source": pl.String(), "first_at": UTC},
}  # fmt: skip
# Where a batch leaves a row for every subject that it met: added up day by day, once the day is over.
BY_DAY = ("behaviour_days", "behaviour_patients")


def compact(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The same state in fewer rows."""
    marks = tables["behaviour_marks"].group_by("rule", "mark", "slot").agg(
        pl.col("until").max(), pl.col("bits").bitwise_or()
    )  # fmt: skip
    sources = tables["learning_sources"].group_by("source").agg(pl.col("first_at").min())
    merged = {
        "behaviour_marks": marks,
        **{name: compact_days(name, tables[name]) for name in BY_DAY},
        "behaviour_cells": merge_cells(tables["behaviour_cells"], "rule", "until"),
        "learning_sources": sources,
    }
    return {name: frame.select(*BEHAVIOUR_TABLES[name]) for name, frame in merged.items()}


def compact_days(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The same of one of the tables BY_DAY: one row a rule, subject and day. Rows that are alone already are not touched."""
    whose = ("rule", "subject", "day")
    several = rows.filter(pl.struct(whose).is_duplicated())
    if name == "behaviour_days":
        told = pl.col("amount").sum()
    else:
        several = several.explode("members")
        told = pl.col("members").drop_nulls().unique().sort().head(MOST)
    added = several.group_by(whose).agg(pl.col("until").max(), pl.col("peers").min(), told)
    columns = BEHAVIOUR_TABLES[name]
    return pl.concat([rows.filter(~pl.struct(whose).is_duplicated()).select(*columns), added.select(*columns)])


def merge_cells(cells: pl.DataFrame, *also: str) -> pl.DataFrame:
    """One row a subject, item and day: the sum does not depend on how the events were cut."""
    if cells.is_empty():
        return cells
    return (
        cells.sort(pl.col("evidence").list.first(), nulls_last=True)
        .group_by(*also, "subject", "item", "day", maintain_order=True)
        .agg(
            pl.col("key", "parts", "names").first(),
            pl.col(*SUMS).sum(),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            pl.col("evidence").explode().drop_nulls().unique().sort().head(EVIDENCE),
            pl.col("first").drop_nulls().first(),
        )
        .select(*also, *CELL)
    )
