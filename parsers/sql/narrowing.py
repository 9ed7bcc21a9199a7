"""How well a table is narrowed by the conditions of a statement: `restriction`.

A use has the conditions of its block, of the blocks around it and of EXISTS and IN inside it; equalities between tables
hand on what narrows one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from config.catalogue import KEY_ROLES
from parsers.sql.facts import LooseTest
from parsers.sql.structure import Condition, Pred, Ref, Refs

if TYPE_CHECKING:
    from parsers.sql.meaning import Meaning

LEVELS = ("none", "range", "set", "point")  # weakest first
NONE, RANGE, SET, POINT = range(4)


@dataclass(frozen=True, slots=True)
class Narrow:
    """How well a use is narrowed: with every loose test read as restricting, and as not."""

    tight: int
    loose: int
    tests: tuple[LooseTest, ...] = ()


class Pools:
    """For each use the conditions that its rows pass: its block's, those of the blocks around it, of EXISTS and IN in it."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.blocks = meaning.statement.blocks
        parents: dict[int, int] = {}
        for number, block in enumerate(self.blocks):
            for child in block.children:
                parents.setdefault(child, number)
        self.parents = parents
        self.home = {use: number for number, block in enumerate(self.blocks) for use in block.uses}
        self._levels: dict[int, dict[int, Narrow]] = {}

    def of(self, use: int) -> Narrow:
        number = self.home.get(use)
        if number is None:
            return Narrow(NONE, NONE)
        levels = self._levels.get(number)
        if levels is None:
            levels = self._levels[number] = self._solve(number)
        return levels.get(use, Narrow(NONE, NONE))

    def conditions(self, number: int) -> list[Condition]:
        found: list[Condition] = []
        at: int | None = number
        seen: set[int] = set()
        while at is not None and at not in seen:
            seen.add(at)
            self._gather(at, found, seen)
            at = self.parents.get(at)
        return found

    def _gather(self, number: int, found: list[Condition], seen: set[int]) -> None:
        for condition in self.blocks[number].conditions:
            found.append(condition)
            for pred in conjuncts(condition.pred):
                if pred.kind in {"exists", "sub"}:
                    for inner in pred.blocks:
                        if inner not in seen and len(seen) < 64:
                            seen.add(inner)
                            self._gather(inner, found, seen)

    def _solve(self, number: int) -> dict[int, Narrow]:
        """Levels of all uses that the conditions of a block name, handed on along equalities until nothing changes."""
        conditions = self.conditions(number)
        tight = self._levels_of(conditions, trust=True)
        loose = self._levels_of(conditions, trust=False)
        tests = tuple(dict.fromkeys(test for condition in conditions for test in self._tests(condition.pred)))
        return {
            use: Narrow(tight.get(use, NONE), loose.get(use, NONE), tests)
            for use in set(tight) | set(loose) | set(self.blocks[number].uses)
        }

    def _levels_of(self, conditions: list[Condition], *, trust: bool) -> dict[int, int]:
        levels: dict[int, int] = {}
        joins: list[tuple[Pred, tuple[int, ...] | None]] = []
        for condition in conditions:
            for pred in conjuncts(condition.pred):
                for use, level in self._level(pred, trust=trust).items():
                    if condition.only is None or use in condition.only:
                        levels[use] = max(levels.get(use, NONE), level)
                if pred.kind in {"join", "sub", "natural"}:
                    joins.append((pred, condition.only))
        for _ in range(len(joins)):
            changed = False
            for pred, only in joins:
                changed = self._hand_on(pred, only, levels) or changed
            if not changed:
                break
        return levels

    def _hand_on(self, pred: Pred, only: tuple[int, ...] | None, levels: dict[int, int]) -> bool:
        """An equality makes one table as narrow as the other; by another column than a key, a range at best."""
        keyed = pred.kind == "natural" or bool(self.meaning.roles((*pred.refs, *pred.other)) & KEY_ROLES)
        changed = False
        left, right = self._sides(pred)
        for sources, targets in ((left, right), (right, left)):
            level = max((levels.get(use, NONE) for use in sources), default=NONE)
            if not keyed:
                level = min(level, RANGE)
            for use in targets - sources:
                if (only is None or use in only) and level > levels.get(use, NONE):
                    levels[use] = level
                    changed = True
        return changed

    def _uses(self, refs: Refs) -> set[int]:
        found: set[int] = set()
        for ref in refs:
            owners = {use for use, _ in self.meaning.columns(ref)}
            found |= owners or set(ref[0])
        return found

    def _sides(self, pred: Pred) -> tuple[set[int], set[int]]:
        """Uses on both sides of an equality. A name that its own query's tables lack is a column of a query around it that has one."""
        left, right = self._uses(pred.refs), self._uses(pred.other)
        if not pred.outer:
            return left, right
        sides = []
        for refs, uses in ((pred.refs, left), (pred.other, right)):
            tables = [self.meaning.tables[use] for use in uses]
            lacks = all(
                t is not None and not t.guessed and all(t.column(ref[1]) is None for ref in refs) for t in tables
            )
            outer = [ref for ref in pred.outer if lacks and self._may_own(ref)]
            sides.append({use for ref in outer for use in ref[0]} if outer else uses)
        return sides[0], sides[1]

    def _may_own(self, ref: Ref) -> bool:
        tables = [self.meaning.tables[use] for use in ref[0]]
        return not tables or any(t is None or t.guessed or t.column(ref[1]) is not None for t in tables)

    def _level(self, pred: Pred, *, trust: bool) -> dict[int, int]:
        kind = pred.kind
        if kind == "and":
            return _merge((self._level(child, trust=trust) for child in pred.children), max)
        if kind == "or":
            return self._any(pred, trust=trust)
        if pred.loose is not None and not trust:
            return {}
        if kind in {"eq", "in"}:
            best = POINT if kind == "eq" else SET
            return {use: best if pred.pure and key else RANGE for use, key in self._keys(pred.refs)}
        if kind in {"range", "like", "null"}:
            return {use: RANGE for use, _ in self._keys(pred.refs)}
        if kind == "notnull":
            return {use: RANGE for use, key in self._keys(pred.refs) if not key}
        if kind == "sub":
            return self._subquery(pred)
        if kind == "join":
            return self._variable(pred)
        return {}

    def _tests(self, pred: Pred) -> Iterator[LooseTest]:
        if pred.loose is not None:
            key = pred.loose.test == "empty" and pred.pure and any(key for _, key in self._keys(pred.refs))
            yield replace(pred.loose, test="no_key") if key else pred.loose
        for child in pred.children:
            yield from self._tests(child)

    def _keys(self, refs: Refs) -> list[tuple[int, bool]]:
        found: dict[int, bool] = {}
        for ref in refs:
            for use, column in self.meaning.columns(ref):
                table = self.meaning.tables[use]
                key = bool(KEY_ROLES & set(column.roles)) or (
                    ref[1].casefold() == "id" and (table is None or table.guessed)
                )
                found[use] = found.get(use, False) or key
        return list(found.items())

    def _any(self, pred: Pred, *, trust: bool) -> dict[int, int]:
        """OR: as weak as its weakest branch; several points are a set. A test of a parameter alone leaves a range."""
        asked = [child for child in pred.children if child.kind == "given" and trust]
        branches = [self._level(child, trust=trust) for child in pred.children if child not in asked]
        if asked:
            return {use: min(level, RANGE) for use, level in _merge(branches, min).items()}
        uses = {use for branch in branches for use in branch}
        found: dict[int, int] = {}
        for use in uses:
            level = min(branch.get(use, RANGE if any(branch.values()) else NONE) for branch in branches)
            found[use] = min(level, SET) if len(branches) > 1 else level
        return found

    def _subquery(self, pred: Pred) -> dict[int, int]:
        """`x IN (SELECT …)` narrows, unless it asks the same column of the same table without a condition."""
        mine = {
            (self.meaning.statement.tables[use].casefold(), ref[1].casefold()) for ref in pred.refs for use in ref[0]
        }
        theirs = {
            (self.meaning.statement.tables[use].casefold(), ref[1].casefold()) for ref in pred.other for use in ref[0]
        }
        bare = not any(self.blocks[number].conditions for number in pred.blocks)
        if bare and mine & theirs:
            return {}
        return {use: RANGE for use, _ in self._keys(pred.refs)}

    def _variable(self, pred: Pred) -> dict[int, int]:
        """`patient_id = pid` in a routine: a described table has no column pid, so it is a variable."""
        left, right = self._sides(pred)
        if left != right or len(left) != 1:
            return {}
        (use,) = left
        table = self.meaning.tables[use]
        known = [ref for ref in (*pred.refs, *pred.other) if table is not None and table.column(ref[1]) is not None]
        if table is not None and not table.guessed and len(known) == 1 and len(pred.refs) + len(pred.other) == 2:
            return {use: POINT if any(key for _, key in self._keys((known[0],))) else RANGE}
        return {use: RANGE}


def _merge(parts: Iterable[dict[int, int]], choose: Callable[[int, int], int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in parts:
        for use, level in part.items():
            found[use] = choose(found[use], level) if use in found else level
    return found


def conjuncts(pred: Pred) -> Iterator[Pred]:
    if pred.kind == "and":
        for child in pred.children:
            yield from conjuncts(child)
    else:
        yield pred
