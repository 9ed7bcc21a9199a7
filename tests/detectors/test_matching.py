"""The matcher answers as the conditions of the rules do, whatever it has answered before."""

from __future__ import annotations

import polars as pl
import pytest
from builders import frame, login, query, transfer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_cases import CASES as STATEMENTS
from rule_cases_logs import CASES as LOGS

from detectors import matching
from detectors.conditions import COLUMNS, All, Ask, Either, Not
from detectors.expressions import expression
from detectors.matching import FEW, REPEATED, Matcher
from detectors.rules import Step
from detectors.sqlrules import sql
from parsers.events import TEXTS

WORDS = ["", "a", "A", "ab", "it's", "患者", "a.b", "line\nbreak", "x" * 600, "y" * 600]
TRANSFERS = ["upload", "download", "delete", "rename", "mkdir", "rmdir", "chmod", "link", "list", "command"]
# A column of each kind: few values, texts that come again, names, lists of either kind, numbers, truth.
TEXT_COLUMNS = ["verb", "shape", "account", "path", "client_program"]
LISTS = ["output_classes", "reads"]
values = {
    "action": st.sampled_from(["query", "login", "upload", "command"]),
    "dialect": st.none() | st.just("mysql"),
    "record_role": st.sampled_from(["main", "part", "outcome", "duplicate"]),
    **{name: st.none() | st.sampled_from(WORDS) for name in TEXT_COLUMNS},
    **{name: st.none() | st.lists(st.sampled_from(WORDS), max_size=3) for name in LISTS},
    "rows": st.none() | st.integers(-3, 3),
    "bytes": st.none() | st.integers(0, 2),
    "tongfang": st.none() | st.booleans(),
}
SCHEMA = {name: COLUMNS[name] for name in values}
batches = st.lists(st.lists(st.fixed_dictionaries(values), min_size=1, max_size=12), min_size=1, max_size=4)
lower = st.sampled_from(sorted({word.lower() for word in WORDS}))
texts, lists = st.sampled_from(TEXT_COLUMNS), st.sampled_from(LISTS)
asks = st.one_of(
    st.builds(Ask, texts, st.sampled_from(["equals", "contains", "starts", "ends"]), lower),
    st.builds(Ask, texts, st.just("same"), st.sampled_from(WORDS)),
    st.builds(Ask, texts, st.just("matches"), st.sampled_from(["^a", "患", "b$", "(?s)line.break", "^$", "y{9}"])),
    st.builds(Ask, lists, st.just("member"), st.sampled_from(WORDS)),
    st.builds(Ask, st.just("rows"), st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), st.integers(-3, 3)),
    st.builds(Ask, st.just("tongfang"), st.just("is"), st.booleans()),
    st.builds(Ask, st.sampled_from(list(values)), st.sampled_from(["missing", "present"])),
)
trees = st.recursive(
    asks,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
steps = st.builds(
    lambda category, roles, amounts, tree: Step(category, roles, amounts, tree, expression(tree), sql(tree)),
    st.sampled_from(["database", "transfer", "any"]),
    st.sampled_from([("main",), ("main", "outcome"), ("part", "duplicate")]),
    st.sampled_from(["", "summed", "asked"]),
    trees,
)


def expected(chosen, acts):
    """Each step on its own, row by row, from its expression."""
    action = pl.col("action")
    categories = {
        "transfer": action.is_in(TRANSFERS),
        "database": (action == "query") | (pl.col("dialect").is_not_null() & ~action.is_in(TRANSFERS)),
        "any": pl.lit(value=True),
    }
    told = pl.col("rows").is_not_null() | pl.col("bytes").is_not_null()
    pairs = set()
    for place, step in enumerate(chosen):
        counted = pl.col("record_role").is_in(step.roles)
        if step.amounts:
            counted |= (pl.col("record_role") == "outcome") & told
        kept = acts.with_row_index("row").filter(categories[step.category] & counted & step.expression)
        pairs |= {(place, row) for row in kept["row"]}
    return pairs


def told(matcher, acts):
    pairs = matcher.matches(acts)
    assert pairs.schema == {"step": pl.UInt16, "row": pl.UInt32}
    assert pairs.is_unique().all()
    return set(pairs.rows())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.lists(steps, min_size=1, max_size=6), batches=batches)
def test_it_answers_as_each_condition_does_alone(chosen, batches):
    matcher = Matcher(chosen)
    for rows in batches:
        acts = pl.DataFrame(rows, schema=SCHEMA)
        assert told(matcher, acts) == expected(chosen, acts)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.lists(steps, min_size=1, max_size=3), batches=batches)
def test_it_forgets_and_still_answers(chosen, batches):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "CLASSES", 3)
        patch.setattr(matching, "TEXTS", 2)
        matcher = Matcher(chosen)
        for rows in batches:
            acts = pl.DataFrame(rows, schema=SCHEMA)
            assert told(matcher, acts) == expected(chosen, acts)


def test_the_shipped_rules_match_what_their_conditions_say(rules):
    events = [e for halves in (STATEMENTS | LOGS).values() for half in halves for c in half.values() for e in c]
    chosen = [step for rule in rules for step in rule.steps]
    matcher = Matcher(chosen)
    for start in range(0, len(events), 700):
        acts = frame(*events[start : start + 700])
        assert told(matcher, acts) == expected(chosen, acts)


def test_more_tests_of_one_column_than_a_word_holds():
    chosen = []
    for number in range(150):
        tree = Ask("account", "contains", f"<{number}>")
        chosen.append(Step("any", ("main",), "", tree, expression(tree), sql(tree)))
    acts = frame(login(account="x<7>y"), query(account="<149>"), transfer(account="<64> and <63>"))
    assert told(Matcher(chosen), acts) == {(7, 0), (149, 1), (64, 2), (63, 2)}


def test_nothing_is_asked():
    assert Matcher([]).matches(frame(login())).is_empty()


def test_columns_that_are_grouped_by_are_texts_or_lists():
    assert {COLUMNS[name] for name in FEW | REPEATED} == {pl.String(), TEXTS}
