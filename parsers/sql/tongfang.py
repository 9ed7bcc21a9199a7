"""统方: prescriptions, orders, dispensing or charges by prescriber and drug, by roles of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from config.catalogue import KEY_ROLES, Column
from parsers.sql.narrowing import SET, Pools, conjuncts
from parsers.sql.structure import Aggregate, Block, Pred, Ref

if TYPE_CHECKING:
    from parsers.sql.meaning import Meaning


class Tongfang:
    """Prescriptions, orders, dispensing or charges by prescriber and drug: counted, or pulled raw to be counted elsewhere."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.statement = meaning.statement
        # What UPDATE and DELETE give back is of the rows they change; what they copy is a table of its own.
        changes = self.statement.verb in {"update", "delete"}
        self.given = self.statement.copied if changes else (*self.statement.outputs, *self.statement.copied)
        self.linked_staff = self._linked_staff()
        self.linked_drugs = self._linked_drugs()
        self._asked: dict[int, set[str]] = {}
        for block in self.statement.blocks:
            for ref in (*block.used, *block.outputs):
                for use in ref[0] if len(ref[0]) == 1 else ():
                    self._asked.setdefault(use, set()).add(ref[1])

    def found(self) -> bool:
        m = self.meaning
        if not any(t is not None and t.classes & {"prescription", "billing"} for t in m.tables):
            return False
        counted = any(self._counted(number, block) for number, block in enumerate(self.statement.blocks))
        return counted or self._gathered() or self._raw()

    def _linked_staff(self) -> set[int]:
        """Uses of staff tables that are joined by a prescriber's column: their names are the prescriber's."""
        linked: set[int] = set()
        for pred in self._joins():
            if "prescriber" in self.meaning.roles((*pred.refs, *pred.other)):
                linked |= {use for ref in (*pred.refs, *pred.other) for use in ref[0] if self._is_staff(use)}
        return linked

    def _joins(self) -> Iterator[Pred]:
        for block in self.statement.blocks:
            for condition in block.conditions:
                yield from (pred for pred in conjuncts(condition.pred) if pred.kind in {"join", "sub"})

    def names_prescriber(self, use: int, column: Column, name: str) -> bool:
        """A column of a joined staff table that tells one person from another; a title or a department tells groups."""
        if use not in self.linked_staff or "staff" not in column.classes or name == "*":
            return False
        return not any(word in name.casefold() for word in _GROUPS)

    def _is_staff(self, use: int) -> bool:
        table = self.meaning.tables[use]
        return table is not None and "staff" in table.classes

    def roles(self, refs: Iterable[Ref]) -> set[str]:
        """Roles within tables of prescriptions or charges; `prescriber` also through the staff table, `drug` through the drug list."""
        found: set[str] = set()
        for ref in refs:
            for use, column in self.meaning.columns(ref):
                table = self.meaning.tables[use]
                if "maker" in column.roles:
                    found.add("drug")
                found.update(column.roles)
                if self.names_prescriber(use, column, ref[1]):
                    found.add("prescriber")
                if table is not None and table.guessed and "prescription" in table.own_classes and not column.roles:
                    found.update(_named_roles(ref[1]))
        return found

    @cached_property
    def _fixed(self) -> set[str]:
        """Roles that a predicate holds to given values."""
        found: set[str] = set()
        for block in self.statement.blocks:
            for condition in block.conditions:
                for pred in _leaves(condition.pred):
                    if pred.kind in {"eq", "in", "like"} or _between(pred):
                        found |= self.roles(pred.refs) & {"prescriber", "drug"}
                        if any(use in self.linked_drugs and _tells_drug(ref[1]) for ref in pred.refs for use in ref[0]):
                            found.add("drug")
        if any(self._listed(pred) for pred in self._joins()):
            found.add("drug")
        return found

    def _linked_drugs(self) -> set[int]:
        """Uses of drug lists that are joined by a drug: what holds their columns to values holds the drug."""
        linked: set[int] = set()
        for pred in self._joins():
            if pred.kind == "join" and "drug" in self.meaning.roles((*pred.refs, *pred.other)):
                uses = {use for ref in (*pred.refs, *pred.other) for use in ref[0]}
                linked |= {use for use in uses if (t := self.meaning.tables[use]) is not None and "drug" in t.classes}
        return linked - {use for use in linked if self._holds(use)}

    def _listed(self, pred: Pred) -> bool:
        """The drug is looked up in a list: a table that nobody described, of which nothing else is asked."""
        for mine, theirs in ((pred.refs, pred.other), (pred.other, pred.refs)):
            if "drug" not in self.roles(mine):
                continue
            if pred.kind == "sub" and any(self.statement.blocks[number].conditions for number in pred.blocks):
                return True
            uses = {use for ref in theirs for use in ref[0]}
            if uses and all(self._bare_list(use, theirs) for use in uses):
                return True
        return False

    def _bare_list(self, use: int, asked: Iterable[Ref]) -> bool:
        table = self.meaning.tables[use]
        known = {ref[1] for ref in asked}
        return (table is None or table.guessed) and self._asked.get(use, set()) <= known

    def _keyed(self, uses: Iterable[int]) -> bool:
        """All prescription tables among the uses are held to given patients, visits or documents."""
        levels = [self.meaning.narrowed(use).tight for use in uses if self._holds(use)]
        return bool(levels) and min(levels) >= SET

    def _holds(self, use: int) -> bool:
        table = self.meaning.tables[use]
        return table is not None and bool(table.classes & {"prescription", "billing"})

    def _below(self, number: int) -> set[int]:
        uses: set[int] = set()
        stack, seen = [number], {number}
        while stack:
            block = self.statement.blocks[stack.pop()]
            uses |= set(block.uses)
            for child in block.children:
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        return uses

    def _counted(self, number: int, block: Block) -> bool:
        measured = any(self._measures(a) for a in block.aggregates)
        if not block.groups and not measured:
            return False
        by = set().union(*(self.roles(refs) for _, refs in block.groups)) if block.groups else set()
        for kind, refs in block.groups:
            if kind in {"group", "pivot", "window"} or (
                kind == "distinct" and {"prescriber", "drug"} <= self.roles(refs)
            ):
                by |= self.roles(refs)
        if not block.groups and not measured:
            return False
        # An aggregate that keeps the names: string_agg(doctor), max(drug); CASE WHEN drug = … THEN qty inside a sum.
        kept = self.roles(ref for ref in block.outputs if not ref[2])
        if by & KEY_ROLES and "prescriber" not in by | kept:
            return False  # a doctor's own list, a row for each prescription
        if all(self.roles(refs) & KEY_ROLES for _, refs in block.groups) and self._queue(by):
            return False
        inside = self.roles(ref for a in block.aggregates for ref in a.conditions)
        fixed = self._fixed
        if not self._about_prescriptions(number):
            return False
        has_prescriber = "prescriber" in by or "prescriber" in kept
        has_drug = (
            "drug" in by or "drug" in kept or "drug" in inside or (measured and "drug" in self._correlated(number))
        )
        prescriber = has_prescriber or "prescriber" in fixed
        drug = has_drug or "drug" in fixed
        grouped = any(kind in {"group", "pivot", "window", "distinct"} for kind, _ in block.groups)
        if not (prescriber and drug) or not (measured or grouped):
            return False
        if not measured and not (has_prescriber and has_drug):
            return False
        return not self._keyed(self._below(number))

    def _measures(self, aggregate: Aggregate) -> bool:
        """It counts or adds up. The last day of something is no measure."""
        if aggregate.function in {"min", "max"}:
            return bool(self.roles(aggregate.refs) & {"quantity", "money", "drug", "prescriber"})
        return bool(aggregate.function)

    def _correlated(self, number: int) -> set[str]:
        """Roles of columns shown around a block by which it is joined to the query around it."""
        shown = {ref for block in self.statement.blocks if number in block.children for ref in block.outputs}
        if not shown:
            return set()
        joins = [
            pred for c in self.statement.blocks[number].conditions for pred in conjuncts(c.pred) if pred.kind == "join"
        ]
        around = self.roles(ref for ref in shown if not ref[2])
        inside = self._below(number)
        mine = [p for p in joins if any(use not in inside for ref in (*p.refs, *p.other) for use in ref[0])]
        return around & self.roles(ref for p in mine for ref in (*p.refs, *p.other))

    def _queue(self, shown: set[str]) -> bool:
        """Single documents of one day, or those still open somewhere: the work of a pharmacy or a ward."""
        pools = Pools(self.meaning)
        homes = {pools.home[use] for use in pools.home if self._holds(use)}
        return bool(shown & KEY_ROLES) and all(self._of_a_day(self._passed(home, pools)) for home in homes)

    def _passed(self, number: int, pools: Pools) -> list[Pred]:
        """Conjuncts of a block and of those around it."""
        found: list[Pred] = []
        at: int | None = number
        while at is not None:
            found += [p for c in self.statement.blocks[at].conditions if c.only is None for p in conjuncts(c.pred)]
            at = pools.parents.get(at)
        return found

    def _of_a_day(self, preds: list[Pred]) -> bool:
        fixed = [p for p in preds if p.kind == "eq" and p.pure]
        if any("date" in self.meaning.roles(p.refs) for p in fixed):
            return True
        return bool(fixed) and any(p.kind == "null" and "date" in self.meaning.roles(p.refs) for p in preds)

    def _gathered(self) -> bool:
        """Drugs that a subquery gathers for each doctor or each prescription: `SELECT doctor_id, (SELECT string_agg(drug) …)`."""
        s = self.statement
        plain = self.roles(ref for ref in self.given if not ref[2])
        if not {"prescriber", "drug"} <= plain or not s.returns_rows:
            return False
        gathers = any(
            self.roles(aggregate.refs) & {"drug", "quantity", "money"}
            for block in s.blocks
            for aggregate in block.aggregates
            if aggregate.function
        )
        own_list = ("prescriber" in self._fixed and bool(plain & KEY_ROLES)) or self._queue(plain)
        return gathers and not own_list and not self._keyed(range(len(s.tables)))

    def _doctors_of_drug(self, plain: set[str], fixed: set[str]) -> bool:
        """Who prescribed a given drug: doctors alone, with no patient and no document beside them."""
        named = "identity" in self.meaning.classes(self.statement.outputs)
        return "prescriber" in plain and "drug" in fixed and not plain & KEY_ROLES and not named

    def _about_prescriptions(self, number: int) -> bool:
        return any(self._holds(use) for use in self._below(number))

    def _raw(self) -> bool:
        s = self.statement
        if not s.returns_rows:
            return False
        plain = self.roles(ref for ref in self.given if not ref[2])
        summed = self.roles(self.given)
        fixed = self._fixed
        doctors = self._doctors_of_drug(plain, fixed)
        if not summed & {"quantity", "money"} and not doctors:
            return False
        uses = [use for ref in self.given for use in ref[0] if self._holds(use)]
        if not (uses or doctors) or self._keyed(range(len(s.tables))):
            return False
        if "prescriber" in plain and ("drug" in plain or "drug" in fixed):
            # A doctor's own list shows single prescriptions of one doctor.
            own_list = "prescriber" in fixed and bool(plain & KEY_ROLES)
            return not own_list and not self._queue(plain)
        if "prescriber" in fixed and "drug" in plain:
            return not plain & KEY_ROLES and "identity" not in self.meaning.classes(self.given)
        return False


# Columns of staff tables that many people share, and of drug lists that many drugs share.
_GROUPS = (
    "title",
    "job",
    "dept",
    "depart",
    "position",
    "role",
    "rank",
    "sex",
    "gender",
    "level",
    "type",
    "ward",
    "职",
    "科室",
    "部门",
    "性别",
    "岗位",
)
_KINDS = ("class", "type", "categ", "kind", "flag", "is_", "form", "group", "类", "剂型", "标志")
_PRESCRIBERS = ("doctor", "doc_", "ysdm", "ysgh", "prescrib", "医生", "医师", "physician")
_DRUGS = ("drug", "ypxh", "ypmc", "medic", "药品", "药名")
_MEASURES = ("qty", "quantity", "amount", "num", "cost", "charge", "price", "ypsl", "je", "数量", "金额", "dosage")


def _named_roles(name: str) -> set[str]:
    """Roles by name within a table that by its own name holds prescriptions."""
    folded = name.casefold()
    found: set[str] = set()
    for role, words in (("prescriber", _PRESCRIBERS), ("drug", _DRUGS), ("quantity", _MEASURES)):
        if any(word in folded for word in words):
            found.add(role)
    return found


def _tells_drug(name: str) -> bool:
    return not any(word in name.casefold() for word in _KINDS)


def _between(pred: Pred) -> bool:
    """`BETWEEN`, `>=`, `<` on the column itself; not `<>`."""
    return pred.kind == "range" and pred.pure and (pred.loose is None or pred.loose.test != "empty")


def _leaves(pred: Pred) -> Iterator[Pred]:
    if pred.children:
        for child in pred.children:
            yield from _leaves(child)
    else:
        yield pred
