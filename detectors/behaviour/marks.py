"""Bits by key and slot: on which days (or in which seconds) something was seen. Sorted arrays, never a loop over marks.

A *mark* is 64 bits: half the hash of a subject, half the hash of an item of it, so everything of one subject lies together.
For days a slot is 64 days: 90 days of one item are two numbers. Adding is `or`: neither order nor repetition matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
DAYS = 64  # of one slot
SUBJECT = np.uint64(0xFFFF_FFFF_0000_0000)
ITEM = np.uint64(0x0000_0000_FFFF_FFFF)
_ONE, _ALL = np.uint64(1), np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def mark(subjects: U64, items: U64) -> U64:
    """`items` 0: the subject itself."""
    return (subjects & SUBJECT) | (items & ITEM)


def bits_between(first: I64, last: I64) -> U64:
    """Bits `first` to `last` of one slot, cut to it; none where last < first."""
    low, high = np.clip(first, 0, 64), np.clip(last, -1, 63)
    upto = _below(high + 1)
    return upto & ~_below(np.minimum(low, 64))


def _below(count: I64) -> U64:
    """The lowest `count` bits, 0 to 64. A shift by 64 is not defined, so it is done in two."""
    half = (count // 2).astype(np.uint64)
    return ~((_ALL << half) << (count.astype(np.uint64) - half))


class Sorted:
    """Numbers by 64-bit key: a large sorted part and a small new one, merged when it has grown."""

    __slots__ = ("_join", "_new", "_old")

    def __init__(self, join: Any = np.bitwise_or, dtype: Any = np.uint64) -> None:
        self._join = join
        empty = np.empty(0, np.uint64), np.empty(0, dtype)
        self._old: tuple[U64, npt.NDArray[Any]] = empty
        self._new: tuple[U64, npt.NDArray[Any]] = empty

    def __len__(self) -> int:
        return len(self._old[0]) + len(self._new[0])

    def get(self, keys: U64) -> npt.NDArray[Any]:
        """The value of each key, 0 where there is none."""
        found = np.zeros(len(keys), self._old[1].dtype)
        for have, values in (self._old, self._new):
            if len(have):
                places = np.minimum(np.searchsorted(have, keys), len(have) - 1)
                hit = have[places] == keys
                found[hit] = values[places[hit]]
        return found

    def put(self, keys: U64, values: npt.NDArray[Any]) -> None:
        """Join `values` to what the keys have; keys may repeat."""
        if not len(keys):
            return
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        keys, values = keys[starts], self._join.reduceat(values, starts)
        for have, held in (self._old, self._new):
            if len(have):
                places = np.minimum(np.searchsorted(have, keys), len(have) - 1)
                hit = have[places] == keys
                held[places[hit]] = self._join(held[places[hit]], values[hit])
                keys, values = keys[~hit], values[~hit]
        if len(keys):
            places = np.searchsorted(self._new[0], keys)
            self._new = np.insert(self._new[0], places, keys), np.insert(self._new[1], places, values)
        if len(self._new[0]) > max(4096, len(self._old[0]) // 8):
            self._merge()

    def _merge(self) -> None:
        keys = np.concatenate((self._old[0], self._new[0]))
        order = np.argsort(keys, kind="stable")
        self._old = keys[order], np.concatenate((self._old[1], self._new[1]))[order]
        self._new = np.empty(0, np.uint64), np.empty(0, self._old[1].dtype)

    def between(self, first: int, last: int) -> tuple[U64, npt.NDArray[Any]]:
        """Everything with first <= key <= last, in no order."""
        parts = []
        for have, values in (self._old, self._new):
            low = np.searchsorted(have, np.uint64(first))
            high = np.searchsorted(have, np.uint64(last), side="right")
            parts.append((have[low:high], values[low:high]))
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def count_between(self, first: U64, last: U64) -> I64:
        """How many keys lie in each range."""
        counted = np.zeros(len(first), np.int64)
        for have, _ in (self._old, self._new):
            counted += np.searchsorted(have, last, side="right") - np.searchsorted(have, first)
        return counted

    def everything(self) -> tuple[U64, npt.NDArray[Any]]:
        return np.concatenate((self._old[0], self._new[0])), np.concatenate((self._old[1], self._new[1]))


class Settled:
    """Hashes of what brings nothing new: a memory for speed, so one may be lost to another of the same place."""

    def __init__(self, size: int = 1 << 20) -> None:
        self._table = np.zeros(size, np.uint64)
        self._mask = np.uint64(size - 1)

    def holds(self, places: U64) -> Flags:
        found: Flags = (self._table[places & self._mask] == places) & (places != 0)
        return found

    def put(self, places: U64) -> None:
        self._table[places & self._mask] = places


class Marks:
    """On which days each mark was seen."""

    def __init__(self) -> None:
        self._slots: dict[int, Sorted] = {}

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def add(self, marks: U64, days: I64) -> pl.DataFrame:
        """Mark days as seen; what was new of it, as rows (mark, slot, bits)."""
        parts = []
        for slot in np.unique(days // DAYS):
            here = days // DAYS == slot
            keys, bits = marks[here], _ONE << (days[here] % DAYS).astype(np.uint64)
            held = self._slots.setdefault(int(slot), Sorted())
            new = (held.get(keys) & bits) == 0
            if new.any():
                held.put(keys[new], bits[new])
                parts.append(pl.DataFrame({"mark": keys[new], "slot": np.full(new.sum(), slot), "bits": bits[new]}))
        return pl.concat(parts).unique() if parts else pl.DataFrame(schema=_ROWS)

    def restore(self, rows: pl.DataFrame) -> None:
        """Rows (mark, slot, bits), in any order."""
        for (slot,), part in rows.partition_by("slot", as_dict=True).items():
            held = self._slots.setdefault(int(slot), Sorted())
            held.put(part["mark"].to_numpy(), part["bits"].to_numpy())

    def any_between(self, marks: U64, first: I64, last: I64) -> Flags:
        """Was each mark seen on any day from `first` to `last`?"""
        found = np.zeros(len(marks), np.bool_)
        for bits, _ in self._look(marks, first, last):
            found |= bits != 0
        return found

    def count_between(self, marks: U64, first: I64, last: I64) -> I64:
        """On how many days from `first` to `last` each mark was seen."""
        counted = np.zeros(len(marks), np.int64)
        for bits, _ in self._look(marks, first, last):
            counted += np.bitwise_count(bits)
        return counted

    def last_between(self, marks: U64, first: I64, last: I64) -> I64:
        """The last day of each mark from `first` to `last`; below every day where there is none."""
        latest = np.full(len(marks), -(2**31), np.int64)
        for bits, slot in self._look(marks, first, last):
            highest = np.array([int(one).bit_length() - 1 for one in bits], np.int64)
            latest = np.where(bits != 0, np.maximum(latest, slot * DAYS + highest), latest)
        return latest

    def items_of(self, subject: int, first: int, last: int) -> U64:
        """Items (not the subject itself) of one subject that were seen from day `first` to `last`."""
        low = int(np.uint64(subject) & SUBJECT)
        found = []
        for slot, held in self._slots.items():
            marks, bits = held.between(low + 1, low | int(ITEM))
            wanted = bits_between(np.array([first - slot * DAYS]), np.array([last - slot * DAYS]))[0]
            found.append(marks[(bits & wanted) != 0] & ITEM)
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)

    def most_items(self, subjects: U64) -> I64:
        """Upper bound of the number of items of each subject."""
        low = subjects & SUBJECT
        counted = np.zeros(len(subjects), np.int64)
        for held in self._slots.values():
            counted += held.count_between(low, low | ITEM)
        return counted

    def items_by_subject(self, first: int, last: int) -> tuple[U64, I64]:
        """Every subject (upper half of a mark) with how many items it has from day `first` to `last`."""
        found = []
        for slot, held in self._slots.items():
            marks, bits = held.everything()
            wanted = bits_between(np.array([first - slot * DAYS]), np.array([last - slot * DAYS]))[0]
            found.append(marks[((bits & wanted) != 0) & ((marks & ITEM) != 0)])
        marks = np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)
        subjects, counts = np.unique(marks & SUBJECT, return_counts=True)
        return subjects, counts

    def holders(self, item: int, first: int, last: int) -> U64:
        """Subjects (upper half of a mark) that have one item from day `first` to `last`."""
        wanted_item = np.uint64(item) & ITEM
        found = []
        for slot, held in self._slots.items():
            marks, bits = held.everything()
            wanted = bits_between(np.array([first - slot * DAYS]), np.array([last - slot * DAYS]))[0]
            found.append(marks[((marks & ITEM) == wanted_item) & ((bits & wanted) != 0)] & SUBJECT)
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)

    def forget(self, before: int) -> None:
        """Drop slots that ended before a day."""
        for slot in [slot for slot in self._slots if (slot + 1) * DAYS <= before]:
            del self._slots[slot]

    def _look(self, marks: U64, first: I64, last: I64) -> Iterator[tuple[U64, int]]:
        if not len(marks):
            return
        for slot, held in self._slots.items():
            if slot < int(first.min()) // DAYS or slot > int(last.max()) // DAYS:
                continue
            yield held.get(marks) & bits_between(first - slot * DAYS, last - slot * DAYS), slot


_ROWS: dict[str, pl.DataType] = {"mark": pl.UInt64(), "slot": pl.Int64(), "bits": pl.UInt64()}
