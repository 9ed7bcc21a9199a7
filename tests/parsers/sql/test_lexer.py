from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trap_pairs import PAIRS

from parsers.sql.lexer import (
    DIALECTS,
    exact_shape,
    literal_places,
    name_of,
    normalised,
    numbered,
    ordinal_of,
    scan,
    value_of,
    within_limits,
)


def shape(text: str, dialect: str = "postgres") -> str:
    return exact_shape(scan(text, dialect))


@pytest.mark.parametrize(("dialect", "left", "right", "same"), PAIRS)
def test_trap_pairs(dialect: str, left: str, right: str, same: bool) -> None:
    assert (shape(left, dialect) == shape(right, dialect)) is same


def test_a_shape_is_readable_and_holds_no_literal() -> None:
    text = "SELECT name, 'x' AS a FROM medrec.pat_visit v WHERE v.id IN (12, 13) AND dept = 'ICU' LIMIT 50 -- note"
    assert shape(text) == "select name,'?'as a from medrec.pat_visit v where v.id in(0)and dept='?'limit 0"


def test_places_and_placeholders_agree() -> None:
    text = "SELECT a FROM t WHERE b IN (1, -2, 3) AND c = 'it''s' AND d BETWEEN 5 AND $1 LIMIT 10"
    scanned = scan(text, "postgres")
    places = literal_places(scanned)
    assert [p.ordinal for p in places] == [1, 2, 3, 4]
    assert [[value_of(text[a:b], "postgres") for a, b in p.spans] for p in places] == [
        ["1", "-2", "3"],
        ["it's"],
        ["5"],
        ["10"],
    ]
    assert [p.in_list for p in places] == [True, False, False, False]
    again = scan(numbered(text, "postgres"), "postgres")
    found = [ordinal_of(value_of(again.source(t), "postgres")) for t in again.tokens if t[0] in {"string", "number"}]
    assert found == [1, 2, 3, 4]


def test_numbered_is_ready_for_a_parser() -> None:
    assert numbered("select a /*!50000 from */ b -- x", "mysql").split() == ["select", "a", "from", "b"]
    assert numbered("select * from t where a = :1", "oracle").endswith("a = :b1")
    assert numbered('select U&"\\0070atient", ｎａｍｅ', "postgres") == 'select "patient", name'


@pytest.mark.parametrize(
    ("source", "dialect", "value"),
    [
        ("'it''s'", "postgres", "it's"),
        ("E'a\\n\\x41\\u4e2d'", "postgres", "a\nA中"),
        ("U&'\\0061'", "postgres", "a"),
        ("$q$it's$q$", "postgres", "it's"),
        ("'a\\'b'", "mysql", "a'b"),
        ('"a""b"', "mysql", 'a"b'),
        ("q'[it's]'", "oracle", "it's"),
        ("nq'!a'b!'", "oracle", "a'b"),
        ("N'张三'", "tsql", "张三"),
        ("- 5", "tsql", "-5"),
        ("'cut", "postgres", "cut"),
    ],
)
def test_values(source: str, dialect: str, value: str) -> None:
    assert value_of(source, dialect) == value


def test_names() -> None:
    assert name_of('"a""b"', "postgres") == 'a"b'
    assert name_of("[a]]b]", "tsql") == "a]b"
    assert name_of("`患者`", "mysql") == "患者"
    assert normalised("Ｐａｔ\u200bient") == "Patient"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT a FROM b JOIN c ON b.x = c.x", None),
        ("SELECT * FROM a " + " ".join(f"JOIN t{i}" for i in range(13)), "joins_without_on"),
        ("SELECT * FROM a " + " ".join(f"JOIN t{i} ON a.x = t{i}.x" for i in range(60)), None),
        ("SELECT * FROM a " + " ".join(f"CROSS JOIN t{i}" for i in range(60)), None),
        ("SELECT " + "(" * 201 + "1" + ")" * 201, "too_deep"),
        ("SELECT a" + ",a" * 10_001, "too_many_tokens"),
        ("SELECT 1;" * 101, "too_many_statements"),
        ("SELECT '" + "病" * 90_000 + "'", "too_long"),
    ],
)
def test_limits(text: str, reason: str | None) -> None:
    assert within_limits(scan(text, "mysql")) == reason


@pytest.mark.parametrize(
    ("text", "balanced"),
    [
        ("SELECT (1)", True),
        ("SELECT (1", False),
        ("SELECT 'a", False),
        ("SELECT 'a'''", True),
        ("a /* b", False),
        ("a]", False),
    ],
)
def test_balance(text: str, balanced: bool) -> None:
    assert scan(text, "postgres").balanced is balanced


ANY = st.text(st.sampled_from([*"'\"`[]()$q-/*#!\\;,:@?{}<>= \naAe1.x病", "\x00", "\u3000", "\ud800"]), max_size=60)


@settings(max_examples=400, deadline=None)
@given(ANY, st.sampled_from(DIALECTS))
def test_any_text_is_cut_into_tokens_without_loss(text: str, dialect: str) -> None:
    scanned = scan(text, dialect)
    covered = sorted([(start, end) for _, start, end in scanned.tokens] + scanned.comments)
    behind = 0
    for start, end in covered:
        assert end > start >= behind
        assert not text[behind:start].strip(" \t\r\n\f\v")
        behind = end
    assert not text[behind:].strip(" \t\r\n\f\v")
    exact_shape(scanned)
    numbered(text, dialect)
    for place in literal_places(scanned):
        for start, end in place.spans:
            value_of(text[start:end], dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "piece",
    ["/* ", "(", "'a", "$a$ $b$", "q'[", "e'\\", "values ((", "x in (1,", "values (1),", "1e", "--", "/*!", "[", "$a"],
)
def test_hostile_repetition_is_read_in_one_pass(piece: str, dialect: str) -> None:
    # a quadratic pass would take minutes here
    exact_shape(scan(piece * 20_000, dialect))
