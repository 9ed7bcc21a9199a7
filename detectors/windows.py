"""Sliding windows over event time, once for all detections.

State is a commutative monoid: a pane (counts, sums, first and last time, smallest evidence, hashed members) per rule, step,
key and slice of time; `Held` is one that is looked at. Adding panes in any order and any grouping gives the same state, so a batch writes only what it
adds, a restart adds up what was written, and findings do not depend on the cut (docs/decisions/0003-window-deltas.md).

60 panes a window, 12 where each holds a set, aligned to the epoch. A finding exists for (rule, key, bucket) if and only if some window that
ends in a non-empty pane of that bucket crosses every line of the rule; its content is the sum of those windows. Bucket: the
smaller of the time span and one local day. Python loops run over panes that a batch touched, never over events.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detectors.panes import SETS, Held, Pane, measure, sum_of
from detectors.risk import Part
from detectors.rules import Rule

PANES_PER_WINDOW = 60
PANES_WITH_MEMBERS = 12  # fewer where each pane holds a set: what is counted is seldom sharper than a twelfth
DAY = 86_400

Key = tuple[str | None, ...]


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
        sets = any(line.measure in SETS for line in rule.lines)
        seconds = -(-span // (PANES_WITH_MEMBERS if sets else PANES_PER_WINDOW))
        return Grid(seconds, -(-span // seconds), bucket)


@dataclass(frozen=True, slots=True)
class Found:
    """A bucket whose windows crossed: `total` of them, each step's own, and the most that each line measured in one window."""

    bucket: int
    total: Pane
    steps: tuple[Pane, ...]
    measured: tuple[int, ...]
    words: Mapping[str, object] = field(default_factory=dict)  # further ones that the rule's texts may name
    lead: tuple[str, str] = ("", "")  # before the text, in Chinese and English
    weights: tuple[Part, ...] = ()  # of likelihood, beside those of the rule


class Windows:
    """The panes of one rule that are looked at: of keys and blocks of time that may cross a line."""

    def __init__(self, rule: Rule, day_start: Callable[[int], int]) -> None:
        self.rule = rule
        self.key = rule.key
        self.grid = Grid.of(rule, day_start)
        self._steps: list[dict[str, dict[int, Held]]] = [{} for _ in rule.steps]
        self._crossed: dict[str, set[int]] = {}
        self._held: dict[str, set[int]] = {}  # blocks of which all panes are here

    @property
    def block_seconds(self) -> int:
        """As long as a window: see `tallies.py`."""
        return self.grid.panes * self.grid.pane_seconds or min(self.rule.timespan_seconds, DAY)

    @property
    def reach_seconds(self) -> int:
        """How far behind its end a pane still concerns what comes."""
        return self._near + self.block_seconds

    def holds(self, key: str, block: int) -> bool:
        return block in self._held.get(key, ())

    def hold(self, key: str, block: int) -> None:
        self._held.setdefault(key, set()).add(block)

    def near(self, start: int) -> range:
        """Blocks of all panes that a change of the pane `start` can concern: a window and a bucket to either side."""
        size = self.block_seconds
        return range((start - self._near) // size, (start + self._near) // size + 1)

    def add(self, step: int, key: str, start: int, pane: Held) -> None:
        """`start`: first second of the pane."""
        panes = self._steps[step].setdefault(key, {})
        if start in panes:
            panes[start].add(pane)
        else:
            panes[start] = pane

    def add_members(self, step: int, key: str, start: int, line: int, members: Iterable[int]) -> None:
        """Members of a line in a pane."""
        self._steps[step].setdefault(key, {}).setdefault(start, Held()).add_members(line, members)

    def found(self, key: str, touched: set[int]) -> Iterator[Found]:
        """The findings of `key` that panes touched by a batch make or change."""
        if self.rule.kind == "single":
            for start in sorted(touched):
                pane = self._steps[0][key][start].whole()
                yield Found(start, pane, (pane,), (pane.events,))
            return
        changed = sorted(touched)
        starts = self._starts(key, changed)
        if not self._reached([list(panes.values()) for panes in self._chosen(key, starts)]):
            return
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

    def release(self, before: int | None = None) -> None:
        """Look no longer at blocks that ended before this second (None: at any)."""
        size = self.block_seconds
        for key, blocks in list(self._held.items()):
            old = {block for block in blocks if before is None or (block + 1) * size < before}
            if not old:
                continue
            self._held[key] = blocks - old
            for panes in self._of(key):
                for start in [start for start in panes if start // size in old]:
                    del panes[start]
            self._crossed[key] = {end for end in self._crossed.get(key, ()) if end // size not in old}
            if len(old) == len(blocks):
                self.drop(key)

    def drop(self, key: str) -> None:
        self._held.pop(key, None)
        self._crossed.pop(key, None)
        for panes in self._steps:
            panes.pop(key, None)

    @property
    def size(self) -> int:
        return sum(len(panes) for panes_by_key in self._steps for panes in panes_by_key.values())

    @property
    def _reach(self) -> int:
        """From the first second of a window's first pane to that of its last."""
        return (self.grid.panes - 1) * self.grid.pane_seconds

    @property
    def _near(self) -> int:
        if self.rule.kind == "single":
            return 0
        return self._reach + min(self.rule.timespan_seconds, 2 * DAY) + self.grid.pane_seconds

    def _starts(self, key: str, changed: list[int]) -> list[int]:
        """Non-empty panes that a change at `changed` can concern, in order."""
        width = self.grid.pane_seconds
        first, last = (changed[0] - self._near) // width * width, changed[-1] + self._near
        steps = self._of(key)
        if (last - first) // width > sum(map(len, steps)):
            return sorted({start for panes in steps for start in panes if first <= start <= last})
        return [start for start in range(first, last + 1, width) if any(start in panes for panes in steps)]

    def _window(self, key: str, starts: list[int], end: int) -> list[dict[int, Held]]:
        """Panes of each step in the window that ends with the pane `end`, in order."""
        return self._chosen(key, starts[bisect_left(starts, end - self._reach) : bisect_right(starts, end)])

    def _chosen(self, key: str, starts: Iterable[int]) -> list[dict[int, Held]]:
        return [{start: panes[start] for start in starts if start in panes} for panes in self._of(key)]

    def _of(self, key: str) -> list[dict[int, Held]]:
        return [panes_by_key.get(key, {}) for panes_by_key in self._steps]

    def _crosses(self, key: str, starts: list[int], end: int) -> bool:
        window = self._window(key, starts, end)
        return self._reached([list(panes.values()) for panes in window]) and (
            self.rule.kind != "ordered" or _begins(window) is not None
        )

    def _reached(self, steps: Sequence[Sequence[Held]]) -> bool:
        """Does what these panes hold cross every line, and has every step some? More panes never reach less."""
        if self.rule.kind == "count":
            return all(measure(line, index, steps[0]) >= line.least for index, line in enumerate(self.rule.lines))
        return all(steps)

    def _content(self, key: str, starts: list[int], bucket: int, crossed: set[int]) -> Found:
        kept: set[int] = set()
        measured = [0] * len(self.rule.lines)
        for end in starts:
            if self.grid.bucket(end) != bucket:
                continue
            if end not in crossed and not self._crosses(key, starts, end):
                continue
            crossed.add(end)
            window = starts[bisect_left(starts, end - self._reach) : bisect_right(starts, end)]
            kept.update(window)
            # a text says "within so many minutes": the most that any one window held
            panes = list(self._chosen(key, window)[0].values()) if measured else []
            measured = [
                max(most, measure(line, at, panes))
                for at, (line, most) in enumerate(zip(self.rule.lines, measured, strict=True))
            ]
        chosen = self._chosen(key, sorted(kept))
        if self.rule.kind == "ordered":
            chosen = _in_order(chosen)
        steps = tuple(sum_of(pane.whole() for pane in panes.values()) for panes in chosen)
        return Found(bucket, sum_of(steps), steps, tuple(measured))


def _begins(steps: Sequence[dict[int, Held]]) -> list[int] | None:
    """For each step the first pane in which it can follow those before it; None where one follows nowhere.

    Between panes order is by their begin; within one, a step can follow another that first happened before it last did.
    So the order of two steps is exact, that of three and more to the length of a pane.
    """
    begins: list[int] = []
    for number, panes in enumerate(steps):
        start = next(
            iter(panes) if not begins else (at for at in panes if _follows(steps[number - 1], begins[-1], panes, at)),
            None,
        )
        if start is None:
            return None
        begins.append(start)
    return begins


def _follows(before: dict[int, Held], begin: int, panes: dict[int, Held], at: int) -> bool:
    return at > begin or (at == begin and panes[at].last_at >= before[begin].first_at)


def _in_order(steps: Sequence[dict[int, Held]]) -> list[dict[int, Held]]:
    """Only what can follow the step before it."""
    begins = _begins(steps)
    assert begins is not None
    return [
        panes
        if not number
        else {at: pane for at, pane in panes.items() if _follows(steps[number - 1], begins[number - 1], panes, at)}
        for number, panes in enumerate(steps)
    ]
