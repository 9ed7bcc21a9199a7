"""A payload means the same whatever stands beside it in the chunk."""

from __future__ import annotations

import polars as pl
import pytest

from parsers.pgaudit import PREFIX, payload

WHOLE = "SESSION,1,1,READ,SELECT,TABLE,public.patients,select 1,<none>,7"
ODD = {
    "no rows": "SESSION,2,1,READ,SELECT,,,select 1,<none>",
    "empty parameter": "SESSION,3,1,READ,SELECT,,,select 1,,1",
    "cut before its parameters": "SESSION,4,1,READ,SELECT,,,select 1",
    "cut inside the statement": 'SESSION,5,1,READ,SELECT,,,"select 1',
    "two fields too many": "SESSION,6,1,READ,SELECT,,,select 1,<none>,1,2,3",
    "a line break without quotes": "SESSION,7,1,READ,SELECT,,,select\n1,<none>,1",
    "a line break within quotes": 'SESSION,8,1,READ,SELECT,,,"select\n1",<none>,1',
    "nothing": "",
}


def read(*texts):
    messages = pl.Series("message", [PREFIX + text for text in texts], dtype=pl.String)
    return payload(messages, pl.Series("tag", ["SELECT"] * len(texts), dtype=pl.String))


@pytest.mark.parametrize("name", ODD)
def test_alone_or_among_others(name):
    alone = read(ODD[name])
    assert read(WHOLE, ODD[name], WHOLE)[1].equals(alone)
    assert read(*ODD.values(), WHOLE)[list(ODD).index(name)].equals(alone)


@pytest.mark.parametrize(
    "name",
    [
        "cut before its parameters",
        "cut inside the statement",
        "two fields too many",
        "a line break without quotes",
        "nothing",
    ],
)
def test_what_is_no_payload(name):
    assert read(ODD[name])["audit_type"].to_list() == [None]


def test_what_is_one():
    frame = read(WHOLE, ODD["no rows"], ODD["empty parameter"], ODD["a line break within quotes"])
    assert frame["audit_type"].to_list() == ["SESSION"] * 4
    assert frame["rows"].to_list() == [7, None, 1, 1]
    assert frame["parameters"].to_list() == [[], [], [""], []]
    assert frame["statement"][3] == "select\n1"
