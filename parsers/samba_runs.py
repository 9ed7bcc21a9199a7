"""Running sums and last values over rows that lie side by side after one sort: a window expression groups anew for each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


class Runs:
    """Consecutive rows of one key each. `opens`: where another run begins; the first row always does."""

    def __init__(self, opens: Flags) -> None:
        self.opens = opens.copy()
        self.opens[:1] = True
        self._every: Places = np.arange(opens.size)
        self._begin: Places = np.maximum.accumulate(np.where(self.opens, self._every, 0))

    def divided(self, where: Flags) -> Runs:
        """Finer runs: another begins at each row that is `where`, too."""
        return Runs(self.opens | where)

    def before(self, flags: Flags) -> Flags:
        """Whether the row before it in its run is flagged."""
        shifted = np.zeros_like(flags)
        shifted[1:] = flags[:-1]
        return np.asarray(shifted & ~self.opens)

    def total(self, values: Column) -> Column:
        """The sum of its run up to each row, that included."""
        sums = np.cumsum(values, dtype=np.int64)
        return np.asarray(sums - sums[self._begin] + values[self._begin])

    def lowest(self, values: Column) -> Column:
        """The least of its run up to each row. Runs are kept apart by ever lower numbers."""
        if not values.size:
            return values
        step = int(values.max()) - int(values.min()) + 1
        number = np.cumsum(self.opens) - 1
        if step * values.size < 1 << 62:
            return np.asarray(np.minimum.accumulate(values - number * step) + number * step)
        bounds = np.append(np.flatnonzero(self.opens), values.size)
        parts = [np.minimum.accumulate(values[begin:end]) for begin, end in pairwise(bounds.tolist())]
        return np.concatenate(parts)

    def latest(self, where: Flags) -> Places:
        """The last row of its run that is `where`, up to each row; -1: none."""
        found = np.maximum.accumulate(np.where(where, self._every, -1))
        return np.where(found >= self._begin, found, -1)

    def first(self, where: Flags) -> Places:
        """The first row of its whole run that is `where`; -1: none."""
        behind = np.minimum.accumulate(np.where(where, self._every, where.size)[::-1])[::-1]
        found = behind[self._begin]
        return np.where(found <= self.ends, found, -1)

    @property
    def ends(self) -> Places:
        """For each row the last one of its run."""
        last = np.append(np.flatnonzero(self.opens)[1:], self.opens.size) - 1
        return np.asarray(last[np.cumsum(self.opens) - 1])


class Sorted:
    """Rows in the order of a key, each key's rows in their own order, and the way back."""

    def __init__(self, keys: Column) -> None:
        self.order: Places = np.argsort(keys, kind="stable")
        ordered = keys[self.order]
        opens = np.ones(keys.size, np.bool_)
        opens[1:] = ordered[1:] != ordered[:-1]
        self.runs = Runs(opens)

    def of(self, column: Column) -> Column:
        return column[self.order]

    def back(self, values: Column) -> Column:
        """Values in the rows' own order."""
        placed = np.empty_like(values)
        placed[self.order] = values
        return placed

    def rows(self, places: Places) -> Places:
        """Sorted places, as the rows' own numbers in their own order; -1 stays."""
        return self.back(np.where(places >= 0, self.order[places], -1))
