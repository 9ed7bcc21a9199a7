"""Since when subjects are known at all: by everything that was logged of them, whatever a rule looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import polars as pl

from detectors.behaviour.kind import LONGEST_SPAN, Memory, Places, days, text_hash
from detectors.behaviour.marks import I64, U64, Flags, mark
from detectors.matching import Different

_WRITTEN = 10_000  # keys whose texts are remembered


class Presence(Memory):
    """Days of activity of the subjects that are named by some columns (accounts of a system, vendors of a site, ...)."""

    memory_days = 180

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__("presence " + ",".join(columns))
        self.columns = tuple(columns)
        self._written: dict[tuple[str | None, ...], tuple[str, int]] = {}

    @property
    def kept_days(self) -> int:
        return self.memory_days + LONGEST_SPAN

    def places(self, batch: Places) -> U64:
        """As `Kind.places`, of all events; 0 where the last column names nobody."""
        named = batch.acts.get_column(self.columns[-1]).is_not_null().to_numpy()
        rows = np.arange(batch.acts.height)
        return np.where(named, batch.of((*self.columns, "_day"), self.name, rows), np.uint64(0))

    def named(self, acts: pl.DataFrame) -> pl.DataFrame:
        """_key and _subject of each act; null where the last column names nobody: the acts would be those of different people."""
        keys = Different.of([acts.get_column(name) for name in self.columns])
        rows = keys.table.rows()
        self._write([key for key in rows if key[-1] is not None])
        told = [self._written[key] if key[-1] is not None else (None, None) for key in rows]
        named = pl.DataFrame(told, schema={"_key": pl.String, "_subject": pl.UInt64}, orient="row")
        return named[keys.codes]

    def _write(self, keys: list[tuple[str | None, ...]]) -> None:
        """Know the text and the hash of each key."""
        if len(self._written) > _WRITTEN:
            self._written.clear()
        for key in keys:
            if key not in self._written:
                text = json.dumps(key, ensure_ascii=False, separators=(",", ":"))
                self._written[key] = text, text_hash(text)

    def see(self, acts: pl.DataFrame) -> pl.Series:
        """Count acts (with _day); their subjects."""
        dated = acts.select(*self.columns, "_day").unique()
        rows = dated.select("_day").hstack(self.named(dated)).drop_nulls("_subject")
        self.add_marks(mark(rows["_subject"].to_numpy(), np.zeros(rows.height, np.uint64)), days(rows["_day"]))
        return rows["_subject"]

    def known(self, subjects: U64, on: I64, least_days: int) -> Flags:
        """Was each subject there so many days before, so that what it does is known?"""
        return self.marks.any_between(mark(subjects, np.zeros_like(subjects)), on - self.memory_days, on - least_days)

    def active(self, subjects: U64, on: I64) -> I64:
        """On how many days before was each subject there?"""
        return self.marks.count_between(mark(subjects, np.zeros_like(subjects)), on - self.memory_days, on - 1)
