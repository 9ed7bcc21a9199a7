"""Which patients a subject saw on which day, in bounded memory: of each day the smallest hashes, which add up over days.

A day with fewer than MOST patients is known exactly, and so is every span of such days. Where a day had more, the hashes
below the least of the largest that were kept are a fair sample of the whole span (k minimum values): of 30 days of 40
patients each it counts to about 5 %. The smallest of a set do not depend on the order or the cut in which it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.behaviour.marks import I64, ITEM, U64, Flags, mark
from detectors.behaviour.tables import MOST

U32 = npt.NDArray[np.uint32]
_SPACE = 2**32
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A day that is over: of each subject its hashes, one after the other."""

    subjects: U32
    starts: npt.NDArray[np.int32]  # one more than subjects
    items: U32


class Sketches:
    """Of one rule. Subjects are known by the upper half of their hash."""

    def __init__(self) -> None:
        self._open: dict[int, U64] = {}  # marks in order
        self._packed: dict[int, _Packed] = {}

    def add(self, subjects: U64, items: U64, on: I64) -> Flags:
        """Which of the items (of different places) are among the smallest of their subject and day and were not there."""
        kept = np.zeros(len(subjects), np.bool_)
        for day in np.unique(on):
            here = np.flatnonzero(on == day)
            marks = mark(subjects[here], items[here])
            order = np.argsort(marks)
            marks, here = marks[order], here[order]
            have = self._of_day(int(day))
            places = np.searchsorted(have, marks)
            new = np.ones(len(marks), np.bool_)
            if len(have):
                new = have[np.minimum(places, len(have) - 1)] != marks
            new[1:] &= marks[1:] != marks[:-1]
            joined = np.insert(have, places[new], marks[new])
            rank = np.searchsorted(joined, marks) - np.searchsorted(joined, marks & ~ITEM)
            small = new & (rank < MOST)
            kept[here[small]] = True
            self._open[int(day)] = np.insert(have, places[small], marks[small])
        return kept

    def restore(self, rows: pl.DataFrame) -> None:
        """Rows (subject, day, members), in any order."""
        for (day,), part in rows.select("subject", "day", "members").partition_by("day", as_dict=True).items():
            flat = part.explode("members").drop_nulls("members")
            marks = mark(flat["subject"].to_numpy(), flat["members"].cast(pl.UInt64).to_numpy())
            self._open[int(day)] = np.union1d(self._of_day(int(day)), marks)

    def _of_day(self, day: int) -> U64:
        packed = self._packed.pop(day, None)
        if packed is None:
            return self._open.get(day, np.empty(0, np.uint64))
        subjects = np.repeat(packed.subjects, np.diff(packed.starts)).astype(np.uint64)
        return subjects << _HALF | packed.items

    def days(self, subject: int, first: int, last: int) -> list[U32]:
        """The smallest hashes of each day from `first` to `last`, in order."""
        low = int(np.uint64(subject) >> _HALF)
        found = []
        for day, marks in self._open.items():
            if first <= day <= last:
                begin = np.searchsorted(marks, np.uint64(low << 32))
                end = np.searchsorted(marks, np.uint64(low << 32 | int(ITEM)), side="right")
                found.append(marks[begin:end][:MOST].astype(np.uint32))
        for day, packed in self._packed.items():
            if first <= day <= last:
                place = int(np.searchsorted(packed.subjects, np.uint32(low)))
                if place < len(packed.subjects) and packed.subjects[place] == low:
                    found.append(packed.items[packed.starts[place] : packed.starts[place + 1]])
        return [items for items in found if len(items)]

    def counts(self, subjects: U64, day: int) -> I64:
        """How many patients each subject saw on a day, as it is counted for that day alone."""
        found = np.zeros(len(subjects), np.int64)
        low = subjects >> _HALF
        if (marks := self._open.get(day)) is not None:
            begin = np.searchsorted(marks, low << _HALF)
            found = np.searchsorted(marks, low << _HALF | ITEM, side="right") - begin
            largest = marks[np.minimum(begin + MOST - 1, len(marks) - 1)] & ITEM
        elif (packed := self._packed.get(day)) is not None:
            place = np.minimum(np.searchsorted(packed.subjects, low), len(packed.subjects) - 1)
            begin = np.where(packed.subjects[place] == low, packed.starts[place], 0)
            found = np.where(packed.subjects[place] == low, packed.starts[place + 1] - begin, 0)
            largest = packed.items[np.minimum(begin + MOST - 1, len(packed.items) - 1)].astype(np.uint64)
        many = found >= MOST
        if many.any():
            found[many] = (MOST - 1) * _SPACE // np.maximum(largest[many], 1).astype(np.int64)
        return np.maximum(found, np.where(many, MOST, 0))

    @property
    def all_days(self) -> list[int]:
        return [*self._open, *self._packed]

    def seen(self, first: int, last: int) -> U64:
        """Subjects (the upper half of their hashes) that saw somebody from day `first` to `last`, in order."""
        found = [(marks >> _HALF).astype(np.uint32) for day, marks in self._open.items() if first <= day <= last]
        found += [packed.subjects for day, packed in self._packed.items() if first <= day <= last]
        return np.unique(np.concatenate(found)).astype(np.uint64) << _HALF if found else np.empty(0, np.uint64)

    def forget(self, before: int, horizon: int) -> None:
        """Drop days before one; what lies before the horizon changes no more and is packed."""
        for held in (self._open, self._packed):
            for day in [day for day in held if day < before]:
                del held[day]
        for day in [day for day in self._open if day < horizon]:
            self._packed[day] = _pack(self._open.pop(day))


def distinct(days: Sequence[U32]) -> tuple[int, bool]:
    """How many different patients some days of a subject saw; whether that is exact."""
    if not days:
        return 0, True
    seen = np.unique(np.concatenate(days))
    full = [int(items[MOST - 1]) for items in days if len(items) >= MOST]
    if not full:
        return len(seen), True
    limit = min(full)
    return _estimate(len(seen), int(np.searchsorted(seen, limit)), limit), False


def _estimate(whole: int, below: int, limit: int) -> int:
    return max(whole, below * _SPACE // max(limit, 1)) if limit < _SPACE else whole


def _pack(marks: U64) -> _Packed:
    halves = (marks >> _HALF).astype(np.uint32)
    subjects, starts = np.unique(halves, return_index=True)
    within = np.arange(len(marks)) - np.repeat(starts, np.diff(np.append(starts, len(marks))))
    kept = within < MOST
    counts = np.minimum(np.diff(np.append(starts, len(marks))), MOST)
    edges = np.concatenate((np.zeros(1, np.int32), np.cumsum(counts).astype(np.int32)))
    return _Packed(subjects, edges, marks[kept].astype(np.uint32))
