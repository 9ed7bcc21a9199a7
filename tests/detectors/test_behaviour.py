"""Behaviour: findings depend neither on cuts, nor on restarts, nor on the order of files."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from builders import NOON, SCHEMA, frame, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_cases_behaviour import CASES

from detectors.behaviour.tables import BEHAVIOUR_TABLES, compact
from detectors.behaviour.watch import Behaviour
from detectors.engine import LATENESS

ALL = {rule: [events for half in halves for events in half.values()] for rule, halves in CASES.items()}
QUICK = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))


def living(findings):
    """The last revision of each finding that is not withdrawn, without its number."""
    rows = pl.concat(findings).sort("id", "revision").unique("id", keep="last").filter(pl.col("events") > 0)
    return rows.drop("revision").sort("id").to_dicts()


def run(rules, parts, *, lateness=LATENESS, state=None, restart=lambda number: False):
    """Parts one after the other, each read when it was written; the state kept aside as a store would."""
    behaviour, told, kept = Behaviour(rules, lateness=lateness), [], {} if state is None else state
    for number, part in enumerate(parts):
        if restart(number):
            behaviour = Behaviour(rules, lateness=lateness)
            tables = {name: pl.concat(rows) for name, rows in kept.items()}
            behaviour.restore(tables | (compact(tables) if number % 2 and tables else {}))
        now = max((e["occurred_at"] for e in part), default=NOON)
        observed = behaviour.observe(frame(*part), now)
        told.append(observed.findings)
        for name, rows in observed.deltas.items():
            kept.setdefault(name, []).append(rows)
    return told


# -- cut, restart, order -----------------------------------------------------------------------------------------------


@st.composite
def histories(draw, rule):
    """One or two of the rule's cases, the second moved by some days and hours."""
    chosen = draw(st.lists(st.sampled_from(ALL[rule]), min_size=1, max_size=2))
    events = list(chosen[0])
    for case in chosen[1:]:
        move = timedelta(hours=draw(st.integers(-100, 100)))
        number = draw(st.integers(0, 99))
        events += [e | {"occurred_at": e["occurred_at"] + move, "event_id": f"{e['event_id']}+{number}"} for e in case]
    return sorted(events, key=lambda e: (e["occurred_at"], e["event_id"]))


def pieces(draw, events):
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=8)))
    return [events[a:b] for a, b in pairwise([0, *cuts, len(events)])]


@pytest.mark.parametrize("rule", CASES)
@QUICK
@given(data=st.data())
def test_findings_depend_neither_on_cuts_nor_on_restarts(rules, rule, data):
    chosen = [r for r in rules if r.id == rule]
    events = data.draw(histories(rule))
    whole = living(run(chosen, [events], lateness=None))
    parts = pieces(data.draw, events)
    told = run(chosen, parts, restart=lambda number: number % 3 == 1)
    assert living(told) == whole
    numbers = pl.concat(told).group_by("id").agg(pl.col("revision").sort())
    assert all(list(r) == list(range(1, len(r) + 1)) for r in numbers["revision"])  # none twice, none left out


@pytest.mark.parametrize("rule", CASES)
@QUICK
@given(data=st.data())
def test_old_files_in_any_order_give_the_same(rules, rule, data):
    chosen = [r for r in rules if r.id == rule]
    events = data.draw(histories(rule))
    whole = living(run(chosen, [events], lateness=None))
    parts = data.draw(st.permutations(pieces(data.draw, events)))
    assert living(run(chosen, parts, lateness=None, restart=lambda number: number % 2 == 1)) == whole


@pytest.mark.parametrize("rule", CASES)
@QUICK
@given(data=st.data())
def test_records_that_come_a_day_late_change_nothing_in_the_end(rules, rule, data):
    """Two logs of one hospital: one is read as it is written, the other a day later."""
    chosen = [r for r in rules if r.id == rule]
    events = data.draw(histories(rule))
    late = [e for e in events if hash((e["event_id"], 7)) % 3 == 0]
    arrival = {e["event_id"]: e["occurred_at"] + timedelta(hours=24) for e in late}
    order = sorted(events, key=lambda e: (arrival.get(e["event_id"], e["occurred_at"]), e["event_id"]))
    step = max(1, len(order) // 10)
    parts = [order[n : n + step] for n in range(0, len(order), step)]
    assert living(run(chosen, parts)) == living(run(chosen, [events], lateness=None))


# -- what else it promises ---------------------------------------------------------------------------------------------


def test_an_empty_batch_changes_nothing(rules):
    observed = Behaviour(rules).observe(pl.DataFrame(schema=SCHEMA), NOON)
    assert observed.findings.is_empty()
    assert set(observed.deltas) == {*BEHAVIOUR_TABLES, "finding_revisions"}
    assert all(observed.deltas[name].schema == pl.Schema(schema) for name, schema in BEHAVIOUR_TABLES.items())


def test_a_source_that_comes_later_learns_by_itself(rules):
    """A second database joins after forty days: nothing there is new for its week, while the first goes on alarming."""

    def read(day, table, system):
        seen = {"system": system, "source": f"{system}_audit", "event_id": f"{system}-{day}-{table}"}
        return query(day * 1440, reads=[table], output_classes=["identity"], restriction="point", **seen)

    chosen = [rule for rule in rules if rule.id == "VND-07f"]
    known = [read(day, "patients", "his") for day in range(40)]
    joining = [read(day, f"table_{'abc'[day - 40]}", "lis") for day in (40, 41, 42)]
    later = [read(42, "letters", "his"), read(60, "table_a", "lis"), read(60, "table_z", "lis")]
    told = living(run(chosen, [known, joining, later]))
    assert sorted((row["system"], row["first_seen"]) for row in told) == [
        ("his", NOON + timedelta(days=42)),
        ("lis", NOON + timedelta(days=60)),
    ]
    assert any("table_z" in row["why_en"] for row in told)


# -- counts that hold ------------------------------------------------------------------------------------------------------


def told_once(rules, rule, events):
    """The one finding of a rule, the same whether its events come together or one by one."""
    chosen = [one for one in rules if one.id == rule]
    together, singly = living(run(chosen, [events])), living(run(chosen, [[event] for event in events]))
    assert together == singly
    (finding,) = together
    return finding


def test_an_act_with_several_new_tables_is_counted_once(rules):
    def read(day, minute, *tables):
        return query(day * 1440 + minute, reads=list(tables), output_classes=["identity"], restriction="point", rows=5)

    known = [read(day, 0, "patients") for day in range(40)]
    acts = [read(40, 1, "letters", "bills", "patients"), read(40, 3, "wills", "letters"), read(40, 9, "bills")]
    finding = told_once(rules, "VND-07f", [*known, *acts])
    assert "bills, letters, wills" in finding["why_en"]
    assert (finding["events"], finding["rows"]) == (3, 15)
    assert (finding["first_seen"], finding["last_seen"]) == (acts[0]["occurred_at"], acts[2]["occurred_at"])


def test_a_table_known_after_all_leaves_the_acts_that_read_another_new_one(rules):
    def read(day, minute, *tables):
        return query(day * 1440 + minute, reads=list(tables), output_classes=["identity"], restriction="point")

    chosen = [rule for rule in rules if rule.id == "VND-07f"]
    known = [read(day, 0, "patients") for day in range(40)]
    acts = [read(40, 1, "letters", "bills"), read(40, 3, "letters"), read(40, 5, "bills")]
    late = read(39, 30, "letters")
    told = living(run(chosen, [known, acts, [late]]))
    assert living(run(chosen, [known, [late], acts])) == told
    (finding,) = (one for one in told if one["first_seen"] >= acts[0]["occurred_at"])
    assert (finding["events"], finding["last_seen"]) == (2, acts[2]["occurred_at"])


def test_acts_in_an_hour_that_is_new_are_counted_once(rules):
    known = [query(day * 1440, output_classes=["identity"], restriction="point") for day in range(40)]
    acts = [query(40 * 1440 + 840 + n, output_classes=["identity"], restriction="point") for n in (0, 7)]
    finding = told_once(rules, "TIM-05", [*known, *acts])
    assert finding["events"] == 2


def test_acts_of_many_patients_are_counted_as_acts(rules):
    """Patients are many in one statement: the count of acts, its first and its last are those of the days that are told."""

    def look(day, minute, first, count, who="wang"):
        keys = [f"k{number}" for number in range(first, first + count)]
        return query(
            day * 1440 + minute, account=who, person=who, output_classes=["identity"], restriction="set", patient_keys=keys
        )  # fmt: skip

    known = [look(day, 0, 0, 10) for day in range(60)]
    others = [look(day, 1, 0, 20, f"w{number}") for day in range(20, 60) for number in range(4)]
    acts = [look(60, minute, minute * 70, 70) for minute in range(9)]
    acts += [look(60, 30 + minute, 0, 10) for minute in range(3)]  # patients that were seen before
    finding = told_once(rules, "EXF-03b", sorted([*known, *others, *acts], key=lambda event: event["occurred_at"]))
    assert "≥" in finding["why_en"]
    assert finding["events"] == len(acts)
    assert (finding["first_seen"], finding["last_seen"]) == (acts[0]["occurred_at"], acts[-1]["occurred_at"])
