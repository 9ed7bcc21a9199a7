"""Steps that must follow each other, and what may stand for a set."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from builders import NOON, frame, login, query
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.conditions import Ask
from detectors.engine import Engine
from detectors.expressions import expression
from detectors.panes import MEMBER_CAP, Held, measure
from detectors.rules import Line, Step
from detectors.sqlrules import sql

HOUR = 3600


def step(verb):
    tree = Ask("verb", "same", verb)
    return Step("database", ("main",), "", tree, expression(tree), sql(tree))


@pytest.fixture(scope="module")
def sequence(rules):
    """Three steps in an hour: panes of a minute."""
    model = next(rule for rule in rules if rule.kind == "ordered")
    return replace(
        model, id="EXF-99", subject=("site", "account"), timespan_seconds=HOUR, kind="ordered", lines=(),
        steps=tuple(map(step, ("create", "select", "drop"))),
    )  # fmt: skip


def acts(*told):
    return [query(minute, verb=verb) for minute, verb in told]


def found(rule, events, cut=None):
    engine = Engine([rule])
    parts = [events] if cut is None else [events[:cut], events[cut:]]
    rows = pl.concat([engine.observe(frame(*part), NOON).findings for part in parts])
    return rows.sort("id", "revision").unique("id", keep="last").sort("id").drop("revision").to_dicts()


@pytest.mark.parametrize(
    ("name", "told", "fires"),
    [
        ("one after the other", [(0, "create"), (10, "select"), (50, "drop")], 1),
        ("the second is missing", [(0, "create"), (50, "drop")], 0),
        ("the last comes first", [(0, "drop"), (10, "create"), (20, "select")], 0),
        ("the second comes after the third", [(0, "create"), (10, "drop"), (20, "select")], 0),
        ("too slow", [(0, "create"), (30, "select"), (90, "drop")], 0),
        ("a false start, then in order", [(0, "drop"), (1, "select"), (5, "create"), (6, "select"), (7, "drop")], 1),
        ("within one pane, in order", [(0.1, "create"), (0.2, "select"), (0.3, "drop")], 1),
        ("within one pane, the wrong way", [(0.1, "drop"), (0.2, "select"), (0.3, "create")], 0),
        ("the steps of two people", [(0, "create"), (10, "select")], 0),
    ],
)
def test_three_steps(sequence, name, told, fires):
    assert len(found(sequence, acts(*told))) == fires, name


def test_only_what_follows_is_in_the_finding(sequence):
    told = found(sequence, acts((0, "select"), (1, "drop"), (2, "create"), (3, "select"), (4, "drop"), (5, "create")))
    assert [row["events"] for row in told] == [4]  # both creations, and what followed the first


moments = st.lists(st.tuples(st.integers(0, 150), st.sampled_from(["create", "select", "drop"])), max_size=12)


@settings(max_examples=60, deadline=None)
@given(told=moments, cut=st.integers(0, 12), more=moments)
def test_sequences_neither_depend_on_the_cut_nor_are_undone(sequence, told, cut, more):
    events, later = acts(*told), acts(*more)
    whole = found(sequence, events)
    assert found(sequence, events, cut) == whole
    assert found(sequence, events[::-1], cut) == whole
    assert {row["id"] for row in whole} <= {row["id"] for row in found(sequence, events + later)}


@settings(max_examples=60, deadline=None)
@given(told=moments)
def test_sequences_are_those_of_the_definition(sequence, told):
    """Some three events of different minutes, in order, whose panes lie in one window."""
    minutes = {verb: [minute for minute, one in told if one == verb] for verb in ("create", "select", "drop")}
    exact = any(a < b < c < a + 60 for a in minutes["create"] for b in minutes["select"] for c in minutes["drop"])
    in_order = any(a <= b <= c < a + 60 for a in minutes["create"] for b in minutes["select"] for c in minutes["drop"])
    fires = bool(found(sequence, acts(*told)))
    assert fires or not exact
    assert in_order or not fires


def test_a_line_above_what_a_pane_keeps_is_still_crossed():
    hashes = pl.select(h=pl.int_range(0, 30_000).hash(seed=0))["h"].to_list()
    pane = Held(events=1)
    pane.add_members(0, hashes)
    assert len(pane.members[0]) == MEMBER_CAP
    assert measure(Line("distinct", "path", 10_000), 0, [pane]) >= 10_000


def test_the_same_few_members_in_every_pane_are_not_looked_at(rules):
    """Nearly all accounts come from one or two addresses all day; only a third one is worth the panes of its window."""
    engine = Engine([rule for rule in rules if rule.id == "IDN-01"])
    for minute in range(0, 120, 5):
        engine.observe(frame(query(minute, client_ip=f"10.1.0.{minute % 2}")), NOON)
    assert sum(window.size for window in engine._windows) == 0
    told = engine.observe(frame(query(119, client_ip="10.1.0.9")), NOON).findings
    assert told["rule"].to_list() == ["IDN-01"]
    assert "3" in told["why_en"].item()


addresses = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 4)), max_size=16)


@settings(max_examples=60, deadline=None)
@given(told=addresses, cut=st.integers(0, 16))
def test_few_members_are_counted_as_many_are(rules, told, cut):
    """What is kept of few members only decides what is looked at: without it the findings are the same."""
    chosen = next(rule for rule in rules if rule.id == "IDN-01")
    events = [query(minute, client_ip=f"10.1.0.{address}") for minute, address in told]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detectors.tallies.FEW", 0)
        whole = found(chosen, events)
    assert found(chosen, events, cut) == whole
    assert found(chosen, events[::-1], cut) == whole


def test_a_text_about_a_window_tells_what_one_window_held(rules):
    """Two windows that follow each other are one finding; how many acts both held is not how many came within one."""
    chosen = next(rule for rule in rules if rule.id == "IDN-07")
    within = chosen.timespan_seconds / 60
    events = [login(minute / 2, outcome="failed") for minute in range(int(2 * within) * 2 - 1)]
    last = found(chosen, events)
    assert all(row["events"] > int(2 * within) for row in last[:1])
    assert f"{int(2 * within)} " in last[0]["why_en"]
    assert found(chosen, events, 7) == last
