"""Polars and DuckDB answer every condition alike, missing values and lists included."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.conditions import COLUMNS, All, Ask, Either, Not, tree
from detectors.expressions import expression
from detectors.sqlrules import loosely, sql
from parsers.events import TEXTS

# Texts that quote, match as patterns, differ by case only, or are not ASCII.
WORDS = [
    "",
    "a",
    "A",
    "ab",
    "AB",
    "b%_",
    "it's",
    'x"y',
    "患者",
    "患者信息",
    "a.b",
    "(a|b)",
    "line\nbreak",
    "\\d",
    "Straße",
    "é",
    "É",
]
TEXT, LIST, NUMBER, FLAG = "account", "reads", "rows", "tongfang"
values = {
    TEXT: st.none() | st.sampled_from(WORDS),
    LIST: st.none() | st.lists(st.sampled_from(WORDS), max_size=3),
    NUMBER: st.none() | st.integers(-5, 5),
    FLAG: st.none() | st.booleans(),
}
rows = st.lists(st.fixed_dictionaries(values), min_size=1, max_size=25)
patterns = st.sampled_from(["^a", "(?i)^ab$", "患", "b$", "a.b", r"\\d", "(a|b)c?", "(?s)line.break", "^$"])
lower = st.sampled_from(sorted({word.lower() for word in WORDS}))
tests = st.one_of(
    st.builds(Ask, st.just(TEXT), st.sampled_from(["equals", "contains", "starts", "ends"]), lower),
    st.builds(Ask, st.just(TEXT), st.just("same"), st.sampled_from(WORDS)),
    st.builds(Ask, st.just(TEXT), st.just("matches"), patterns),
    st.builds(Ask, st.just(LIST), st.just("member"), st.sampled_from(WORDS)),
    st.builds(Ask, st.just(NUMBER), st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), st.integers(-5, 5)),
    st.builds(Ask, st.just(FLAG), st.just("is"), st.booleans()),
    st.builds(Ask, st.sampled_from([TEXT, LIST, NUMBER, FLAG]), st.sampled_from(["missing", "present"])),
)
trees = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
SCHEMA = {TEXT: pl.String, LIST: TEXTS, NUMBER: pl.Int64, FLAG: pl.Boolean}


class Arrow:
    def __init__(self, frame):
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema=None):
        return self.frame.__arrow_c_stream__(requested_schema)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        yield connection


def both(database, node, frame):
    events = Arrow(frame)  # noqa: F841  (DuckDB finds it by name)
    fast = frame.select(answer=expression(node))["answer"].to_list()
    slow = [row[0] for row in database.sql(f"SELECT {sql(node)} FROM events").fetchall()]
    return fast, slow


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(node=trees, rows=rows)
def test_both_engines_answer_alike(database, node, rows):
    fast, slow = both(database, node, pl.DataFrame(rows, schema=SCHEMA))
    assert fast == slow
    assert None not in fast


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(node=trees, rows=rows, known=st.sets(st.sampled_from([TEXT, LIST, NUMBER, FLAG])))
def test_what_is_asked_of_some_columns_leaves_out_nothing(database, node, rows, known):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    fast, exact = both(database, node, frame)
    events = Arrow(frame.select(*sorted(known), pl.int_range(pl.len()).alias("one")))  # noqa: F841  (DuckDB finds it by name)
    wide = [row[0] for row in database.sql(f"SELECT {loosely(node, known)} FROM events").fetchall()]
    assert all(loose for hit, loose in zip(fast, wide, strict=True) if hit)
    if known >= set(SCHEMA):
        assert wide == exact


def test_the_shipped_rules_answer_alike(database, rules):
    from builders import SCHEMA as FULL
    from builders import frame
    from rule_cases import CASES as STATEMENTS
    from rule_cases_logs import CASES as LOGS

    events = [
        e for halves in (STATEMENTS | LOGS).values() for half in halves for case in half.values() for e in case[:5]
    ]
    full = frame(*events).select(list(COLUMNS))
    assert set(COLUMNS) < set(FULL)
    for rule in rules:
        for step in rule.steps:
            fast, slow = both(database, step.tree, full)
            assert fast == slow, rule.id


def test_not_of_a_missing_value_is_true(database):
    node = Not(Ask(TEXT, "equals", "his-client"))
    assert both(database, node, pl.DataFrame([{TEXT: None}], schema=SCHEMA)) == ([True], [True])


def condition(detection):
    from sigma.rule import SigmaRule

    data = {
        "title": "t",
        "logsource": {"product": "hiswatch", "category": "any"},
        "detection": {"x": detection, "condition": "x"},
    }
    return tree(SigmaRule.from_dict(data).detection.parsed_condition[0].parsed)


@pytest.mark.parametrize(
    ("detection", "yes", "no"),
    [
        ({"account": "ZHOU"}, ["zhou", "Zhou"], ["zhous", None]),
        ({"account|contains": "ho"}, ["zHOu"], ["z"]),
        ({"account|startswith": ["a", "b"]}, ["Anna", "bob"], ["cab"]),
        ({"account|endswith": "_ws"}, ["nurse_ws"], ["nurse_ws2"]),
        ({"account": "v_*_?"}, ["v_acme_1", "V_A_x"], ["v_acme_12"]),
        ({"account|re": "^[a-z]{3}$"}, ["abc"], ["abcd", "ABC", None]),
        ({"client_ip|cidr": "10.20.0.0/15"}, ["10.20.1.1", "10.21.255.9"], ["10.22.0.1", "110.20.1.1", "10.2.0.1"]),
        ({"client_ip|cidr": "10.1.1.7/32"}, ["10.1.1.7"], ["10.1.1.70", "10.1.1.6"]),
        ({"account": None}, [None], ["x", ""]),
        ({"account|exists": True}, ["x", ""], [None]),
        ({"rows|gte": 5, "rows|lt": 9}, [5, 8], [4, 9, None]),
        ({"rows": [1, 3]}, [1, 3], [2]),
        ({"tongfang": False}, [False], [True, None]),
        ({"reads|contains": "b"}, [["a", "b"]], [["ab"], [], None]),
        ({"reads|contains|all": ["a", "b"]}, [["b", "a"]], [["a"]]),
        ({"reads": None}, [None, []], [["a"]]),
        ({"reads|exists": True}, [["a"]], [None, []]),
    ],
)
def test_modifiers(database, detection, yes, no):
    column = next(iter(detection)).partition("|")[0]
    frame = pl.DataFrame({column: pl.Series([*yes, *no], dtype=COLUMNS[column], strict=False)})
    fast, slow = both(database, condition(detection), frame)
    assert fast == slow == [True] * len(yes) + [False] * len(no)


@pytest.mark.parametrize(
    "detection",
    [
        {"acount": "x"}, {"statement|contains": "x"}, {"patient_keys|contains": "x"}, {"reads": "x"}, {"rows|contains": "x"},
        {"tongfang": "yes"}, {"account|re": "(?=x)"}, {"account|re": "(a)\\1"}, {"client_ip|cidr": "2001:db8::/32"},
        {"occurred_at|gt": 5}, {"account|base64": "x"} | {"rows|fieldref": "bytes"}, {"reads|contains": "a*b"},
    ],
)  # fmt: skip
def test_what_can_not_be_answered_alike_is_refused(detection):
    with pytest.raises(ValueError):
        condition(detection)
