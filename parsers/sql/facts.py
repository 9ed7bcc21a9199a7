"""What is known of a statement. Two steps, so that a new catalogue needs no reparse:

* `Structure`: what the text says, independent of any catalogue (made once per dialect and shape, in a worker).
* `StatementFacts`: its meaning under a catalogue (`parsers/sql/meaning.py`), the facts of docs/sql-facts.md.

Both hold for every statement of the same shape: nothing in them may depend on a literal's value. What does depend on
values (bound, offset, patient keys, `id > 0`, `LIKE '%'`) is told by slots and worked out column-wise per event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Understood = Literal["ast", "lexical", "none"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the shape where a value stands. Never holds the value.

    `ordinal` counts from 1: for `literal` the places of the shape in order of text (a collapsed list is ONE place),
    for `bind` the parameter number ($3 -> 3; the third ? -> 3). `count`: values at that place in the sample seen.
    """

    role: str
    column: str | None
    kind: Literal["literal", "bind"]
    ordinal: int
    count: int = 1


# Values that narrow nothing: a pattern that everything has (of LIKE or of a regular expression), and what no key is.
EVERYTHING = r"^(?:[%_*.?+^$]*|\.\{[01],\}|[\^]?\(?(?:\[\^x\]|\[\\s\\S\])[*+]\)?[$]?)$"
NO_KEY = ("", "0", "-1")


@dataclass(frozen=True, slots=True)
class LooseTest:
    """A predicate that restricts nothing when its value is trivial: `id > 0`, `name LIKE '%'`."""

    kind: Literal["literal", "bind"]
    ordinal: int
    test: Literal["not_positive", "at_most_one", "all_wildcards", "empty", "no_key"]


def passes_all(test: LooseTest, value: str) -> bool:
    """Whether a predicate with this value lets everything pass."""
    value = value.strip()
    if test.test == "all_wildcards":
        return re.search(EVERYTHING, value) is not None
    if test.test == "empty":
        return not value
    if test.test == "no_key":
        return value in NO_KEY
    try:
        return float(value) <= (1 if test.test == "at_most_one" else 0)
    except ValueError:
        return not value


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """The facts of docs/sql-facts.md. Field names there and here are the same."""

    understood: Understood = "none"
    reason: str = ""
    verb: str = "other"
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    output_classes: tuple[str, ...] = ()
    used_classes: tuple[str, ...] = ()
    restriction: str | None = None  # null: no sensitive table
    loose_restriction: str | None = None  # what `restriction` becomes when every one of loose_tests holds
    loose_tests: tuple[LooseTest, ...] = ()
    bound: int | None = None  # only where it does not depend on a slot (e.g. FETCH FIRST ROW ONLY)
    destination: str = "client"
    aggregate_functions: tuple[str, ...] = ()
    aggregate_by: tuple[str, ...] = ()
    tongfang: bool = False
    tenants: tuple[tuple[str, tuple[str, ...] | None], ...] = ()
    tenant_missing: bool = False
    dump_tool: str | None = None
    dynamic: bool = False
    audit_change: bool = False
    privilege_change: bool = False
    identity_switch: bool = False
    schema_change: bool = False
    dangerous: tuple[str, ...] = ()
    loose_write: tuple[LooseTest, ...] = ()  # when every one of them holds, `dangerous` has unrestricted_write too
    injection: tuple[str, ...] = ()
    key_kinds: tuple[str, ...] = ()  # what the values of its key slots are keys of
    slots: tuple[Slot, ...] = field(default_factory=tuple)
