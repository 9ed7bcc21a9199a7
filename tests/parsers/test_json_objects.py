"""Texts that should be objects: each means the same whatever stands beside it, and broken ones cost no search."""

from __future__ import annotations

import polars as pl
import pytest

from parsers import json_objects

SCHEMA = {"x": pl.String}
ODD = [
    '{"x":1e400}', '{"x":-1e400}', '{"x":1e308}', '{"x":1.7976931348623157e308}', '{"x":0.0001e310}', f'{{"x":{"1" * 400}}}',
    f'{{"x":{"1" * 300}}}', f'{{"x":{"1" * 5000}}}', '{"x":NaN}', '{"x":-Infinity}', '{"x":"\\ud800"}', '{"x":01}', '{"x":"a\tb"}',
    '{"x":1}{"x":2}', '{"x":1} ', '{"x":-0}', '{"x":1.}', '{"x":18446744073709551616}', '{"x":1,}', '{"x"}', "{}", "[]", "1", "null", "",
    '{"x":1,"x":2}', '{"x":{"x":1}}', '{"x":"\x7f"}', '{"x":"\u2028"}', "{'x':1}", '{"x":tru}', '{"x":"\\x00"}', '{"x":"\\u0000"}',
    f'{{"x":{"[" * 600}{"]" * 600}}}', f'{{"x":{"[" * 990}{"]" * 990}}}', f'{{"x":{"[" * 50_000}{"]" * 50_000}}}',
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_a_text_means_the_same_alone_and_beside_broken_ones(text: str) -> None:
    alone = json_objects.read_objects(pl.Series([text]), SCHEMA).row(0)
    beside = json_objects.read_objects(pl.Series(['{"x":"a"}', text, '{"x":', None, '{"x":"b"}']), SCHEMA)
    assert beside.row(1) == alone
    assert beside.rows()[::2] == [("a", True), (None, False), ("b", True)]
    assert beside.row(3) == (None, False)


@pytest.mark.parametrize("broken", ['{"x":', '{"x":1e400}', '{"x":NaN}', '{"x":1}}'])
def test_broken_texts_are_not_searched_for_one_by_one(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = 0
    reader = pl.read_ndjson

    def counted(*given: object, **more: object) -> pl.DataFrame:
        nonlocal readings
        readings += 1
        return reader(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pl, "read_ndjson", counted)
    found = json_objects.read_objects(pl.Series(['{"x":"a"}', broken] * 500), SCHEMA)
    assert found.rows() == [("a", True), (None, False)] * 500
    assert readings <= 2
