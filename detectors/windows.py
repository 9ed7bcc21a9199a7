"""Sliding windows over event time, once for all detections.

State is a commutative monoid: a `Pane` (counts, sums, first and last time, smallest evidence, hashed members) per rule, step,
key and slice of time. Adding panes in any order and any grouping gives the same state, so a batch writes only what it
adds, a restart adds up what was written, and findings do not depend on the cut (docs/decisions/0003-window-deltas.md).

About 60 panes a window, aligned to the epoch. A finding exists for (rule, key, bucket) if and only if some window that
ends in a non-empty pane of that bucket crosses every line of the rule; its content is the sum of those windows. Bucket: the
smaller of the time span and one local day. Python loops run over panes that a batch touched, never over events.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from detectors.rules import Line, Rule

PANES_PER_WINDOW = 60
PANES_WITH_MEMBERS = 12  # fewer where each pane holds a set: what is counted is seldom sharper than a twelfth
DAY = 86_400
EVIDENCE = 20  # event ids and names kept: the first ones
MEMBER_CAP = 4096  # members of one pane kept exactly; above it the smallest hashes stand for all (k minimum values)
_SPACE = 2**64

Key = tuple[str | None, ...]


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
    approved: int = 0  # events of approved work
    ticketed: int = 0  # events inside a ticket and its scope
    unresolved: int = 0  # by a vendor without ticket, or by nobody the register knows
    special: int = 0  # that carry out a special category
    first_at: int = 0  # microseconds since the epoch
    last_at: int = 0
    evidence: list[str] = field(default_factory=list)  # time + event_id, sorted
    first: tuple[str | None, ...] = ()  # who and where of the earliest event
    classes: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)  # one a line of the rule
    members: dict[int, set[int]] = field(default_factory=dict)  # line -> keyed hashes

    def add(self, other: Pane) -> None:
        if not other.events:
            return
        if not self.events or (other.evidence and other.evidence[0] < self.evidence[0]):
            self.first = other.first
        self.first_at = min(self.first_at, other.first_at) if self.events else other.first_at
        self.last_at = max(self.last_at, other.last_at) if self.events else other.last_at
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.evidence = _smallest(self.evidence, other.evidence)
        self.classes = _smallest(self.classes, other.classes)
        self.objects = _smallest(self.objects, other.objects)
        if other.amounts:
            mine = self.amounts or [0] * len(other.amounts)
            self.amounts = [a + b for a, b in zip(mine, other.amounts, strict=True)]
        for line, members in other.members.items():
            self.add_members(line, members)

    def add_members(self, line: int, members: Iterable[int]) -> None:
        kept = self.members.setdefault(line, set())
        kept.update(members)
        if len(kept) > MEMBER_CAP:
            self.members[line] = set(heapq.nsmallest(MEMBER_CAP, kept))


_COUNTS = (
    "events", "rows", "rows_told", "rows_estimated", "rows_unknown", "bytes", "bytes_told", "approved", "ticketed",
    "unresolved", "special",
)  # fmt: skip


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


def measure(line: Line, index: int, panes: Sequence[Pane]) -> int:
    if line.measure == "events":
        return sum(pane.events for pane in panes)
    if line.measure == "sum":
        return sum(pane.amounts[index] for pane in panes if pane.amounts)
    sets = [pane.members[index] for pane in panes if index in pane.members]
    if sum(map(len, sets)) < line.least:
        return 0  # not even if all were different: no need to unite them
    united: set[int] = set().union(*sets)
    return adjacent(united) if line.measure == "adjacent" else distinct(united)


@dataclass(frozen=True, slots=True)
class Grid:
    """How a rule cuts time. Seconds since the epoch."""

    pane_seconds: int
    panes: int  # a window's
    bucket: Callable[[int], int]

    @staticmethod
    def of(rule: Rule, day_start: Callable[[int], int]) -> Grid:
        span = rule.timespan_seconds
        bucket = day_start if span >= DAY else lambda second: second - second % span
        if rule.kind == "single":
            return Grid(0, 1, bucket)  # the pane is the bucket
        sets = any(line.measure in ("distinct", "adjacent") for line in rule.lines)
        seconds = -(-span // (PANES_WITH_MEMBERS if sets else PANES_PER_WINDOW))
        return Grid(seconds, -(-span // seconds), bucket)


@dataclass(frozen=True, slots=True)
class Found:
    """A bucket whose windows crossed: `total` of them, each step's own, and what each line measured."""

    bucket: int
    total: Pane
    steps: tuple[Pane, ...]
    measured: tuple[int, ...]


class Windows:
    """The living panes of one rule."""

    def __init__(self, rule: Rule, day_start: Callable[[int], int]) -> None:
        self.rule = rule
        self.key = rule.key
        self.grid = Grid.of(rule, day_start)
        self._steps: list[dict[Key, dict[int, Pane]]] = [{} for _ in rule.steps]
        self._crossed: dict[Key, set[int]] = {}

    def add(self, step: int, key: Key, start: int, pane: Pane) -> None:
        """`start`: first second of the pane."""
        panes = self._steps[step].setdefault(key, {})
        if start in panes:
            panes[start].add(pane)
        else:
            panes[start] = pane

    def add_members(self, step: int, key: Key, start: int, line: int, members: Iterable[int]) -> None:
        """Members of a line in a pane."""
        self._steps[step].setdefault(key, {}).setdefault(start, Pane()).add_members(line, members)

    def found(self, key: Key, touched: set[int]) -> Iterator[Found]:
        """The findings of `key` that panes touched by a batch make or change."""
        if self.rule.kind == "single":
            for start in sorted(touched):
                pane = self._steps[0][key][start]
                yield Found(start, pane, (pane,), (pane.events,))
            return
        changed = sorted(touched)
        starts = self._starts(key, changed)
        crossed = self._crossed.get(key, set())
        buckets = set()
        for end in starts:
            last = bisect_right(changed, end) - 1  # the latest change that this window may hold
            if last < 0 or changed[last] < end - self._reach:
                continue
            if end in crossed or self._crosses(key, starts, end):
                crossed.add(end)
                buckets.add(self.grid.bucket(end))
        if crossed:
            self._crossed[key] = crossed
        for bucket in sorted(buckets):
            yield self._content(key, starts, bucket, crossed)

    def expire(self, before: int) -> int:
        """Forget panes that ended before `before`; how many."""
        gone = 0
        width = self.grid.pane_seconds or min(self.rule.timespan_seconds, DAY)
        for panes_by_key in self._steps:
            for key in list(panes_by_key):
                panes = panes_by_key[key]
                old = [start for start in panes if start + width < before]
                for start in old:
                    del panes[start]
                gone += len(old)
                if not panes:
                    del panes_by_key[key]
        for key in list(self._crossed):
            living = {end for end in self._crossed[key] if end + width >= before}
            if living:
                self._crossed[key] = living
            else:
                del self._crossed[key]
        return gone

    def bound(self, keys: int) -> int:
        """Keep at most `keys` keys, those seen last (hostile names must not fill the memory); how many were dropped."""
        dropped = 0
        for panes_by_key in self._steps:
            over = len(panes_by_key) - keys
            if over <= 0:
                continue
            # A tenth more than needed, so that a flood does not sort all keys at every batch.
            oldest = heapq.nsmallest(
                over + keys // 10, panes_by_key, key=lambda key: (max(panes_by_key[key]), str(key))
            )
            for key in oldest:
                del panes_by_key[key]
                self._crossed.pop(key, None)
            dropped += len(oldest)
        return dropped

    @property
    def size(self) -> int:
        return sum(len(panes) for panes_by_key in self._steps for panes in panes_by_key.values())

    @property
    def _reach(self) -> int:
        """From the first second of a window's first pane to that of its last."""
        return (self.grid.panes - 1) * self.grid.pane_seconds

    def _starts(self, key: Key, changed: list[int]) -> list[int]:
        """Non-empty panes that a change at `changed` can concern, in order: a window and a bucket to either side."""
        near = self._reach + min(self.rule.timespan_seconds, 2 * DAY) + self.grid.pane_seconds
        width = self.grid.pane_seconds
        first, last = (changed[0] - near) // width * width, changed[-1] + near
        steps = self._of(key)
        if (last - first) // width > sum(map(len, steps)):
            return sorted({start for panes in steps for start in panes if first <= start <= last})
        return [start for start in range(first, last + 1, width) if any(start in panes for panes in steps)]

    def _window(self, key: Key, starts: list[int], end: int) -> list[list[Pane]]:
        """Panes of each step in the window that ends with the pane `end`."""
        inside = starts[bisect_left(starts, end - self._reach) : bisect_right(starts, end)]
        return [[panes[start] for start in inside if start in panes] for panes in self._of(key)]

    def _of(self, key: Key) -> list[dict[int, Pane]]:
        return [panes_by_key.get(key, {}) for panes_by_key in self._steps]

    def _crosses(self, key: Key, starts: list[int], end: int) -> bool:
        window = self._window(key, starts, end)
        if self.rule.kind == "count":
            return all(measure(line, index, window[0]) >= line.least for index, line in enumerate(self.rule.lines))
        if not all(window):
            return False
        if self.rule.kind == "together":
            return True
        begin = min(pane.first_at for pane in window[0])
        return any(pane.last_at >= begin for pane in window[1])

    def _content(self, key: Key, starts: list[int], bucket: int, crossed: set[int]) -> Found:
        kept: set[int] = set()
        for end in starts:
            if self.grid.bucket(end) != bucket:
                continue
            if end not in crossed and not self._crosses(key, starts, end):
                continue
            crossed.add(end)
            kept.update(starts[bisect_left(starts, end - self._reach) : bisect_right(starts, end)])
        order = sorted(kept)
        chosen = [[panes[start] for start in order if start in panes] for panes in self._of(key)]
        if self.rule.kind == "ordered":
            begin = min(pane.first_at for pane in chosen[0])
            chosen[1] = [pane for pane in chosen[1] if pane.last_at >= begin]
        steps = tuple(_sum(panes) for panes in chosen)
        measured = tuple(measure(line, index, chosen[0]) for index, line in enumerate(self.rule.lines))
        return Found(bucket, _sum(steps), steps, measured)


def _sum(panes: Iterable[Pane]) -> Pane:
    total = Pane()
    for pane in panes:
        total.add(pane)
    return total
