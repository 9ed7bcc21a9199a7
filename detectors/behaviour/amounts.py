"""Amounts by subject and day, with the peers of each: sorted numbers, added up in any order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.behaviour.marks import I64, U64, Sorted

ROWS: dict[str, pl.DataType] = {
    "subject": pl.UInt64(), "peers": pl.UInt64(), "day": pl.Int32(), "amount": pl.Int64(),
}  # fmt: skip


class Amounts:
    """Of one rule."""

    def __init__(self) -> None:
        self._amounts: dict[int, Sorted] = {}
        self._peers = Sorted(np.minimum)  # of each subject

    def __len__(self) -> int:
        return sum(map(len, self._amounts.values()))

    def add(self, rows: pl.DataFrame) -> None:
        """Rows (subject, peers, day, amount), of which there may be several for a subject and day."""
        for (day,), part in rows.partition_by("day", as_dict=True).items():
            subjects = part["subject"].to_numpy()
            amounts = self._amounts.setdefault(int(day), Sorted(np.add, np.int64))
            amounts.put(subjects, part["amount"].to_numpy())
        # whose peers changed has the smaller hash: any choice will do that does not depend on the order
        self._peers.put(rows["subject"].to_numpy(), rows["peers"].to_numpy())

    def of(self, subjects: U64, on: I64) -> I64:
        """The amount of each subject on its day; 0 where there is none."""
        found = np.zeros(len(subjects), np.int64)
        for day in np.unique(on):
            if (held := self._amounts.get(int(day))) is not None:
                here = on == day
                found[here] = held.get(subjects[here])
        return found

    def group(self, subject: int) -> int:
        """The peers that the subject belongs to."""
        return int(self._peers.get(np.array([subject], np.uint64))[0])

    def own(self, subject: int, first: int, last: int) -> tuple[I64, I64]:
        """Days of the subject from `first` to `last` that held anything, and what they held."""
        one, within = np.array([subject], np.uint64), self._within(first, last)
        found = np.array([self._amounts[day].get(one)[0] for day in within], np.int64)
        return np.array(within, np.int64)[found > 0], found[found > 0]

    def others(self, subject: int, group: int, first: int, last: int) -> tuple[I64, int]:
        """What days of others of the group held, where they held anything; and how many others that were."""
        amounts: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
        who: list[U64] = [np.empty(0, np.uint64)]
        for day in self._within(first, last):
            subjects, held = self._amounts[day].everything()
            mine = (self._peers.get(subjects) == np.uint64(group)) & (subjects != np.uint64(subject)) & (held > 0)
            amounts.append(held[mine])
            who.append(subjects[mine])
        return np.concatenate(amounts), len(np.unique(np.concatenate(who)))

    def at_least(self, least: int, after: int) -> U64:
        """Subjects that had so much on a day after one."""
        found = [np.empty(0, np.uint64)]
        for day, held in self._amounts.items():
            if day > after:
                subjects, amounts = held.everything()
                found.append(subjects[amounts >= least])
        return np.unique(np.concatenate(found))

    def forget(self, before: int) -> None:
        for day in [day for day in self._amounts if day < before]:
            del self._amounts[day]

    def _within(self, first: int, last: int) -> list[int]:
        return sorted(day for day in self._amounts if first <= day <= last)
