"""The words name every table that the tree names, and few things besides: two passes that must not contradict one another.

Statements come from a seeded grammar over the catalogues' tables, from fixtures and golden samples as they are, and from
these damaged at random. HISWATCH_SQL_TEXTS: a folder with further statements, as JSON lines with `dialect` and `statement`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from sql_texts import Grammar, mutated, written

from parsers.sql.lexer import DIALECTS, normalised
from parsers.sql.lexical import lexical
from parsers.sql.signs import NEVER_NAMES
from parsers.sql.structure import Statement
from parsers.sql.understand import structure

SEED = int(os.environ.get("HISWATCH_FUZZ_SEED", "20261118"))
GENERATED, DAMAGED = 80_000, 120_000  # of the damaged ones about one in five can still be parsed


@dataclass
class Compared:
    """What two passes over many statements named."""

    parsed: int = 0
    named: int = 0  # by the words
    beyond: int = 0  # of these, not by the tree
    missed: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def add(self, dialect: str, text: str) -> None:
        statements = structure(text, dialect).statements
        if not all(statement.understood == "ast" for statement in statements):
            return
        self.parsed += 1
        tree = {bare(name) for statement in statements for name in names(statement)} - {"", "hw_unknown"}
        words = {bare(name) for name in lexical(text, dialect).tables}
        self.named += len(words)
        self.beyond += len(words - tree)
        # A tree takes reserved words for tables too (`UPDATE UPDATE`), which no server does. And a name that does not
        # stand in the text was computed from its literals (`chr(112) || …`), which is more than words can tell.
        plain = "".join(normalised(text).split()).lower()
        if lost := sorted(name for name in tree - words if name not in NEVER_NAMES and name.split(".")[-1] in plain):
            self.missed.append((dialect, text, lost))

    def told(self) -> str:
        return f"{self.parsed:,} parsed, {len(self.missed)} with a table missed; {self.named:,} names, {self.beyond:,} of them no table of the tree"


def bare(name: str) -> str:
    """A name without link and blanks, in lower case."""
    return "".join(name.split("@", maxsplit=1)[0].split()).lower()


def names(statement: Statement) -> Iterator[str]:
    yield from (*statement.tables, *statement.reads, *statement.writes)
    for inner in statement.inner:
        yield from names(inner)


def compared(texts: Iterable[tuple[str, str]]) -> Compared:
    found = Compared()
    for dialect, text in texts:
        found.add(dialect, text)
    return found


def generated(count: int, seed: int = SEED) -> Iterator[tuple[str, str]]:
    grammar = Grammar(seed)
    for number in range(count):
        dialect = DIALECTS[number % len(DIALECTS)]
        yield dialect, grammar.statement(dialect)


def damaged(count: int, seed: int = SEED) -> Iterator[tuple[str, str]]:
    choice, texts = random.Random(seed), written()
    for _ in range(count):
        dialect, text = choice.choice(texts)
        yield dialect, mutated(text, dialect, choice.choice(texts)[1], choice)


def test_words_of_generated_statements() -> None:
    found = compared(generated(1_000))
    assert found.parsed >= 950  # the grammar writes what servers take
    assert found.missed == []
    assert found.beyond <= found.named / 10


def test_words_of_written_statements() -> None:
    found = compared(written())
    assert found.missed == []
    assert found.beyond <= found.named / 10


@pytest.mark.slow
def test_words_of_100_000_statements() -> None:
    honest, broken = compared(generated(GENERATED)), compared([*written(), *damaged(DAMAGED)])
    print(f"\ngenerated: {honest.told()}\nwritten and damaged: {broken.told()}")
    for dialect, text, lost in broken.missed[:40]:
        print(dialect, lost, repr(text[:300]))
    assert honest.parsed + broken.parsed >= 100_000
    assert honest.missed == []
    assert len(broken.missed) <= broken.parsed / 200  # texts that no server takes and sqlglot does
    assert honest.beyond + broken.beyond <= (honest.named + broken.named) / 10
