"""What the kinds of behaviour have in common: memory of a rule, what a batch adds to it, what a finding is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

from detectors.behaviour.blocks import Per
from detectors.behaviour.cells import Cells, cells_of
from detectors.behaviour.learning import Learning
from detectors.behaviour.marks import DAYS, I64, U64, Flags, Marks, Settled
from detectors.behaviour.tables import BEHAVIOUR_TABLES
from detectors.risk import Part
from detectors.rules import Rule
from parsers.events import UTC

FARTHEST = 2_900_000  # a day near the end of the year 9999, the last that a stamp holds
SPANS: Mapping[Per, int] = {"day": 0, "week": 7, "month": 31}  # days that a bucket may reach back
LONGEST_SPAN = max(SPANS.values())
_DAY_MICROS = 86_400_000_000


class Since(Protocol):
    def known(self, subjects: U64, on: I64, least_days: int) -> Flags:
        """Was each subject there so many days before?"""

    def active(self, subjects: U64, on: I64) -> I64:
        """On how many days before was each subject there?"""


@dataclass(frozen=True, slots=True)
class Known:
    """What all rules know together. `endless`: nothing expires, events may come in any order."""

    learning: Learning
    settled: Settled
    since: Since
    endless: bool
    told: Callable[[str, int], bool]  # is there a finding of this key in the bucket that begins on a day?


@dataclass(frozen=True, slots=True)
class Judged:
    """One subject in one bucket: what it did there (`cells`), and which of it is the finding (none: there is none)."""

    key: str
    day: int  # first day of the bucket
    cells: list[dict[str, Any]]
    held: list[dict[str, Any]]
    words: Mapping[str, object] = field(default_factory=dict)
    weights: tuple[Part, ...] = ()  # of likelihood, beside those of the rule


class Places:
    """Hashes of events by some of their columns; each column of a batch is hashed once for all rules. Good for a process, not for a store."""

    def __init__(self, acts: pl.DataFrame) -> None:
        self.acts = acts
        self._hashes: dict[str, U64] = {}

    def of(self, columns: Sequence[str], name: str, rows: I64) -> U64:
        """Never 0."""
        mixed = np.full(len(rows), text_hash(name), np.uint64)
        for column in columns:
            mixed = (mixed ^ self._hashed(column)[rows]) * _MIX
            mixed ^= mixed >> _HALF_WORD
        return np.maximum(mixed, np.uint64(1))

    def _hashed(self, column: str) -> U64:
        if column not in self._hashes:
            self._hashes[column] = self.acts.get_column(column).hash(seed=0).to_numpy()
        return self._hashes[column]


_MIX, _HALF_WORD = np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(32)


class Memory:
    """Marks under a name, what was added to them since the last commit, and what need not be looked at again."""

    memory_days = 90

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks = Marks()
        self.changes: dict[str, list[pl.DataFrame]] = {}

    @property
    def kept_days(self) -> int:
        """For how long something is remembered: a bucket that may still change is compared with what was before it began."""
        return self.memory_days

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Rows of this name."""
        if (marks := tables.get("behaviour_marks")) is not None:
            self.marks.restore(marks)

    def take(self) -> dict[str, pl.DataFrame]:
        """What was added since the last time: rows of BEHAVIOUR_TABLES."""
        changes, self.changes = self.changes, {}
        return {
            name: pl.concat(parts)
            .with_columns(pl.lit(self.name).alias("rule"))
            .select(pl.col(column).cast(dtype) for column, dtype in BEHAVIOUR_TABLES[name].items())
            for name, parts in changes.items()
        }

    def forget(self, horizon: int) -> None:
        """Nothing before the local day `horizon` changes any more."""
        self.marks.forget(horizon - self.kept_days)

    def add_marks(self, marks: U64, days: I64) -> pl.DataFrame:
        added = self.marks.add(marks, days)
        if added.height:
            last = (pl.col("slot") + 1) * DAYS + self.kept_days
            self.changes.setdefault("behaviour_marks", []).append(added.with_columns(until(last)))
        return added


class Kind(Memory):
    """One rule's memory. Everything here is a function of the set of events that were counted, not of their order."""

    per: Per = "day"

    def __init__(self, rule: Rule, known: Known) -> None:
        super().__init__(rule.key)
        self.rule = rule
        self.known = known
        self.cells = Cells()

    def places(self, batch: Places, rows: I64) -> U64:
        """Of some events a hash of all that decides whether each is news, 0 for one that is none: `settled` remembers what is not."""
        raise NotImplementedError

    def count(self, hits: pl.DataFrame) -> pl.Series:
        """Count events (with _place, _subject, _key, _day, _learning); the subjects that may have findings now."""
        raise NotImplementedError

    def judge(self, cells: pl.DataFrame) -> Iterator[Judged]:
        """Look at cells of some subjects, all that there are of each."""
        raise NotImplementedError

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        super().restore(tables)
        if (cells := tables.get("behaviour_cells")) is not None:
            self.cells.restore(cells)

    def forget(self, horizon: int) -> None:
        super().forget(horizon)
        # a bucket is forgotten as a whole: judged by what is left of it, its finding would shrink
        self.cells.forget(bucket_start(horizon, self.per))

    @property
    def kept_days(self) -> int:
        return self.memory_days + self.span

    @property
    def span(self) -> int:
        """Days that a bucket may reach back."""
        return SPANS[self.per]

    def place_of(self, batch: Places, rows: I64, *columns: str) -> U64:
        """Hash of the subject, the day and `columns`."""
        return batch.of((*self.rule.subject, "_day", *columns), self.name, rows)

    def add_cells(self, events: pl.DataFrame) -> None:
        """`events` with _item, _parts and _names."""
        if not events.is_empty():
            self.keep_cells(cells_of(events, self.rule.steps[0]))

    def keep_cells(self, cells: pl.DataFrame) -> None:
        """Rows of CELL."""
        added = self.cells.add(cells)
        begun = {day: bucket_start(day, self.per) for day in added["day"].unique()}
        last = pl.col("day").cast(pl.Int64).replace_strict(begun, return_dtype=pl.Int64) + self.span + 1
        self.changes.setdefault("behaviour_cells", []).append(added.with_columns(until(last)))


def text_hash(text: str) -> int:
    """The same for ever: what is remembered outlives versions of libraries."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def hashes(texts: Iterator[str] | list[str]) -> U64:
    return np.fromiter((text_hash(text) for text in texts), np.uint64)


def item_hashes(texts: Iterator[str] | list[str]) -> U64:
    """Never 0 in the half that a mark keeps: that is the subject itself."""
    found = hashes(texts)
    return np.where((found & np.uint64(0xFFFFFFFF)) == 0, found + np.uint64(1), found)


def peers_of(events: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """With _peers: a hash of the columns that peers have in common."""
    groups = events.select(columns).unique()
    texts = ["\0".join(map(str, row)) for row in groups.iter_rows()]
    keyed = groups.with_columns(_peers=pl.Series(hashes(texts), dtype=pl.UInt64))
    return events.join(keyed, on=list(columns), nulls_equal=True, maintain_order="left")


def bucket_start(day: int, per: Per) -> int:
    """First local day of the bucket that a day lies in."""
    if per == "day":
        return day
    if per == "week":
        return day - (day + 3) % 7  # 1970-01-01 was a Thursday
    return day - (date(1970, 1, 1) + timedelta(days=day)).day + 1


def by_bucket(
    cells: pl.DataFrame, per: Per, told: Callable[[str, int], bool]
) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
    """(key, first day, cells) of every subject and bucket of which a cell may be told (`held`), or that were told before."""
    begun = {day: bucket_start(day, per) for day in cells["day"].unique()}
    cells = cells.with_columns(_start=pl.col("day").replace_strict(begun, return_dtype=pl.Int64))
    buckets = cells.group_by("key", "_start", maintain_order=True).agg(pl.col("held").any())
    wanted = [held or told(key, start) for key, start, held in buckets.iter_rows()]
    chosen = buckets.filter(pl.Series(wanted, dtype=pl.Boolean)).select("key", "_start")
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in cells.join(chosen, on=("key", "_start"), how="semi", maintain_order="left").iter_rows(named=True):
        groups.setdefault((row["key"], row["_start"]), []).append(row)
    for (key, day), rows in groups.items():
        yield key, day, rows


def days(column: pl.Series) -> I64:
    return column.to_numpy().astype(np.int64)


def full(like: npt.NDArray[Any], value: bool) -> Flags:
    return np.full(len(like), value, np.bool_)


def until(day: pl.Expr) -> pl.Expr:
    return ((day.clip(0, FARTHEST) + 1) * _DAY_MICROS).cast(UTC).alias("until")
