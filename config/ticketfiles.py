"""A ticket as an ITSM drops it: one file of YAML, JSON or CSV, with the keys of the register or the headings of a list.

    # T-4711.yaml: the file's name is the ticket's id where no key `id` says another
    person: [zhang, 李工]          # id or name
    system: his-pg
    from: 2026-11-18 20:00
    to: 2026-11-18 22:00
    objects: [his.drug_dict]

`{tickets: {ID: {...}}}`, as in the register, may hold several. CSV has a row a ticket (docs/register.md, headings).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.cells import id_of
from config.contradictions import ticket_faults
from config.errors import ConfigError, Problem
from config.lists import Draft, Sheet, read_list
from config.register import Register, Ticket
from config.validation import validate
from config.yaml12 import Document, documents_of

SUFFIXES = frozenset({".yaml", ".yml", ".json", ".csv"})
Found = tuple[dict[str, Ticket], list[Problem]]


def tickets_of_text(file: Path, text: str, register: Register, zone: ZoneInfo) -> Found:
    """The good tickets of a YAML or JSON file by id, and what is wrong with the others. Raises nothing."""
    if file.suffix == ".json":
        text = text.replace("\t", " ")  # which JSON may be indented with, and YAML may not
    try:
        documents = documents_of(str(file), text)
    except ConfigError as error:
        return {}, list(error.problems)
    good: dict[str, Ticket] = {}
    problems: list[Problem] = []
    for document in documents:
        for name, entry, alone in _entries(document, file):
            ticket, faults = _ticket(name, entry, alone, register, zone)
            problems += faults
            if ticket is not None and not faults:
                good[name] = ticket
    return good, problems


def tickets_of_sheet(sheet: Sheet, register: Register, zone: ZoneInfo) -> Found:
    """The same of a list with a row a ticket."""
    read = read_list(sheet, "tickets")
    good: dict[str, Ticket] = {}
    problems = list(read.problems)
    for draft in read.drafts:
        name = id_of(str(draft.values["id"]))
        values = {key: value for key, value in draft.values.items() if key != "id"}
        alone = Document(sheet.file, {"tickets": {name: values}}, {(): (draft.row, 1)})
        ticket, faults = _ticket(name, values, alone, register, zone)
        problems += [_in_cell(draft, problem, name) for problem in faults]
        if ticket is not None and not faults:
            good[name] = ticket
    return good, problems


def _in_cell(draft: Draft, problem: Problem, name: str) -> Problem:
    field = problem.key.removeprefix(f"tickets.{name}").removeprefix(".").partition("[")[0]
    return draft.problem(field, problem.message)


def _entries(document: Document, file: Path) -> Iterator[tuple[str, dict[str, Any], Document]]:
    """(id, what the ticket says, a document as if the register held it alone)."""
    data = document.data
    if isinstance(data, dict) and set(data) == {"tickets"} and isinstance(data["tickets"], dict):
        for name, entry in data["tickets"].items():
            yield name, entry, Document(document.file, {"tickets": {name: entry}}, document.places)
        return
    name = id_of(str(data.get("id", file.stem) if isinstance(data, dict) else file.stem))
    entry = {key: value for key, value in data.items() if key != "id"} if isinstance(data, dict) else data
    places = {("tickets", name, *keys): place for keys, place in document.places.items()}
    yield name, entry, Document(document.file, {"tickets": {name: entry}}, {(): document.place(()), **places})


def _ticket(
    name: str, entry: Any, alone: Document, register: Register, zone: ZoneInfo
) -> tuple[Ticket | None, list[Problem]]:
    named = _with_ids(entry, register)
    held = Document(alone.file, {"tickets": {name: named}}, alone.places)
    read, problems = validate(Register, held, {"base": Path(alone.file).parent})
    ticket = read.tickets.get(name) if read is not None else None
    if problems or ticket is None:
        return None, problems or [held.problem((), "is no ticket")]
    keys = ("tickets", name)
    return ticket, [
        held.problem((*keys, key), message) for key, message in ticket_faults(ticket, register.people, zone)
    ]


def _with_ids(entry: Any, register: Register) -> Any:
    """People by name made ids, where the name is one person's; what cannot be told stays and is a fault."""
    if not isinstance(entry, Mapping) or "person" not in entry:
        return entry
    people = entry["person"]
    people = people if isinstance(people, list) else [people]
    return {**entry, "person": [_id_of_person(person, register) for person in people]}


def _id_of_person(person: Any, register: Register) -> Any:
    if not isinstance(person, str) or person in register.people:
        return person
    named = [key for key, known in register.people.items() if known.name == person]
    return named[0] if len(named) == 1 else person
