"""The column-wise way and the exact lexer must agree on every text: a wrong merge would lend a statement another's facts."""

# ruff: noqa: SIM905, RUF005
from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.sql.lexer import DIALECTS, exact_shape, literal_places, scan, value_of
from parsers.sql.shape import LIST_MARK, is_ordinary, literals, shape_ids, shapes

# fmt: off
COMMON = """select SELECT from where and OR in IN ( ) , ( ) , values VALUES array [ ] = < > <> != - + * / % | || : :: := @ @@
# . .. ? ?? $1 $ :1 :name :p1 @p1 @x t1 T1 a$b v$session #tmp 1 -1 1e5 0x1F 12.5 .5 1. 1_000 12abc 123456abc 0 'a' 'it''s' '' '
n'x' N'x' x'1f' e'a\\'b' q'[it's]' q' \\ 'a\\' 'a\\\\' 'a\\'b' "Ab" "ab" "a""b" "a'b" `Ab` `a'b` [Ab] [a]]b] -- --x # x /* */ /*! /*!50000
$$ $$a'b$$ $q$ 患者 姓名1 Ａ é É ， limit LIMIT null is like between e n q u&'x' u&"x" U& & -> ->> #>> <@ <= <=> ~ ! ^ ; { } _ __ _$_ :_ _@_
%s % join on İ ß ς Σ ⟦ '⟦s1⟧' 0' != ::1 @ ?| ?& @? **""".split()
SPACED = [
    "-- x\n",
    "-- it's\n",
    "/* x */",
    "/* ' */",
    "/* /* */ */",
    "/*+ hint */",
    "\u3000",
    "\u200d",
    "\x01",
    "\r\n",
    "\r",
    "\t",
    "\n",
    " ",
]
USUAL = """a b1 T2 1 -1 'x' 'y''z' (1,2) in(-1,2) (1,'a'),(2,'b') and OR = <= > $1 ? :1 @p x.y "Q" `q` || , ( ) ||'a' * count(*) +1
姓名 ::int .5 1.5e3 array[1,2] insert update""".split() + [
    "- 1", "in (1,2,3)", "IN ('a','b')", "in (1)", "values (1),(2)", "limit 10", "/* c */", "-- c\n", "between 1 and -2", "- -1",
]  # fmt: skip


def text_of(pick: random.Random) -> str:
    if pick.random() < 0.5:
        pieces = [
            pick.choice(COMMON) if pick.random() < 0.85 else pick.choice(SPACED) for _ in range(pick.randint(1, 9))
        ]
        return "".join(piece + (" " if pick.random() < 0.4 else "") for piece in pieces)
    pieces = [pick.choice(USUAL) + pick.choice(["", " ", " ", "\n"]) for _ in range(pick.randint(1, 14))]
    return pick.choice(["select ", "SELECT x ", "insert into t values "]) + "".join(pieces)


def texts_of(seed: int, count: int) -> pl.Series:
    pick = random.Random(seed)
    return pl.Series([text_of(pick) for _ in range(count)]).unique()


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_both_ways_give_the_same_shape(dialect: str, seed: int) -> None:
    texts = texts_of(seed, 500)
    exact = [exact_shape(scan(text, dialect)) for text in texts]
    wrong = [
        (text, quick, slow)
        for text, quick, slow in zip(texts, shapes(texts, dialect), exact, strict=True)
        if quick != slow
    ]
    assert wrong == []


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_literals_are_those_of_the_places(dialect: str, seed: int) -> None:
    texts = texts_of(seed, 400)
    wrong = []
    for text, found in zip(texts, literals(texts, dialect), strict=True):
        wanted = [
            LIST_MARK.join(value_of(text[start:end], dialect).replace(LIST_MARK, " ") for start, end in place.spans)
            for place in literal_places(scan(text, dialect))
        ]
        if list(found) != wanted:
            wrong.append((text, list(found), wanted))
    assert wrong == []


def test_usual_statements_go_the_quick_way() -> None:
    texts = pl.Series(
        [
            "SELECT name FROM medrec.pat_master_index WHERE patient_id = 'P001' AND birth >= '1980-01-01' LIMIT 10",
            "UPDATE outp_orders SET status = -1, note = 'it''s' WHERE order_no IN (1, 2, 3) /* his */",
            "SELECT a::text, b->'c' FROM t WHERE d = $1 -- done",
            "SELECT \"PATIENT_ID\" FROM 病人基本信息 WHERE 姓名 = '张三' OFFSET 5",
        ]
    )
    assert is_ordinary(texts, "postgres").all()


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgres", "SELECT a FROM t WHERE id = $1 AND x = 'a' LIMIT 10"),
        ("mysql", "SELECT @a, 姓名1 FROM t WHERE id = ? AND b = :name AND c = 1.5"),
        ("oracle", "SELECT sid FROM v$session WHERE a# = :1 AND b = :name AND c = -5"),
        ("tsql", "SELECT a FROM #tmp WHERE id = @P0 AND b = N'x' AND [Name] = 7"),
    ],
)
def test_binds_and_names_with_signs_need_no_lexer(dialect: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = exact_shape(scan(text, dialect))
    texts = pl.Series([text, text + " "])
    monkeypatch.setattr("parsers.sql.shape._exact_one", None)
    assert shapes(texts, dialect).to_list() == [wanted, wanted]
    assert texts.to_list() == [text, text + " "]


def test_column_of_shapes_and_values() -> None:
    texts = pl.Series(
        ["SELECT a FROM b WHERE c = 1", None, "select a from b where c = 22;", "", "SELECT a FROM b WHERE c = 'x'"]
    )
    assert shapes(texts, "postgres").to_list() == [
        "select a from b where c=0", None, "select a from b where c=0", "", "select a from b where c='?'",
    ]  # fmt: skip
    assert literals(texts, "postgres").to_list() == [["1"], None, ["22"], [], ["x"]]


def test_values_of_lists_rows_and_escapes() -> None:
    def found(text: str, dialect: str) -> list[str]:
        return list(literals(pl.Series([text]), dialect)[0])

    assert found("a IN ('x','y''z') AND b = 3", "postgres") == [f"x{LIST_MARK}y'z", "3"]
    assert found("VALUES (1,'a'),(2,'b')", "mysql") == [f"1{LIST_MARK}2", f"a{LIST_MARK}b"]
    assert found("a = 'it\\'s' AND b = \"q\"", "mysql") == ["it's", "q"]
    assert found("/* v2 */ SELECT q'[it's]' FROM t2 WHERE x = :1 -- 9", "oracle") == ["it's"]
    assert found("/* v2 */ SELECT b FROM t2 WHERE x = $1 AND y = 7 -- 9", "postgres") == ["7"]


def test_very_long_odd_text_is_known_by_head_and_hash() -> None:
    one, two = ("SELECT $q$ ' $q$" + ", a" * 40_000 + end for end in (", b", ", c"))
    first, second = shapes(pl.Series([one, two]), "postgres")
    assert first != second
    assert first.startswith("select'?',a")
    assert literals(pl.Series([one]), "postgres").to_list() == [None]


def test_ids_are_keyed() -> None:
    made = pl.Series(["select a", "select b", None, "select a"])
    ids = shape_ids(made, b"k" * 32)
    assert ids[0] == ids[3] != ids[1]
    assert ids[2] is None
    assert len(ids[0]) == 32
    assert shape_ids(made, b"x" * 32)[0] != ids[0]
