"""What is known of the events of one key in one slice of time: a sum that may be made in any order and any grouping."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from detectors.rules import Line
from parsers.events import TEXTS, UTC

EVIDENCE = 20  # event ids and names kept: the first ones
MEMBER_CAP = 4096  # members of one pane kept exactly; above it the smallest hashes stand for all (k minimum values)
SETS = ("distinct", "adjacent")  # measures that need the members
_SPACE = 2**64

_HEAD: dict[str, pl.DataType] = {
    "rule": pl.String(), "step": pl.UInt8(), "key": pl.String(), "pane": pl.Int64(), "until": UTC,
}  # fmt: skip
# What the store keeps: append-only, summed when read. No value of a patient in it: members are hashes.
PANES: dict[str, pl.DataType] = _HEAD | {
    "events": pl.Int64(), "rows": pl.Int64(), "rows_told": pl.Int64(), "rows_estimated": pl.Int64(),
    "rows_unknown": pl.Int64(), "bytes": pl.Int64(), "bytes_told": pl.Int64(), "bytes_estimated": pl.Int64(),
    "failed": pl.Int64(), "keys_cut": pl.Int64(), "unapproved": pl.Int64(), "unticketed": pl.Int64(),
    "unresolved": pl.Int64(), "special": pl.Int64(), "first_at": pl.Int64(), "last_at": pl.Int64(),
    "evidence": TEXTS, "first": TEXTS, "classes": TEXTS, "objects": TEXTS,
    "amounts": pl.List(pl.Int64()),
}  # fmt: skip
MEMBERS: dict[str, pl.DataType] = _HEAD | {"line": pl.UInt8(), "members": pl.List(pl.UInt64())}
CONTENT = tuple(name for name in PANES if name not in _HEAD)


@dataclass(slots=True)
class Pane:
    """What is known of the events of one key in one slice of time. Every field merges commutatively."""

    events: int = 0
    rows: int = 0  # sum of the rows that were told
    rows_told: int = 0  # events that told them
    rows_estimated: int = 0
    rows_unknown: int = 0
    bytes: int = 0
    bytes_told: int = 0
    bytes_estimated: int = 0
    failed: int = 0  # events that were refused or failed
    keys_cut: int = 0  # events that name more patients than are kept of them
    unapproved: int = 0  # records of work that is not approved
    unticketed: int = 0  # records outside any ticket and its scope
    unresolved: int = 0  # by a vendor without ticket, or by nobody the register knows
    special: int = 0  # that carry out a special category
    first_at: int = 0  # microseconds since the epoch
    last_at: int = 0
    evidence: list[str] = field(default_factory=list)  # time + event_id, sorted
    first: tuple[str | None, ...] = ()  # who and where of the earliest event
    classes: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)  # one a line of the rule

    def add(self, other: Pane) -> None:
        """Every event leaves evidence; one that only tells the amount of another counts for no event of its own."""
        if not other.evidence:
            return
        if not self.evidence or other.evidence[0] < self.evidence[0]:
            self.first = other.first
        self.first_at = min(self.first_at, other.first_at) if self.evidence else other.first_at
        self.last_at = max(self.last_at, other.last_at) if self.evidence else other.last_at
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.evidence = _smallest(self.evidence, other.evidence)
        self.classes = _smallest(self.classes, other.classes)
        self.objects = _smallest(self.objects, other.objects)
        if other.amounts:
            mine = self.amounts or [0] * len(other.amounts)
            self.amounts = [a + b for a, b in zip(mine, other.amounts, strict=True)]


COUNTS = (
    "events", "rows", "rows_told", "rows_estimated", "rows_unknown", "bytes", "bytes_told", "bytes_estimated", "failed",
    "keys_cut", "unapproved", "unticketed", "unresolved", "special",
)  # fmt: skip


@dataclass(slots=True)
class Held:
    """A pane that a window looks at. What crosses a line is at hand; what a finding tells of it stays in its rows until one is made."""

    events: int = 0
    first_at: int = 0
    last_at: int = 0
    amounts: list[int] = field(default_factory=list)
    members: dict[int, set[int]] = field(default_factory=dict)  # line -> keyed hashes
    rows: list[tuple[pl.DataFrame, int]] = field(default_factory=list)  # frames with CONTENT, and the place in each
    read: Pane | None = None  # what was in rows that have been read

    def add(self, other: Held) -> None:
        """`other` is one row of PANES."""
        self.first_at = min(self.first_at, other.first_at) if self.rows or self.read else other.first_at
        self.last_at = max(self.last_at, other.last_at)
        self.events += other.events
        if other.amounts:
            mine = self.amounts or [0] * len(other.amounts)
            self.amounts = [a + b for a, b in zip(mine, other.amounts, strict=True)]
        self.rows += other.rows
        if len(self.rows) > _UNREAD:
            self.whole()

    def add_members(self, line: int, members: Iterable[int]) -> None:
        kept = self.members.setdefault(line, set())
        kept.update(members)
        if len(kept) > MEMBER_CAP:
            self.members[line] = set(heapq.nsmallest(MEMBER_CAP, kept))

    def whole(self) -> Pane:
        """All of it, members excepted: lines are measured of what is held."""
        self.read = self.read or Pane()
        for frame, place in self.rows:
            self.read.add(pane_of(frame.row(place)))
        self.rows = []
        return self.read


_UNREAD = 64  # rows of a pane that are kept unread


def _smallest(mine: list[str], other: list[str]) -> list[str]:
    if not other or mine == other:
        return mine
    return sorted({*mine, *other})[:EVIDENCE]


def distinct(members: set[int]) -> int:
    """How many different members: exact below the cap, else estimated from the smallest hashes; never falls as it grows."""
    if len(members) < MEMBER_CAP:
        return len(members)
    smallest = heapq.nsmallest(MEMBER_CAP, members)
    return max(MEMBER_CAP, (MEMBER_CAP - 1) * _SPACE // (smallest[-1] + 1))


def adjacent(members: set[int]) -> int:
    """Pairs of following keys. A key k leaves hash(k) as the left end and hash(k-1) | 1 as the right end of a pair."""
    return sum(1 for member in members if not member & 1 and member | 1 in members)


def measure(line: Line, index: int, panes: Sequence[Held]) -> int:
    if line.measure == "events":
        return sum(pane.events for pane in panes)
    if line.measure == "sum":
        return sum(pane.amounts[index] for pane in panes if pane.amounts)
    sets = [pane.members[index] for pane in panes if index in pane.members]
    if sum(map(len, sets)) < min(line.least, MEMBER_CAP):
        return 0  # not even if all were different: no need to unite them
    united: set[int] = set().union(*sets)
    return adjacent(united) if line.measure == "adjacent" else distinct(united)


def pane_of(values: Sequence[object]) -> Pane:
    """From a row's CONTENT."""
    named = dict(zip(CONTENT, values, strict=True))
    first = named.pop("first")
    lists = {name: list(named[name] or ()) for name in ("evidence", "classes", "objects", "amounts")}  # type: ignore[call-overload]
    return Pane(**{**named, **lists, "first": tuple(first or ())})  # type: ignore[arg-type]


def sum_of(panes: Iterable[Pane]) -> Pane:
    total = Pane()
    for pane in panes:
        total.add(pane)
    return total
