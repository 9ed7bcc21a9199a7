"""统方: prescriptions, orders, dispensing or charges by prescriber and drug, by roles of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from config.catalogue import KEY_ROLES
from parsers.sql.narrowing import SET, conjuncts
from parsers.sql.structure import Block, Pred, Ref

if TYPE_CHECKING:
    from parsers.sql.meaning import Meaning


class Tongfang:
    """Prescriptions, orders, dispensing or charges by prescriber and drug: counted, or pulled raw to be counted elsewhere."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.statement = meaning.statement
        self.linked_staff = self._linked_staff()

    def found(self) -> bool:
        m = self.meaning
        if not any(t is not None and t.classes & {"prescription", "billing"} for t in m.tables):
            return False
        counted = any(self._counted(number, block) for number, block in enumerate(self.statement.blocks))
        return counted or self._gathered() or self._raw()

    def _linked_staff(self) -> set[int]:
        """Uses of staff tables that are joined by a prescriber's column: their names are the prescriber's."""
        linked: set[int] = set()
        for block in self.statement.blocks:
            for condition in block.conditions:
                for pred in conjuncts(condition.pred):
                    if pred.kind in {"join", "sub"} and "prescriber" in self.meaning.roles((*pred.refs, *pred.other)):
                        linked |= {use for ref in (*pred.refs, *pred.other) for use in ref[0] if self._is_staff(use)}
        return linked

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
                if use in self.linked_staff and ref[1] != "*" and ("staff" in column.classes):
                    found.add("prescriber")
                if table is not None and table.guessed and "prescription" in table.own_classes and not column.roles:
                    found.update(_named_roles(ref[1]))
        return found

    def _fixed(self) -> set[str]:
        """Roles that a predicate holds to given values."""
        found: set[str] = set()
        for block in self.statement.blocks:
            for condition in block.conditions:
                for pred in _leaves(condition.pred):
                    if pred.kind in {"eq", "in", "like"}:
                        found |= self.roles(pred.refs) & {"prescriber", "drug"}
        return found

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
        measured = any(a.function for a in block.aggregates)
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
        inside = self.roles(ref for a in block.aggregates for ref in a.conditions)
        fixed = self._fixed()
        if not self._about_prescriptions(number):
            return False
        has_prescriber = "prescriber" in by or "prescriber" in kept
        has_drug = "drug" in by or "drug" in kept or "drug" in inside
        prescriber = has_prescriber or "prescriber" in fixed
        drug = has_drug or "drug" in fixed
        grouped = any(kind in {"group", "pivot", "window", "distinct"} for kind, _ in block.groups)
        if not (prescriber and drug) or not (measured or grouped):
            return False
        if not measured and not (has_prescriber and has_drug):
            return False
        return not self._keyed(self._below(number))

    def _gathered(self) -> bool:
        """Drugs that a subquery gathers for each doctor or each prescription: `SELECT doctor_id, (SELECT string_agg(drug) …)`."""
        s = self.statement
        plain = self.roles(ref for ref in s.outputs if not ref[2])
        if not {"prescriber", "drug"} <= plain or not s.returns_rows or s.verb in {"update", "delete"}:
            return False
        gathers = any(
            self.roles(aggregate.refs) & {"drug", "quantity", "money"}
            for block in s.blocks
            for aggregate in block.aggregates
            if aggregate.function
        )
        own_list = "prescriber" in self._fixed() and bool(plain & KEY_ROLES)
        return gathers and not own_list and not self._keyed(range(len(s.tables)))

    def _about_prescriptions(self, number: int) -> bool:
        return any(self._holds(use) for use in self._below(number))

    def _raw(self) -> bool:
        s = self.statement
        if not s.returns_rows or s.verb in {"update", "delete"}:
            return False
        plain = self.roles(ref for ref in s.outputs if not ref[2])
        summed = self.roles(s.outputs)
        if not summed & {"quantity", "money"}:
            return False
        fixed = self._fixed()
        uses = [use for ref in s.outputs for use in ref[0] if self._holds(use)]
        if not uses or self._keyed(range(len(s.tables))):
            return False
        if "prescriber" in plain and ("drug" in plain or "drug" in fixed):
            # A doctor's own list shows single prescriptions of one doctor.
            own_list = "prescriber" in fixed and bool(plain & KEY_ROLES)
            return not own_list
        if "prescriber" in fixed and "drug" in plain:
            return not plain & KEY_ROLES and "identity" not in self.meaning.classes(s.outputs)
        return False


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


def _leaves(pred: Pred) -> Iterator[Pred]:
    if pred.children:
        for child in pred.children:
            yield from _leaves(child)
    else:
        yield pred
