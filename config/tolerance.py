"""A register of which some entries can't be used: what is left of it, and what was left out and why.

Whole entries go (a ticket, a person), never single values: a ticket without its faulty `objects` would cover more than
anybody agreed to. What refers to an entry that went goes too. So an approval can be lost, and is never won.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from config.contradictions import faults
from config.errors import ConfigError, Problem
from config.register import Register
from config.validation import validate
from config.yaml12 import Document

WORK = frozenset({"tickets", "jobs"})  # approvals: without one, work is told that was agreed, and nothing is hidden
ALL = frozenset(Register.model_fields)

Entry = tuple[str, str]  # section and name


@dataclass(frozen=True, slots=True)
class Tolerated:
    """`problems` has every fault, with its place; `left_out` the entries that are not in `register` for them."""

    register: Register
    problems: tuple[Problem, ...]
    left_out: tuple[Entry, ...]


def tolerated(document: Document, context: Mapping[str, Any], zone: ZoneInfo) -> Tolerated:
    """The register without its faulty entries. ConfigError: it is no mapping at all."""
    if not isinstance(document.data, dict):
        raise ConfigError(validate(Register, document, context)[1])
    problems: list[Problem] = []
    left_out: list[Entry] = []
    kept = _well_formed(document, context, problems, left_out)
    register = _read(document, kept, context)
    for first in (True, *(False for _ in range(MAX_ROUNDS))):
        # The names as written at first: a reference to a faulty entry is no fault of its own, it only goes with it.
        held = document if first else Document(document.file, kept, document.places)
        found = faults(register, held, zone)
        for keys, message in found:
            entry = (str(keys[0]), str(keys[1]))
            if kept[entry[0]].pop(entry[1], None) is not None:
                left_out.append(entry)
            problems.append(document.problem(keys, message if first else f"left out too: {message}"))
        if not found and not first:
            break
        register = _read(document, kept, context)
    return Tolerated(register, tuple(sorted(set(problems))), tuple(left_out))


MAX_ROUNDS = 5  # a vendor, then its people, then their tickets and jobs; no reference goes further


def _well_formed(
    document: Document, context: Mapping[str, Any], problems: list[Problem], left_out: list[Entry]
) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = {}
    for section, entries in document.data.items():
        if section not in ALL or not isinstance(entries, dict):
            problems += validate(Register, Document(document.file, {section: entries}, document.places), context)[1]
            left_out.append((section, ""))
            continue
        kept[section] = {}
        for name, entry in entries.items():
            alone = Document(document.file, {section: {name: entry}}, document.places)
            if told := validate(Register, alone, context)[1]:
                problems += told
                left_out.append((section, name))
            else:
                kept[section][name] = entry
    return kept


def _read(document: Document, kept: Mapping[str, Any], context: Mapping[str, Any]) -> Register:
    register, _ = validate(Register, Document(document.file, dict(kept), document.places), context)
    assert register is not None  # every entry was read by itself
    return register
