"""Statements that differ only in literals share a shape and no others do, on pairs whose truth is known from their making.

A small run is part of the everyday suite; `make shapes` makes a million pairs: HISWATCH_SEED=… makes a run again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import polars as pl
import pytest
from statement_pairs import triples
from trap_pairs import PAIRS

from parsers.sql import shape as module
from parsers.sql.lexer import DIALECTS, exact_shape, scan
from parsers.sql.shape import shapes

PART = 5_000  # triples, of two pairs each
Fingerprint = Callable[[pl.Series, str], pl.Series]


def wrong(dialect: str, seed: int, count: int, fingerprint: Fingerprint = shapes) -> list[str]:
    """What is wrong with the shapes of `count` triples: pairs split or merged, one shape for two structures anywhere among
    them, or another shape than the lexer's.
    """
    problems: list[str] = []
    structures: dict[str, str] = {}
    for part in range(0, count, PART):
        made = triples(dialect, seed + part, min(PART, count - part))
        told = pl.DataFrame([(one.key, one.text, one.same, one.other_key, one.other) for one in made], orient="row")
        told.columns = ["key", "text", "same", "other_key", "other"]
        one, same, other = (fingerprint(told[name], dialect) for name in ("text", "same", "other"))
        split, merged = told.filter(one != same).iter_rows(), told.filter(one == other).iter_rows()
        problems.extend(f"split {dialect}: {row[1]!r} and {row[2]!r}" for row in split)
        problems.extend(f"merged {dialect}: {row[1]!r} and {row[4]!r}" for row in merged)
        for key, text, found in [
            *zip(told["key"], told["text"], one, strict=True),
            *zip(told["key"], told["same"], same, strict=True),
            *zip(told["other_key"], told["other"], other, strict=True),
        ]:
            if structures.setdefault(found, key) != key:
                problems.append(f"merged {dialect}: {text!r} and another, both {found!r}")
            if fingerprint is shapes and exact_shape(scan(text, dialect)) != found:
                problems.append(f"unlike the lexer's {dialect}: {text!r} as {found!r}")
    return problems


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_thousand_pairs(dialect: str) -> None:
    assert wrong(dialect, 1, 1_000) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_million_pairs(dialect: str, part: int) -> None:
    seed = int(os.environ.get("HISWATCH_SEED") or random.SystemRandom().randrange(1 << 32))
    triples_ = int(os.environ.get("HISWATCH_SHAPE_PAIRS") or 1_000_000) // 2 // (2 * len(DIALECTS))
    found = wrong(dialect, seed + part * (1 << 32), triples_)
    assert not found, f"seed {seed}: {len(found)} problems, such as {found[:5]}"


@pytest.mark.parametrize(
    ("what", "fingerprint"),
    [
        ("quotes alone", lambda texts, _: texts.str.replace_all("'[^']*'", "0").str.replace_all(r"\d+", "0")),
        ("case of names in quotes", lambda texts, dialect: shapes(texts, dialect).str.to_lowercase()),
        ("comparisons", lambda texts, dialect: shapes(texts, dialect).str.replace_all("<>|<=|>=|<|>", "=")),
        ("binds", lambda texts, dialect: shapes(texts, dialect).str.replace_all(r"[:$@]\w+", "?")),
        ("rows", lambda texts, dialect: shapes(texts, dialect).str.replace_all(r"values.*", "values")),
    ],
)
def test_the_pairs_find_a_careless_fingerprint(what: str, fingerprint: Fingerprint) -> None:
    assert wrong("postgres", 1, 1_000, fingerprint), what


def test_both_ways_are_tried_by_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series([one.text for dialect in DIALECTS for one in triples(dialect, 1, 250)])
    late: list[str] = []
    read_exactly = module._exact_one
    monkeypatch.setattr(module, "_exact_one", lambda text, dialect: (late.append(text), read_exactly(text, dialect))[1])
    shapes(texts, "postgres")
    assert 0.2 < len(late) / len(texts) < 0.8


@pytest.mark.parametrize("dialect", DIALECTS)
def test_trap_pairs_a_column_at_a_time(dialect: str) -> None:
    mine = [pair[1:] for pair in PAIRS if pair[0] == dialect]
    left = shapes(pl.Series([pair[0] for pair in mine]), dialect)
    right = shapes(pl.Series([pair[1] for pair in mine]), dialect)
    assert [pair for pair, one, two in zip(mine, left, right, strict=True) if (one == two) is not pair[2]] == []
    assert left.to_list() == [exact_shape(scan(pair[0], dialect)) for pair in mine]
    assert right.to_list() == [exact_shape(scan(pair[1], dialect)) for pair in mine]
