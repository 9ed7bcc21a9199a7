"""A hospital's list (one sheet of a spreadsheet) as entries of the register, not yet checked against each other.

Faults carry file, row and column: `people.xlsx[人员]:7:3: 离场日期: expected a date such as 2026-12-31`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config import cells
from config.cells import Cell, text_of
from config.errors import Problem
from config.headings import REQUIRED, fields_of, kind_of

TITLE_ROWS = 10  # lists often begin with a title and a date of issue


@dataclass(frozen=True, slots=True)
class Sheet:
    """`file` as messages name it, the sheet's name included; rows with the number the reader sees."""

    file: str
    name: str
    rows: Sequence[tuple[int, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class Draft:
    """One row: what it says of one entry. `owner`: people or services that an account is of, by id or name.

    `places`: field -> place of its cell, for faults that only show when entries are joined.
    """

    kind: str
    sheet: str
    row: int
    values: dict[str, Any]
    places: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def problem(self, name: str, message: str) -> Problem:
        column, heading = self.places.get(name, (1, ""))
        return Problem(self.sheet, self.row, column, heading, message)


@dataclass(frozen=True, slots=True)
class Read:
    drafts: tuple[Draft, ...]
    problems: tuple[Problem, ...]
    unused: tuple[Problem, ...]  # columns that say nothing to the register


_PARSERS: dict[str, Callable[[Cell], Any]] = {
    "tier": cells.tier_of, "state": cells.state_of, "contract.from": cells.day_of, "contract.to": cells.day_of,
    "valid.from": cells.day_of, "valid.to": cells.day_of, "qualification_until": cells.day_of, "head_count": cells.whole_number_of,
    "places": cells.list_of, "systems": cells.list_of, "system": cells.list_of, "shared": cells.yes_or_no, "superuser": cells.yes_or_no, "from": cells.moment_of,
    "to": cells.moment_of, "objects": cells.list_of, "classes": cells.classes_of, "actions": cells.actions_of,
    "scope.objects": cells.list_of, "scope.classes": cells.classes_of, "scope.actions": cells.actions_of, "scope.programs": cells.names_of,
    "person": cells.names_of, "owner": text_of,
}  # fmt: skip


def read_list(sheet: Sheet, kind: str | None = None) -> Read:
    """`kind` None: told by the sheet's name or its headings. A sheet without any row gives nothing."""
    rows = [(number, row) for number, row in sheet.rows if any(text_of(cell) for cell in row)]
    if not rows:
        return Read((), (), ())
    header = _header(sheet, rows, kind)
    if header is None:
        told = "no row of headings found in the first rows" if kind else "cannot tell what list this is: give --kind"
        return Read((), (Problem(sheet.file, rows[0][0], 1, "", told),), ())
    index, chosen, headings = header
    fields = fields_of(chosen, headings)
    missing = [name for name in REQUIRED[chosen] if name not in fields.values()]
    if missing:
        told = f"columns are missing for {', '.join(missing)}"
        return Read((), (Problem(sheet.file, rows[index][0], 1, "", told),), ())
    unused = tuple(
        Problem(sheet.file, rows[index][0], column + 1, heading, "column is not used")
        for column, heading in headings.items()
        if heading and column not in fields
    )
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for number, row in rows[index + 1 :]:
        draft, faults = _draft(sheet, chosen, number, row, fields, headings)
        problems += faults
        if not faults:
            drafts.append(draft)
    return Read(tuple(drafts), tuple(problems), unused)


def _header(
    sheet: Sheet, rows: Sequence[tuple[int, Sequence[Cell]]], kind: str | None
) -> tuple[int, str, dict[int, str]] | None:
    """(place among rows, kind, column -> heading) of the first row that has at least two headings we know."""
    for index, (_, row) in enumerate(rows[:TITLE_ROWS]):
        headings = {column: text_of(cell) for column, cell in enumerate(row)}
        chosen = kind or kind_of(headings, sheet.name)
        if chosen is not None and len(fields_of(chosen, headings)) >= 2:
            return index, chosen, headings
    return None


def _draft(
    sheet: Sheet,
    kind: str,
    number: int,
    row: Sequence[Cell],
    fields: Mapping[int, str],
    headings: Mapping[int, str],
) -> tuple[Draft, list[Problem]]:
    values: dict[str, Any] = {}
    faults: list[Problem] = []
    for column, name in fields.items():
        cell = row[column] if column < len(row) else None
        if not text_of(cell):
            continue
        try:
            value = _PARSERS.get(name, text_of)(cell)
        except ValueError as error:
            faults.append(Problem(sheet.file, number, column + 1, headings[column], str(error)))
            continue
        if value is not None:
            values[name] = value
    places = {name: (column + 1, headings[column]) for column, name in fields.items()}
    draft = Draft(kind, sheet.file, number, values, places)
    faults += [draft.problem(name, "must not be empty") for name in REQUIRED[kind] if not _given(name, values, faults)]
    return draft, faults


def _given(name: str, values: Mapping[str, Any], faults: Sequence[Problem]) -> bool:
    # A cell that was told to be wrong is not also told to be empty.
    return name in values or bool(faults)


def nested(values: Mapping[str, Any], names: Iterator[str]) -> dict[str, Any]:
    """{"valid.to": x} -> {"valid": {"to": x}}, for the given fields."""
    result: dict[str, Any] = {}
    for name in names:
        if name in values:
            section, _, key = name.rpartition(".")
            (result.setdefault(section, {}) if section else result)[key] = values[name]
    return result
