"""Where panes lie that no window looks at: in memory (`Ledger`), or in the store, which has them anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.panes import MEMBERS, PANES

# Panes that are asked for: of a key of a rule, from one second to before another.
WANTED: dict[str, pl.DataType] = {"rule": pl.String(), "key": pl.String(), "begin": pl.Int64(), "end": pl.Int64()}
Recall = Callable[[pl.DataFrame], Mapping[str, pl.DataFrame]]  # WANTED -> rows of window_panes and window_members
_TABLES = {"window_panes": PANES, "window_members": MEMBERS}
_FEW = 8  # parts of about the same size that are merged into one
_WORTH_SECONDS = 6 * 3600


class Ledger:
    """All rows of a state, found by rule and key."""

    def __init__(self) -> None:
        self._parts: dict[str, list[_Part]] = {name: [] for name in _TABLES}

    def add(self, tables: Mapping[str, pl.DataFrame]) -> None:
        for name, parts in self._parts.items():
            rows = tables.get(name)
            if rows is None or rows.is_empty():
                continue
            parts.append(_Part.of(rows.select(*_TABLES[name])))
            while len(parts) >= _FEW and parts[-_FEW].rows.height <= _FEW * parts[-1].rows.height:
                merged = pl.concat([part.rows for part in parts[-_FEW:]])
                del parts[-_FEW:]
                parts.append(_Part.of(merged))

    def __call__(self, wanted: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Rows of the panes that begin inside what is WANTED."""
        return {
            name: pl.concat([pl.DataFrame(schema=schema), *(part.found(wanted) for part in self._parts[name])])
            for name, schema in _TABLES.items()
        }

    def forget(self, before: int) -> None:
        """Drop rows that nobody needs after this second."""
        for name, parts in self._parts.items():
            self._parts[name] = [part for old in parts if (part := old.since(before)) is not None]


class _Part:
    """Rows in order of a hash of rule and key."""

    def __init__(self, rows: pl.DataFrame, hashes: npt.NDArray[np.uint64]) -> None:
        self.rows = rows
        self._hashes = hashes
        self._oldest = rows.get_column("until").dt.epoch("s").min()

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Part:
        hashes = _hashes(rows)
        order = np.argsort(hashes, kind="stable")
        return cls(rows[order], hashes[order])

    def since(self, before: int) -> _Part | None:
        """Without what nobody needs after this second, once that is worth the work."""
        if not isinstance(self._oldest, int) or self._oldest >= before - _WORTH_SECONDS:
            return self
        kept = self.rows.get_column("until").dt.epoch("s").to_numpy() >= before
        return _Part(self.rows.filter(pl.Series(kept)), self._hashes[kept]) if kept.any() else None

    def found(self, wanted: pl.DataFrame) -> pl.DataFrame:
        asked = np.unique(_hashes(wanted))
        begins, ends = np.searchsorted(self._hashes, asked), np.searchsorted(self._hashes, asked, side="right")
        places = [np.arange(begin, end) for begin, end in zip(begins, ends, strict=True) if begin < end]
        if not places:
            return self.rows.clear()
        near = self.rows[np.concatenate(places)]
        inside = (pl.col("pane") >= pl.col("begin")) & (pl.col("pane") < pl.col("end"))
        return near.join(wanted, on=["rule", "key"], how="inner").filter(inside).select(self.rows.columns)


def _hashes(rows: pl.DataFrame) -> npt.NDArray[np.uint64]:
    return rows.select(pl.struct("rule", "key").hash(seed=0).alias("hash")).get_column("hash").to_numpy()
