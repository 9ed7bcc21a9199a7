"""dormant: a subject that comes back after a long rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from detectors.behaviour.blocks import Dormant as Block
from detectors.behaviour.cells import WHOLE_DAY
from detectors.behaviour.kind import Judged, Kind, Known, Places, by_bucket, days
from detectors.behaviour.marks import I64, U64, Flags, mark
from detectors.rules import Rule


class Dormant(Kind):
    def __init__(self, rule: Rule, block: Block, known: Known) -> None:
        super().__init__(rule, known)
        self.block = block
        self.memory_days = block.memory_days

    def places(self, batch: Places, rows: I64) -> U64:
        return self.place_of(batch, rows)

    def count(self, hits: pl.DataFrame) -> pl.Series:
        seen = hits.unique("_place").select("_place", "_subject", "_day")
        subjects, on = seen["_subject"].to_numpy(), days(seen["_day"])
        itself = mark(subjects, np.zeros_like(subjects))
        self.add_marks(itself, on)
        rested = self._rested(itself, on) if not self.known.endless else ~self._active(itself, on)
        self.known.settled.put(seen["_place"].to_numpy()[~rested])
        back = hits.join(seen.filter(pl.Series(rested)).select("_place"), on="_place", how="semi")
        self.add_cells(back.with_columns(**WHOLE_DAY))
        return seen["_subject"].unique()

    def _active(self, itself: U64, on: I64) -> Flags:
        return self.marks.any_between(itself, on - self.block.rest_days, on - 1)

    def _rested(self, itself: U64, on: I64) -> Flags:
        before = self.marks.any_between(itself, on - self.memory_days, on - self.block.rest_days - 1)
        return before & ~self._active(itself, on)

    def judge(self, cells: pl.DataFrame) -> Iterator[Judged]:
        subjects, on = cells["subject"].to_numpy(), days(cells["day"])
        itself = mark(subjects, np.zeros_like(subjects))
        last = self.marks.last_between(itself, on - self.memory_days, on - 1)
        rested = self._rested(itself, on)
        told = cells.with_columns(held=pl.Series(rested), last=pl.Series(last))
        for key, start, rows in by_bucket(told, self.per, self.known.told):
            held = [row for row in rows if row["held"]]
            words = {
                "rest": start - rows[0]["last"] if held else 0,
                "before": (date(1970, 1, 1) + timedelta(days=rows[0]["last"])).isoformat() if held else "",
            }
            yield Judged(key, start, rows, held, words)
