"""However the stream is cut, ordered or restarted, the findings are the same."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from builders import NOON, SCHEMA, frame, keys_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_cases import CASES

from detectors.engine import STATE_TABLES, Engine, compact

ALL = [(rule, name, events) for rule, halves in CASES.items() for half in halves for name, events in half.items()]
BY_RULE = {rule: [events for r, _, events in ALL if r == rule and len(events) <= 120] for rule in CASES}
QUICK = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))


def shifted(events, minutes):
    move = timedelta(minutes=minutes)
    return [e | {"occurred_at": e["occurred_at"] + move, "event_id": f"{e['event_id']}+{minutes}"} for e in events]


@st.composite
def streams(draw, rule):
    """Several of the rule's cases, some twice, moved by up to three days, in any order."""
    cases = draw(
        st.lists(
            st.tuples(st.sampled_from(BY_RULE[rule]), st.integers(-900, 4000)),
            min_size=1,
            max_size=4,
            unique_by=lambda c: (id(c[0]), c[1]),
        )
    )
    events = [e for case, minutes in cases for e in shifted(case, minutes)]
    if draw(st.booleans()):
        events = draw(st.permutations(events)) if len(events) < 60 else events[::-1]
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    return events, cuts


def pieces(events, cuts):
    edges = [0, *cuts, len(events)]
    return [events[a:b] for a, b in pairwise(edges)]


def latest(findings):
    """The last revision of each finding, without its number: how often it was told depends on the cut."""
    if not findings:
        return []
    rows = pl.concat(findings).sort("id", "revision").unique("id", keep="last").sort("id")
    return rows.drop("revision").to_dicts()


def once(rules, events):
    return latest([Engine(rules).observe(frame(*events), NOON).findings])


@pytest.mark.parametrize("rule", CASES)
@QUICK
@given(data=st.data())
def test_findings_do_not_depend_on_how_the_stream_is_cut(rules, rule, data):
    chosen = [r for r in rules if r.id == rule]
    events, cuts = data.draw(streams(rule))
    engine = Engine(chosen)
    told = [engine.observe(frame(*part), NOON).findings for part in pieces(events, cuts)]
    assert latest(told) == once(chosen, events)


@pytest.mark.parametrize("rule", CASES)
@QUICK
@given(data=st.data())
def test_a_restart_changes_no_finding(rules, rule, data):
    chosen = [r for r in rules if r.id == rule]
    events, cuts = data.draw(streams(rule))
    state = {name: [] for name in STATE_TABLES}
    told = []
    for number, part in enumerate(pieces(events, cuts)):
        engine = Engine(chosen)
        tables = {name: pl.concat(rows) for name, rows in state.items() if rows}
        engine.restore(compact(tables) if tables and number % 2 else tables)
        observed = engine.observe(frame(*part), NOON)
        told.append(observed.findings)
        for name, rows in observed.deltas.items():
            state[name].append(rows)
    assert latest(told) == once(chosen, events)
    numbers = pl.concat(told).group_by("id").agg(pl.col("revision").sort())
    assert all(list(r) == list(range(1, len(r) + 1)) for r in numbers["revision"])  # none twice, none left out


@QUICK
@given(data=st.data())
def test_all_rules_together_find_what_each_finds_alone(rules, data):
    names = data.draw(st.lists(st.sampled_from(sorted(CASES)), min_size=2, max_size=4, unique=True))
    events = [e for name in names for case in BY_RULE[name] for e in case]
    together = once(rules, events)
    alone = [row for rule in rules for row in once([rule], events)]
    assert sorted(together, key=keys_of) == sorted(alone, key=keys_of)


def test_more_events_never_take_a_finding_back(rules):
    for rule, _, events in ALL:
        if len(events) > 150:
            continue
        chosen = [r for r in rules if r.id == rule]
        engine = Engine(chosen)
        told = [engine.observe(frame(e), NOON).findings for e in events[:40]]
        ids = {row["id"] for row in once(chosen, events[:40])}
        assert {i for f in told for i in f["id"]} == ids


def test_an_empty_batch_changes_nothing(rules):
    observed = Engine(rules).observe(pl.DataFrame(schema=SCHEMA), NOON)
    assert observed.findings.is_empty()
    assert set(observed.deltas) == set(STATE_TABLES)
    assert all(observed.deltas[name].schema == pl.Schema(schema) for name, schema in STATE_TABLES.items())
