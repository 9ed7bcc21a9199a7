"""What a statement's text says, with no catalogue: `Structure`, small, frozen and picklable.

A *use* is one appearance of a table in a FROM list, numbered within its statement; a `Ref` is a column traced back to
uses through aliases, functions, CTEs and subqueries. A `Block` is one SELECT. Which classes and roles the columns have
and how well a table is restricted is worked out by `parsers/sql/meaning.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from parsers.sql.facts import LooseTest, Understood

Ref = tuple[tuple[int, ...], str, bool]
"""(uses it may belong to, column as written or "*", whether only a sum or average of it is meant)."""

Refs = tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Pred:
    """A predicate. Leaves: eq, in, like, range, join, null, notnull, sub, exists, aggregate, true; inner: and, or, not.

    `refs` are compared with a value, with `other` (join, sub) or with nothing. `pure`: the column itself is compared,
    not what a function makes of it. `true` stands for anything that narrows nothing.
    """

    kind: str
    refs: Refs = ()
    other: Refs = ()
    pure: bool = True
    loose: LooseTest | None = None
    children: tuple[Pred, ...] = ()
    blocks: tuple[int, ...] = ()  # of the subquery
    outer: Refs = ()  # join: columns of the queries around it that a bare name may mean; without uses: made-up rows


TRUE = Pred("true")


@dataclass(frozen=True, slots=True)
class Condition:
    """A conjunct. `only`: uses that it may narrow (the inner side of an outer join); None: all that it names."""

    pred: Pred
    only: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    function: str
    refs: Refs = ()
    conditions: Refs = ()  # columns that CASE or FILTER look at inside


@dataclass(frozen=True, slots=True)
class Block:
    """One SELECT, or the WHERE and FROM of an UPDATE, DELETE or MERGE."""

    uses: tuple[int, ...] = ()
    conditions: tuple[Condition, ...] = ()
    children: tuple[int, ...] = ()  # blocks nested in it, whose rows are narrowed by its conditions too
    groups: tuple[tuple[str, Refs], ...] = ()  # kind (group, distinct, window, pivot) and what by
    aggregates: tuple[Aggregate, ...] = ()
    outputs: Refs = ()
    used: Refs = ()


@dataclass(frozen=True, slots=True)
class SlotUse:
    """A literal or bind of the statement and what it is compared with."""

    use: str  # eq, in, compare, like, limit, offset, path, dynamic, assign, value
    refs: Refs
    column: str | None
    kind: Literal["literal", "bind"]
    ordinal: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on the rows that reach the destination. `ordinal` None: one row. `below`: ROWNUM < n."""

    kind: Literal["literal", "bind", "one"]
    ordinal: int = 0
    below: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text."""

    understood: Understood = "none"
    reason: str = ""
    verb: str = "other"
    tables: tuple[str, ...] = ()  # name of use i
    targets: tuple[int, ...] = ()  # uses that are written, not read
    reads: tuple[str, ...] = ()  # further tables that are read or named (grammars of ours, lexical pass)
    writes: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    roots: tuple[int, ...] = ()  # blocks at the top, not nested in another
    outputs: Refs = ()  # what leaves for the destination
    copied: Refs = ()  # what a change puts into the table it writes, where another may hold it
    destination: str = "client"
    limits: tuple[Limit, ...] = ()
    slots: tuple[SlotUse, ...] = ()
    calls: tuple[str, ...] = ()  # routines called by name
    inner: tuple[Statement, ...] = ()  # embedded SQL, analysed in turn
    inner_output: bool = True  # what the embedded SQL selects leaves too
    returns_rows: bool = True  # its own outputs leave (not so for EXPLAIN, PERFORM, loops of a block)
    unrestricted: bool = False  # UPDATE or DELETE without WHERE
    definition: bool = False  # it defines what runs later
    dynamic: bool = False
    schema_change: bool = False
    privilege_change: bool = False
    identity_switch: bool = False
    audit_change: bool = False
    dump_tool: str | None = None
    columns: tuple[str, ...] = ()  # not parsed: names that stand where selected columns stand ("*" too)
    narrowed: bool = False  # not parsed: there is a WHERE
    identifiers: tuple[str, ...] = ()  # not parsed and no table named: any of its words may be one
    dangerous: tuple[str, ...] = ()
    injection: tuple[str, ...] = ()

    def but(self, **changes: object) -> Statement:
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Structure:
    """What a text says. `text_bound`: embedded SQL was read, so it holds for this text and not for all of its shape."""

    statements: tuple[Statement, ...] = ()
    text_bound: bool = False
