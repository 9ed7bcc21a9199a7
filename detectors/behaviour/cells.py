"""Cells: what happened of one item at one subject on one day, for as long as a finding about it may change."""

from __future__ import annotations

from typing import Any

import polars as pl

from detectors.behaviour.tables import CELL, EVIDENCE, SUMS, merge_cells
from detectors.panes import Pane
from detectors.rules import Step
from detectors.summary import first_who, objects, stamp, sums
from parsers.events import TEXTS

MAX_CELLS = 20_000  # of a rule
_SHOWN = 5  # names of tables kept with an event
_SORTED = ["_subject", "_item", "_day"]


class Cells:
    """Appended as they come, added up now and then, and for the few subjects that a rule looks at."""

    def __init__(self, most: int = MAX_CELLS) -> None:
        self._most = most
        self._merged = pl.DataFrame(schema=CELL)
        self._parts: list[pl.DataFrame] = []
        self._waiting = 0
        # time of the last event that a full cell keeps, or the times of the few that it has: later ones need not be kept
        self._kept: dict[tuple[int, int, int], int | list[int]] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return self._merged.height + self._waiting

    def add(self, cells: pl.DataFrame) -> pl.DataFrame:
        """CELL rows of a batch; the same without evidence that cannot be among the first events any more."""
        shown = cells.get_column("evidence").is_not_null()
        if not shown.any():
            self._append(cells)
            return cells
        told = cells.filter(shown).select("subject", "item", "day", "first_at", "evidence")
        keep = shown.to_numpy().copy()
        keep[keep] = [self._needs(*row) for row in told.iter_rows()]
        kept = cells.with_columns(pl.when(pl.Series(keep)).then(pl.col("evidence", "first")))
        self._append(kept)
        return kept

    def restore(self, cells: pl.DataFrame) -> None:
        for row in cells.drop_nulls("evidence").select("subject", "item", "day", "first_at", "evidence").iter_rows():
            self._needs(*row)
        self._append(cells.select(*CELL))

    def _needs(self, subject: int, item: int, day: int, first_at: int, evidence: list[str]) -> bool:
        place = subject, item, day
        kept = self._kept.get(place, [])
        if isinstance(kept, int):
            return first_at <= kept
        kept = sorted([*kept, *(int(stamp[:17]) for stamp in evidence)])
        self._kept[place] = kept[EVIDENCE - 1] if len(kept) >= EVIDENCE else kept
        return True

    def full_at(self, subject: int, item: int, day: int) -> int | None:
        """The time of the last event that a cell keeps; None while it has room for more."""
        kept = self._kept.get((subject, item, day))
        return kept if isinstance(kept, int) else None

    def _append(self, cells: pl.DataFrame) -> None:
        self._parts.append(cells)
        self._waiting += cells.height
        if self._waiting > max(2000, self._merged.height):
            self._merge()

    def _merge(self) -> None:
        self._merged = merge_cells(pl.concat([self._merged, *self._parts]))
        self._parts, self._waiting = [], 0
        if self._merged.height > self._most:  # a flood: the oldest go
            before = self._merged["day"].sort(descending=True)[self._most]
            self.dropped += self._merged.filter(pl.col("day") <= before).height
            self.forget(before + 1)

    def of(self, subjects: pl.Series) -> pl.DataFrame:
        """Cells (CELL, one a subject, item and day) of some subjects, in order of subject and day."""
        wanted = pl.col("subject").is_in(subjects.implode())
        found = merge_cells(pl.concat([self._merged, *self._parts]).filter(wanted))
        return found.sort("subject", "day", "item")

    def all(self) -> pl.DataFrame:
        self._merge()
        return self._merged.sort("subject", "day", "item")

    def forget(self, before: int) -> None:
        """Drop cells of days before one."""
        if any(part["day"].min() < before for part in (self._merged, *self._parts) if part.height):  # type: ignore[operator]
            self._merged = merge_cells(pl.concat([self._merged, *self._parts])).filter(pl.col("day") >= before)
            self._parts, self._waiting = [], 0
            self._kept = {place: kept for place, kept in self._kept.items() if place[2] >= before}


# Of events whose cell is a whole day.
WHOLE_DAY = {
    "_item": pl.lit(0, pl.UInt64), "_parts": pl.lit([], pl.List(pl.UInt64)), "_names": pl.lit([], TEXTS),
}  # fmt: skip


def cells_of(events: pl.DataFrame, step: Step) -> pl.DataFrame:
    """CELL rows of a batch. `events` has _subject, _key, _item, _parts, _names, _day beside the working columns."""
    about = pl.struct(
        pl.col("output_classes").fill_null([]).alias("c"), objects().list.drop_nulls().list.head(_SHOWN).alias("o")
    )
    return (
        events.with_columns(stamp())
        .with_columns((pl.col("_stamp") + " " + about.struct.json_encode()).alias("_evidence"))
        .sort("_stamp")
        .group_by(*_SORTED, maintain_order=True)
        .agg(
            pl.col("_key", "_parts", "_names").first(),
            *sums(step),
            pl.col("_evidence").head(EVIDENCE).alias("evidence"),
            first_who(),
        )
        .rename({name: name.removeprefix("_") for name in (*_SORTED, "_key", "_parts", "_names")})
        .select(pl.col(name).cast(dtype) for name, dtype in CELL.items())
    )


def counted(events: pl.DataFrame, *also: str) -> pl.DataFrame:
    """One row a subject and day (and `also`): CELL with the number of events and their times alone, and no evidence."""
    told = {"events": pl.len(), "first_at": pl.col("_micros").min(), "last_at": pl.col("_micros").max()}
    known = {"key": pl.col("_key").first(), **told, **dict.fromkeys(("unapproved", "unticketed"), pl.len())}
    whose = {"subject": "_subject", "day": "_day"}
    return events.group_by(*also, *(pl.col(mine).alias(name) for name, mine in whose.items())).agg(**known).select(
        *also,
        *((pl.col(name) if name in known or name in whose else _NOTHING[name]).cast(dtype) for name, dtype in CELL.items()),
    )  # fmt: skip


_NOTHING = {
    name: pl.lit([] if name in ("parts", "names") else 0 if dtype.is_integer() else None).alias(name)
    for name, dtype in CELL.items()
}


def pane_of(rows: list[dict[str, Any]]) -> Pane:
    """The sum of some cells, as windows have it: objects and classes are those of the events it keeps."""
    total = Pane()
    for row in rows:
        seen = [_read(text) for text in row["evidence"]]
        total.add(
            Pane(
                **{name: row[name] for name in (*SUMS, "first_at", "last_at")},
                evidence=[stamp for stamp, _ in seen],
                first=tuple(row["first"]),
                classes=sorted({name for _, about in seen for name in about["c"]}),
                objects=sorted({name for _, about in seen for name in about["o"]}),
            )
        )
    return total


def classes_of(evidence: list[str]) -> set[str]:
    """Classes of data of the events that a cell keeps."""
    return {name for text in evidence for name in _read(text)[1]["c"]}


def _read(text: str) -> tuple[str, dict[str, list[str]]]:
    import json

    micros, event_id, about = text.split(" ", 2)
    return f"{micros} {event_id}", json.loads(about)
