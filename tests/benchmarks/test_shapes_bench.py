"""The benchmark of shapes measures distinct statements of the kinds it names, each of them once."""

from __future__ import annotations

import pytest
import shapes as bench

from parsers.sql.lexer import DIALECTS, exact_shape, scan
from parsers.sql.shape import is_ordinary, read

COUNT = 600


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", bench.KINDS)
def test_no_statement_comes_twice(dialect: str, kind: str) -> None:
    texts = bench.statements(dialect, kind, 7, COUNT)
    assert texts.n_unique() == COUNT
    assert texts.equals(bench.statements(dialect, kind, 7, COUNT))
    known = read(texts, dialect)
    assert sorted(known["statement"]) == sorted(texts)
    assert {exact_shape(scan(text, dialect)) for text in texts[:100]} <= set(known["shape"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_kinds_are_what_they_are_named(dialect: str) -> None:
    short, odd = (bench.statements(dialect, kind, 7, COUNT) for kind in ("short", "odd"))
    assert 90 <= short.str.len_bytes().mean() <= 130
    assert is_ordinary(short, dialect).all()
    assert not is_ordinary(odd, dialect).any()
    assert read(short, dialect)["shape"].n_unique() == len(bench.SHORT)
    assert read(bench.statements(dialect, "own", 7, COUNT), dialect)["shape"].n_unique() == COUNT
    assert bench.statements(dialect, "long", 7, COUNT).str.len_bytes().mean() > 1_000


def test_a_figure_tells_what_was_measured() -> None:
    one = bench.measured("postgres", "short", seed=7, count=COUNT, runs=1)
    assert (one.statements, one.shapes, one.target) == (COUNT, len(bench.SHORT), bench.TARGET)
    assert one.statements_per_cpu_second > 0
    assert bench.measured("postgres", "long", seed=7, count=COUNT, runs=1).statements == COUNT // 10
