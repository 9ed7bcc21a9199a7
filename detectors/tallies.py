"""How much of what a rule counts a key has done, roughly: enough to know that no window of it can cross its lines.

A block of time is as long as a window, so a window touches two of them at most: where two blocks together stay below a line,
no window in them crosses it. Nearly all keys stay there for ever, and cost one number a block. Only of the others are
panes needed (`windows.py`).

Different members do not add up: the same address in ten panes is one. Where a line asks for a few of them, these are kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from detectors.panes import MEMBER_CAP
from detectors.rules import Line, Rule

_SHIFT = 96  # bits of one number: sums of sums of what a log may tell
_MASK = (1 << _SHIFT) - 1
FEW = 8  # different members that are kept themselves; a line that asks for more has their number only


def packed(numbers: Iterable[int]) -> int:
    """Several numbers as one; those of two keys are added as one."""
    total = 0
    for place, number in enumerate(numbers):
        total |= number << (place * _SHIFT)
    return total


class Tallies:
    """Of one rule."""

    def __init__(self, rule: Rule, block_seconds: int) -> None:
        self.block_seconds = block_seconds
        self._needed = _needed(rule)
        self.few_line = _few_line(rule)
        self._few_least = 0 if self.few_line is None else rule.lines[self.few_line].least
        self._members: dict[int, dict[str, frozenset[int]]] = {}
        self._blocks: dict[int, dict[str, int]] = {}
        self._keys: dict[str, int] = {}  # newest block of each

    @property
    def size(self) -> int:
        return sum(map(len, self._blocks.values()))

    @property
    def keys(self) -> Iterable[str]:
        return self._keys

    def add(self, key: str, block: int, numbers: int, members: Iterable[int] = ()) -> bool:
        """`numbers`: packed, one a line; `members`: of `few_line`, FEW are enough. Was nothing known of this key in this block?"""
        if members:
            self._add_members(key, block, members)
        held = self._blocks.setdefault(block, {})
        before = held.get(key)
        held[key] = numbers if before is None else before + numbers
        if self._keys.get(key, block - 1) < block:
            self._keys[key] = block
        return before is None

    def _add_members(self, key: str, block: int, members: Iterable[int]) -> None:
        held = self._members.setdefault(block, {})
        known = held.get(key, _NOBODY)
        if len(known) >= self._few_least or known.issuperset(members):
            return
        united = known.union(members)
        # most keys have the same members in every block
        before = self._members.get(block - 1, {}).get(key)
        held[key] = before if before == united else united

    def holds(self, key: str, block: int) -> bool:
        return key in self._blocks.get(block, ())

    def may_cross(self, key: str, block: int) -> bool:
        """Could a window that touches this block cross every line?"""
        here = self._blocks[block][key]
        if not self._needed:
            return True
        for other in (block - 1, block + 1):
            beside = self._blocks.get(other)
            both = here + beside.get(key, 0) if beside else here
            for shift, least in self._needed:
                if both >> shift & _MASK < least:
                    break
            else:
                if self.few_line is None or self._enough(key, block, other):
                    return True
        return False

    def _enough(self, key: str, block: int, other: int) -> bool:
        """Have two blocks together as many different members as the line asks for?"""
        here, beside = (self._members.get(which, {}).get(key, _NOBODY) for which in (block, other))
        return len(here) >= self._few_least or len(beside) >= self._few_least or len(here | beside) >= self._few_least

    def forget(self, before: int) -> None:
        """Drop blocks that ended before this second."""
        for block in [block for block in self._blocks if (block + 1) * self.block_seconds < before]:
            del self._blocks[block]
            self._members.pop(block, None)
        oldest = min(self._blocks, default=0)
        self._keys = {key: block for key, block in self._keys.items() if block >= oldest} if self._blocks else {}

    def bound(self, keys: int) -> list[str]:
        """Keep at most `keys` keys, those seen last (hostile names must not fill the memory); which were dropped."""
        over = len(self._keys) - keys
        if over <= 0:
            return []
        # A tenth more than needed, so that a flood does not sort all keys at every batch.
        oldest = heapq.nsmallest(over + keys // 10, self._keys, key=lambda key: (self._keys[key], key))
        for key in oldest:
            del self._keys[key]
            for held in (*self._blocks.values(), *self._members.values()):
                held.pop(key, None)  # type: ignore[attr-defined]
        return oldest


def _needed(rule: Rule) -> list[tuple[int, int]]:
    """(place of the number, least) for every number that must be reached."""
    if rule.kind == "single":
        return []
    least = [_least(line) for line in rule.lines] if rule.kind == "count" else [1] * len(rule.steps)
    return [(place * _SHIFT, number) for place, number in enumerate(least)]


_NOBODY: frozenset[int] = frozenset()


def _few_line(rule: Rule) -> int | None:
    """Place of the first line that asks for a few different members."""
    if rule.kind != "count":
        return None
    return next(
        (place for place, line in enumerate(rule.lines) if line.measure == "distinct" and line.least <= FEW), None
    )


def _least(line: Line) -> int:
    if line.measure == "distinct":
        return min(line.least, MEMBER_CAP)  # from there on the number is an estimate
    return 2 * line.least if line.measure == "adjacent" else line.least  # a pair has two members
