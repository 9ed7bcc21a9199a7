"""However the stream is cut, ordered or restarted, the findings are the same."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise, permutations

import polars as pl
import pytest
from builders import NOON, SCHEMA, frame, keys_of, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_cases import CASES as STATEMENTS
from rule_cases_logs import CASES as LOGS

from detectors import engine as engines
from detectors.engine import STATE_TABLES, Engine, compact

CASES = STATEMENTS | LOGS
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


# --- what is looked at, and where the rest lies -----------------------------------------------------------------------

# a rule of each kind: single, events, sums, members, pairs of members, steps
KINDS = ["EXF-01", "IDN-07", "EXF-02", "EXF-03", "IDN-07b", "EXF-05", "XFR-02"]


class Rows:
    """Committed rows of the state, as a store keeps and recalls them."""

    def __init__(self):
        self.tables = {name: [pl.DataFrame(schema=schema)] for name, schema in STATE_TABLES.items()}
        self.asked = 0

    def commit(self, deltas):
        for name, rows in deltas.items():
            self.tables[name].append(rows)

    def all(self):
        return {name: pl.concat(parts) for name, parts in self.tables.items()}

    def recall(self, wanted):
        self.asked += 1
        inside = (pl.col("pane") >= pl.col("begin")) & (pl.col("pane") < pl.col("end"))
        found = self.all()
        return {
            name: found[name].join(wanted, on=["rule", "key"]).filter(inside).drop("begin", "end")
            for name in ("window_panes", "window_members")
        }


@pytest.mark.parametrize("rule", KINDS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), forgetful=st.booleans())
def test_panes_may_lie_anywhere(rules, rule, data, forgetful):
    chosen = [r for r in rules if r.id == rule]
    events, cuts = data.draw(streams(rule))
    kept, told = Rows(), []
    with pytest.MonkeyPatch.context() as patch:
        if forgetful:
            patch.setattr(engines, "MAX_PANES", 0)  # nothing is looked at longer than one batch
        engine = Engine(chosen, recall=kept.recall)
        for number, part in enumerate(pieces(events, cuts)):
            if number % 3 == 2:
                engine = Engine(chosen, recall=kept.recall)
                engine.restore(kept.all())
            observed = engine.observe(frame(*part), NOON)
            kept.commit(observed.deltas)
            told.append(observed.findings)
    assert latest(told) == once(chosen, events)


def test_a_key_far_from_every_line_costs_a_number_and_no_pane(rules):
    chosen = [r for r in rules if r.id == "IDN-07"]
    kept = Rows()
    engine = Engine(chosen, recall=kept.recall)
    for minute in range(0, 600, 5):  # 2 in 10 minutes, of 8
        failed = [query(minute, action="login", outcome="failed", account=f"a{n}", person=None) for n in range(20)]
        kept.commit(engine.observe(frame(*failed), NOON).deltas)
    assert not kept.asked
    assert kept.all()["window_panes"].height == 20 * 120
    assert engine.size == 20 * 60  # blocks of ten minutes


def test_an_amount_told_in_a_later_batch_counts(rules):
    chosen = [r for r in rules if r.id == "EXF-02"]
    act = {"output_classes": ["lab"], "restriction": "range"}
    told = [query(0, **act, rows=None, rows_kind="unknown"), query(0, **act, rows=6000, record_role="outcome")]
    engine = Engine(chosen)
    cut = [engine.observe(frame(event), NOON).findings for event in told]
    assert latest(cut) == once(chosen, told)
    assert [row["rows"] for row in latest(cut)] == [6000]


@pytest.mark.parametrize("rule", KINDS)
def test_files_may_be_read_in_any_order(rules, rule):
    chosen = [r for r in rules if r.id == rule]
    days = [[e for case in BY_RULE[rule][:4] for e in shifted(case, 24 * 60 * day)] for day in (0, 9, 40)]
    found = []
    for order in permutations(days):
        engine = Engine(chosen, lateness=None)
        found.append(latest([engine.observe(frame(*day), NOON).findings for day in order]))
    assert all(one == found[0] for one in found)
    assert len(found[0]) >= 3


def test_a_replay_tells_the_same_under_the_same_names(rules):
    events = [e for rule in KINDS for case in BY_RULE[rule][:3] for e in case]
    live = Engine(rules)
    told = latest([live.observe(frame(*events[at : at + 7]), NOON).findings for at in range(0, len(events), 7)])
    later = NOON + timedelta(days=200)
    replay = Engine(rules, lateness=None)
    again = latest([replay.observe(frame(*events[at : at + 60]), later).findings for at in range(0, len(events), 60)])
    assert again == told
    assert {row["rule"] for row in told} >= set(KINDS)


def test_late_events_join_what_they_belong_to(rules):
    """A file of yesterday arrives when nothing of yesterday is looked at any more."""
    chosen = [r for r in rules if r.id == "IDN-07"]
    yesterday = [query(m, action="login", outcome="failed", person=None) for m in range(7)]
    today = [query(60 * h, action="login", outcome="failed", account="b", person=None) for h in range(1, 30)]
    late = [query(8, action="login", outcome="failed", person=None)]
    engine = Engine(chosen)
    cut = [engine.observe(frame(event), NOON + timedelta(days=2)).findings for event in yesterday + today]
    assert not latest(cut)
    cut.append(engine.observe(frame(*late), NOON + timedelta(days=2)).findings)
    assert latest(cut) == once(chosen, yesterday + today + late)
    assert [row["events"] for row in latest(cut)] == [8]


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
