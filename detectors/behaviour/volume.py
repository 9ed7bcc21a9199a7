"""volume: far more within a day than the subject's own days, than its peers' days, and than a floor. All three are shown.

Own days that were themselves far above are left out of what is usual (`norms.py`), and with `lag_days` the own days end months
ago: whoever takes a few per cent more every day is measured against the quarter before it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from detectors.behaviour import norms
from detectors.behaviour.amounts import ROWS, Amounts
from detectors.behaviour.blocks import Volume as Block
from detectors.behaviour.cells import WHOLE_DAY
from detectors.behaviour.kind import Judged, Kind, Known, Places, by_bucket, days, peers_of, until
from detectors.behaviour.marks import I64, U64
from detectors.risk import Part
from detectors.rules import Rule

UNCOMPARED = Part(-1, "没有足够的同类可比", "too few peers to compare with")


@dataclass(frozen=True, slots=True)
class Norms:
    """What was usual before a day: of the subject itself, and of its peers."""

    own: int
    line: int
    days: int
    peers: int
    others: int

    @property
    def compared(self) -> bool:
        return self.others >= norms.LEAST_PEERS


class Volume(Kind):
    def __init__(self, rule: Rule, block: Block, known: Known) -> None:
        super().__init__(rule, known)
        self.block = block
        self.per = block.per
        self.memory_days = block.past_days + block.lag_days
        self.amounts = Amounts()
        self._norms: dict[tuple[int, int], Norms] = {}

    # -- counting --------------------------------------------------------------------------------------------------

    def places(self, batch: Places, rows: I64) -> U64:
        # every event adds something: nothing is ever settled
        every: U64 = batch.acts.get_column("_micros").to_numpy()[rows].astype(np.uint64) + np.uint64(1)
        return every

    def count(self, hits: pl.DataFrame) -> pl.Series:
        amount = pl.lit(1, pl.Int64) if self.block.of == "events" else pl.col(self.block.of).fill_null(0)
        told = peers_of(hits.with_columns(amount.alias("_amount")).filter(pl.col("_amount") > 0), self.block.peers)
        if told.is_empty():
            return told["_subject"]
        added = (
            told.group_by("_subject", "_day")
            .agg(pl.col("_peers").min(), pl.col("_amount").sum())
            .select("_subject", "_peers", "_day", "_amount")
            .rename({"_subject": "subject", "_peers": "peers", "_day": "day", "_amount": "amount"})
            .cast(ROWS)  # type: ignore[arg-type]
        )
        self._keep(added)
        late = self._forget_norms(int(added["day"].min()))  # type: ignore[arg-type]
        self.add_cells(self._judged(told).with_columns(**WHOLE_DAY))
        held = self.amounts.of(added["subject"].to_numpy(), days(added["day"])) >= self.block.floor
        return pl.Series("_subject", np.union1d(added["subject"].to_numpy()[held], late))

    def _judged(self, told: pl.DataFrame) -> pl.DataFrame:
        """Events of days that may be told; all of them teach what is usual."""
        if not self.block.leaving_days:
            return told
        return told.filter(pl.col("days_left").is_between(0, self.block.leaving_days))

    def _keep(self, added: pl.DataFrame) -> None:
        self.amounts.add(added)
        last = pl.col("day").cast(pl.Int64) + self.kept_days
        self.changes.setdefault("behaviour_days", []).append(added.with_columns(until(last)))

    def _forget_norms(self, day: int) -> U64:
        """An amount of `day` changes what was usual for every later day; the subjects with such days."""
        self._norms = {place: known for place, known in self._norms.items() if place[1] <= day}
        return self.amounts.at_least(self.block.floor, day)

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, cells: pl.DataFrame) -> Iterator[Judged]:
        subjects, on = cells["subject"].to_numpy(), days(cells["day"])
        amounts = self.amounts.of(subjects, on)
        large = amounts >= self.block.floor
        if not large.any():
            return
        known = self.known.since.known(subjects, on, self.block.learning_days)
        told = cells.with_columns(amount=pl.Series(amounts), held=pl.Series(known)).filter(pl.Series(large))
        for key, start, rows in by_bucket(told, self.per, self.known.told):
            usual = [(row, self._usual(row["subject"], row["day"])) for row in rows]
            held = [(row, norm) for row, norm in usual if row["held"] and self._above(row["amount"], norm)]
            row, norm = max(held or usual, key=lambda pair: (pair[0]["amount"], -pair[0]["day"]))
            compared = all(norm.compared for _, norm in held)
            yield Judged(
                key, start, rows, [row for row, _ in held], self._words(row, norm), () if compared else (UNCOMPARED,)
            )

    def _above(self, amount: int, norm: Norms) -> bool:
        if self.block.lag_days and norm.days < norms.LEAST_DAYS:
            return False  # there is no quarter to compare with
        return amount > norm.line and amount > norm.peers

    def _usual(self, subject: int, day: int) -> Norms:
        """What was usual before a day. Asked for again with every batch of that day, so it is remembered."""
        if (subject, day) not in self._norms:
            last = day - self.block.lag_days - 1
            on, mine = self.amounts.own(subject, last - self.block.past_days + 1, last)
            middle, line = norms.own(mine, self.block.spread)
            if norms.turn_of_month(day):
                line = max(line, norms.at_turns(on, mine))
            group = self.amounts.group(subject)
            theirs, count = self.amounts.others(subject, group, day - self.block.past_days, day - 1)
            peers = norms.others(theirs) if count >= norms.LEAST_PEERS else 0
            self._norms[subject, day] = Norms(middle, line, len(mine), peers, count)
        return self._norms[subject, day]

    def _words(self, row: Mapping[str, Any], norm: Norms) -> dict[str, object]:
        return {
            "amount": row["amount"], "floor": self.block.floor, "own": norm.own, "own_line": norm.line, "days": norm.days,
            "peers": norm.peers if norm.compared else "–", "others": norm.others, "past": self.block.past_days,
            "ended": self.block.lag_days,
        }  # fmt: skip

    # -- memory ----------------------------------------------------------------------------------------------------

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        super().restore(tables)
        if (rows := tables.get("behaviour_days")) is not None:
            self.amounts.add(rows.select(*ROWS))

    def forget(self, horizon: int) -> None:
        super().forget(horizon)
        self.amounts.forget(horizon - self.kept_days)
        self._norms = {place: known for place, known in self._norms.items() if place[1] >= horizon - self.span}
