"""first_seen: something that the subject did not have within its memory. Also many such things within a week or month.

An item is new on a day if it was not seen on any of `memory_days` days before. So what is new does not depend on the hour at
which it was seen, nor on the order in which the logs of a day were read; and what was found stays or is withdrawn when
older records come late, but is never renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from detectors.behaviour.blocks import FirstSeen as Block
from detectors.behaviour.kind import Judged, Kind, Known, Places, by_bucket, days, full, item_hashes
from detectors.behaviour.marks import I64, ITEM, U64, Flags, mark
from detectors.behaviour.parts import columns_of, is_list, part
from detectors.rules import Rule

SHOWN = 5
_PLACE = pl.col("place_allowed").fill_null(value=False)
_AGREED = {"": pl.lit(value=False), "services": (pl.col("actor_kind") == "service") & _PLACE, "all": _PLACE}
_SLACK = 3  # days of a rollout: the same change comes to others on the same day, not to the minute


class FirstSeen(Kind):
    def __init__(self, rule: Rule, block: Block, known: Known) -> None:
        super().__init__(rule, known)
        self.block = block
        self.per = block.per
        self.memory_days = block.memory_days
        self._columns = [f"_part{number}" for number in range(len(block.of))]
        self._needed = max(1, block.parts)

    # -- counting --------------------------------------------------------------------------------------------------

    def count(self, hits: pl.DataFrame) -> pl.Series:
        rows = self._unfolded(hits.unique("_place"))  # events of one place are all news or none
        if rows.is_empty():
            self.known.settled.put(hits["_place"].to_numpy())
            return rows["_subject"]
        items = rows.unique("_one").select("_one", "_subject", "_day", "_learning", "_agreed", "source", *self._columns)
        subjects, on = items["_subject"].to_numpy(), days(items["_day"])
        texts = items.select(self._columns).rows()
        flat, counts = self._marks_of(subjects, texts)
        flat_days = np.repeat(on, counts)
        added = self.add_marks(flat, flat_days)
        new = self._new(flat, flat_days)
        candidate = (_sums(new, counts) >= self._needed) & ~items["_agreed"].to_numpy()
        if not self.known.endless:  # what a late record could still change lies within the lateness bound
            candidate &= self._long_known(subjects, on) & ~items["_learning"].to_numpy()
        if candidate.any():
            self._show(hits, rows, self._found(items, flat, counts, candidate))
        else:
            self.known.settled.put(hits["_place"].to_numpy())
        return self._touched(items, added)

    def _show(self, hits: pl.DataFrame, rows: pl.DataFrame, found: pl.DataFrame) -> None:
        """Keep the first events of what may be told; the rest is settled."""
        told = rows.join(found, on="_one", how="semi")["_place"].unique()
        of_news = hits["_place"].is_in(told.implode())
        self.known.settled.put(hits.filter(~of_news)["_place"].to_numpy())
        events = hits.filter(of_news)
        news = self._unfolded(events).join(found, on="_one", maintain_order="left")
        self.add_cells(_together(events, news))

    def _found(self, items: pl.DataFrame, flat: U64, counts: I64, candidate: Flags) -> pl.DataFrame:
        """What a finding would need of the items that may be told."""
        chosen = items.filter(pl.Series(candidate))
        texts = chosen.select(self._columns).rows()
        ends = np.cumsum(counts)
        parts = [flat[ends[place] - counts[place] : ends[place]].tolist() for place in np.flatnonzero(candidate)]
        # beside the item its source: whether that is still learning is judged for itself
        sourced = ["\0".join(map(str, (*row, src))) for row, src in zip(texts, chosen["source"], strict=True)]
        return chosen.select(
            "_one",
            _parts=pl.Series(parts, dtype=pl.List(pl.UInt64)),
            _names=pl.Series([_name(row) for row in texts], dtype=pl.String),
            _item=pl.Series(item_hashes(sourced)),
        )

    def places(self, batch: Places, rows: I64) -> U64:
        read = dict.fromkeys(column for name in self.block.of for column in columns_of(name))
        if self.block.agreed:
            read |= dict.fromkeys(("actor_kind", "place_allowed"))
        return self.place_of(batch, rows, "_learning", "source", *read)

    def _unfolded(self, hits: pl.DataFrame) -> pl.DataFrame:
        """A row for every item of an event; `_row` is the event's place, `_one` a hash of whose item it is on which day."""
        rows = hits.select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("_row"), "_place", "_subject", "_day", "_learning", "source",
            _AGREED[self.block.agreed].alias("_agreed"), *(part(name).alias(column) for name, column in zip(self.block.of, self._columns, strict=True)),
        )  # fmt: skip
        for name, column in zip(self.block.of, self._columns, strict=True):
            if is_list(name):
                rows = rows.explode(column)
        if self.block.parts:
            rows = rows.filter(
                pl.sum_horizontal(pl.col(column).is_not_null() for column in self._columns) >= self.block.parts
            )
        else:
            rows = rows.drop_nulls(self._columns)
        whose = pl.struct("_subject", "_day", "_learning", "_agreed", "source", *self._columns)
        return rows.with_columns(whose.hash(seed=0).alias("_one"))

    def _marks_of(self, subjects: U64, texts: list[tuple[str | None, ...]]) -> tuple[U64, I64]:
        """Marks that must be new, and how many each item has: of the whole item, or of each of its parts."""
        if not self.block.parts:
            whole = item_hashes(["\0".join(map(str, row)) for row in texts])
            return mark(subjects, whole), np.ones(len(texts), np.int64)
        columns = []
        for number in range(len(self._columns)):
            found = mark(subjects, item_hashes([f"{number}\0{row[number]}" for row in texts])).tolist()
            columns.append([one if row[number] is not None else None for one, row in zip(found, texts, strict=True)])
        told = [[one for one in row if one is not None] for row in zip(*columns, strict=True)]
        flat = np.fromiter((one for many in told for one in many), np.uint64)
        return flat, np.array([len(many) for many in told], np.int64)

    def _new(self, marks: U64, on: I64) -> Flags:
        return ~self.marks.any_between(marks, on - self.memory_days, on - 1)

    def _long_known(self, subjects: U64, on: I64) -> Flags:
        least = self.block.learning_days
        known = self.known.since.known(subjects, on, least) if least else full(subjects, True)
        if self.block.active_days and known.any():
            known &= self.known.since.active(subjects, on) >= self.block.active_days
        return known

    def _touched(self, items: pl.DataFrame, added: pl.DataFrame) -> pl.Series:
        touched = items["_subject"].unique()
        if not self.block.rollout or not len(self.cells) or added.is_empty():
            return touched
        others = self.cells.all().select("subject", "parts").explode("parts")
        same = others.filter((pl.col("parts") & int(ITEM)).is_in((added["mark"] & int(ITEM)).implode()))
        return pl.concat([touched, same["subject"]]).unique()

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, cells: pl.DataFrame) -> Iterator[Judged]:
        subjects, on = cells["subject"].to_numpy(), days(cells["day"])
        counts = cells["parts"].list.len().to_numpy().astype(np.int64)
        flat = cells["parts"].explode(empty_as_null=False).to_numpy()
        flat_days = np.repeat(on, counts)
        new = self._new(flat, flat_days)
        sources = [first[4] for first in cells["first"]]
        taught = ~np.fromiter((self.known.learning.is_on(s, d) for s, d in zip(sources, on, strict=True)), np.bool_)
        may = taught & (_sums(new, counts) >= self._needed) & self._long_known(subjects, on)
        if self.block.rollout:  # asked of the few that may be told: it looks at all subjects
            asked = new & np.repeat(may, counts)
            new &= ~self._rolled_out(flat, flat_days, asked)
        held = may & (_sums(new, counts) >= self._needed)
        cells = cells.with_columns(held=pl.Series(held), new=_cut(new, counts))
        for key, start, rows in by_bucket(cells, self.per, self.known.told):
            kept = [row for row in rows if row["held"]]
            names = sorted({name for row in kept for name in self._new_names(row)})
            known = self._known_items(rows[0]["subject"], start) if kept else 0
            enough = len(names) >= self.block.least and 100 * len(names) >= self.block.share_percent * known
            enough &= not self.block.most_known or known <= self.block.most_known
            words = {
                "new": ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else ""),
                "count": len(names), "known": known, "memory": self.memory_days,
            }  # fmt: skip
            yield Judged(key, start, rows, kept if enough else [], words)

    def _new_names(self, row: Mapping[str, Any]) -> list[str]:
        """Of the items of a cell those that are new; where parts are new by themselves, it has one item."""
        names: list[str] = row["names"]
        return names if self.block.parts else [name for name, new in zip(names, row["new"], strict=True) if new]

    def _known_items(self, subject: int, start: int) -> int:
        return len(self.marks.items_of(subject, start - self.memory_days, start - 1))

    def _rolled_out(self, marks: U64, on: I64, asked: Flags) -> Flags:
        """Is the same item there at so many other subjects that it is no matter of one of them?"""
        found = full(marks, False)
        for place in np.flatnonzero(asked):
            one, day = int(marks[place]), int(on[place])
            holders = self.marks.holders(one, day - self.memory_days, day + _SLACK)
            found[place] = len(holders) - 1 >= self.block.rollout
        return found


def _sums(flags: Flags, counts: I64) -> I64:
    """How many flags of each row's parts are set."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(rows, weights=flags, minlength=len(counts)).astype(np.int64)


def _cut(flags: Flags, counts: I64) -> pl.Series:
    """The flags of each row's parts as a list."""
    ends = np.cumsum(counts)
    return pl.Series(
        [flags[end - count : end].tolist() for end, count in zip(ends, counts, strict=True)], dtype=pl.List(pl.Boolean)
    )


def _together(events: pl.DataFrame, news: pl.DataFrame) -> pl.DataFrame:
    """Events with all their news: one that brings three new tables is in one cell, and counted once."""
    told = news.sort("_row", "_item").group_by("_row", maintain_order=True).agg(
        pl.col("_parts").explode(), "_names", pl.col("_item").cast(pl.String).str.join(",")
    )  # fmt: skip
    sets = told.select("_item").unique()
    sets = sets.with_columns(_one=pl.Series(item_hashes(sets["_item"].to_list()), dtype=pl.UInt64))
    told = told.join(sets, on="_item", maintain_order="left")
    return events[told["_row"]].with_columns(told["_parts"], told["_names"], told["_one"].alias("_item"))


def _name(row: tuple[Any, ...]) -> str:
    return " / ".join("-" if text is None else str(text) for text in row)
