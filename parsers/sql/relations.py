"""What a query or table gives while a tree is read, and the names that are in force around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from parsers.sql.structure import Aggregate, Block, Condition, Ref, Refs

MAX_BLOCKS = 256  # CTEs are read anew wherever they are named; this bounds chains of them


ROWS = ":rows"  # what the table of a trigger is known by while its body is read


class TooComplex(Exception):
    """More nested queries than are looked at."""


@dataclass(slots=True)
class Relation:
    """What a query or table gives: named columns in order, and uses whose columns are not known (`*`)."""

    columns: list[tuple[str, list[Ref]]] = field(default_factory=list)
    stars: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)  # every use below it
    base: int | None = None  # it is a plain table
    listed: bool = False  # VALUES or unnest: a list of keys
    numbers: set[str] = field(default_factory=set)  # columns that number the rows
    made: bool = False  # a series, a recursion: as many rows as it likes, from no table

    def all(self) -> list[Ref]:
        refs = [ref for _, column in self.columns for ref in column]
        refs += [((use,), "*", False) for use in self.stars]
        return refs

    def find(self, name: str) -> list[Ref] | None:
        folded = name.casefold()
        for known, refs in self.columns:
            if known == folded:
                return refs
        if self.listed and not self.stars:  # what a function in FROM gives has any name
            return [ref for known, refs in self.columns if not known for ref in refs] or None
        return [(tuple(self.stars), name, False)] if self.stars else None


@dataclass(slots=True)
class Cte:
    query: Any
    columns: list[str]
    scope: dict[str, Cte]
    recursive: bool = False
    shown: bool = False  # a view or table made in the same text: its name is said too


@dataclass(slots=True)
class Draft:
    """A block being built."""

    number: int
    uses: list[int] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    groups: list[tuple[str, Refs]] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    used: list[Ref] = field(default_factory=list)

    def block(self) -> Block:
        return Block(
            tuple(self.uses), tuple(self.conditions), tuple(self.children), tuple(self.groups), tuple(self.aggregates),
            unique(self.outputs), unique(self.used),
        )  # fmt: skip


class Scope:
    """Sources by alias while one block is read."""

    __slots__ = ("aliases", "ctes", "draft", "made", "order", "parent")

    def __init__(self, draft: Draft, ctes: dict[str, Cte], parent: Scope | None) -> None:
        self.draft = draft
        self.ctes = ctes
        self.parent = parent
        self.made = False  # a value was met that made-up rows give
        self.order: list[Relation] = []
        self.aliases: dict[str, Relation] = {}

    def add(self, alias: str, relation: Relation) -> None:
        self.order.append(relation)
        self.made = self.made or relation.made
        if alias:
            self.aliases.setdefault(alias, relation)


class Ready:
    """A CTE that has been read already."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation


def unique(refs: Iterable[Ref]) -> Refs:
    return tuple(dict.fromkeys(refs))


def rename(relation: Relation, names: list[str]) -> None:
    if relation.stars and not relation.columns:
        # The order of a table's columns is not known: a new name may be any of them.
        relation.columns = [(name.casefold(), [((use,), "*", False) for use in relation.stars]) for name in names]
        relation.stars = []
        relation.base = None
        return
    columns = list(relation.columns)
    for position, name in enumerate(names):
        if position < len(columns):
            columns[position] = (name.casefold(), columns[position][1])
        else:
            columns.append((name.casefold(), []))
    relation.columns = columns


def renamed(relation: Relation, names: list[str]) -> Relation:
    if names:
        rename(relation, names)
    return relation
