"""beat: something that comes at the same time of day, day after day, from a subject that is otherwise quiet.

A job that nobody registered looks like this. Only days before the one in question are compared, so what the subject does later
on that day changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from detectors.behaviour.blocks import Beat as Block
from detectors.behaviour.kind import Judged, Kind, Known, Places, by_bucket, days
from detectors.behaviour.marks import I64, U64, mark
from detectors.rules import Rule

_HIGH = np.uint64(48)
_LATE = 3  # days that late records may still fill


class Beat(Kind):
    def __init__(self, rule: Rule, block: Block, known: Known) -> None:
        super().__init__(rule, known)
        self.block = block
        self.per = block.per
        self.memory_days = block.past_days
        self._slots = 24 * 60 // block.slot_minutes

    # -- counting --------------------------------------------------------------------------------------------------

    def places(self, batch: Places, rows: I64) -> U64:
        slots = batch.acts.select(self._slot()).to_series().to_numpy()[rows].astype(np.uint64)
        return self.place_of(batch, rows) ^ (slots + np.uint64(1)) << _HIGH

    def _slot(self) -> pl.Expr:
        minute = pl.col("_hour").cast(pl.Int64) * 60 + pl.col("_local").dt.minute().cast(pl.Int64)
        return (minute // self.block.slot_minutes).alias("_slot")

    def count(self, hits: pl.DataFrame) -> pl.Series:
        rows = hits.with_columns(self._slot())
        seen = rows.select("_subject", "_day", "_slot").unique()
        subjects, on, slots = seen["_subject"].to_numpy(), days(seen["_day"]), seen["_slot"].to_numpy()
        self.add_marks(mark(subjects, self._item(slots)), on)
        may = self._came(subjects, slots, on) >= (0 if self.known.endless else self.block.least_days - _LATE)
        news = rows.join(seen.filter(pl.Series(may)), on=["_subject", "_day", "_slot"], how="semi")
        clock = pl.col("_slot") * self.block.slot_minutes
        hour, minute = (part.cast(pl.String).str.zfill(2) for part in (clock // 60, clock % 60))
        self.add_cells(
            news.with_columns(
                _item=(pl.col("_slot") + 1).cast(pl.UInt64),
                _parts=pl.lit([], pl.List(pl.UInt64)),
                _names=pl.concat_list(hour + ":" + minute),
            )
        )
        self.known.settled.put(np.setdiff1d(hits["_place"].to_numpy(), news["_place"].to_numpy()))
        return seen["_subject"].unique()

    def _item(self, slots: I64) -> U64:
        """Never 0, which is the subject itself."""
        return (slots % self._slots + 1).astype(np.uint64)

    def _came(self, subjects: U64, slots: I64, on: I64) -> I64:
        """On how many of the past days it came at that time, a slot more or less."""
        found = np.zeros(len(subjects), np.int64)
        near = [mark(subjects, self._item(slots + step)) for step in (-1, 0, 1)]
        for back in range(1, self.block.past_days + 1):
            found += np.any([self.marks.any_between(one, on - back, on - back) for one in near], axis=0)
        return found

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, cells: pl.DataFrame) -> Iterator[Judged]:
        subjects, on = cells["subject"].to_numpy(), days(cells["day"])
        came = self._came(subjects, cells["item"].to_numpy().astype(np.int64) - 1, on)
        beats = came >= self.block.least_days
        for place in np.flatnonzero(beats):
            past = self.marks.items_of(int(subjects[place]), int(on[place]) - self.block.past_days, int(on[place]) - 1)
            beats[place] = len(past) <= self.block.most_slots
        for key, start, rows in by_bucket(
            cells.with_columns(came=pl.Series(came), held=pl.Series(beats)), self.per, self.known.told
        ):
            held = [row for row in rows if row["held"]]
            words = {
                "clock": ", ".join(sorted({name for row in held for name in row["names"]})),
                "seen": max((row["came"] for row in held), default=0), "past": self.block.past_days,
            }  # fmt: skip
            yield Judged(key, start, rows, held, words)
