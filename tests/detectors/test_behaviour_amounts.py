"""Amounts against norms: findings depend neither on cuts, nor on restarts, nor on the order of files; and what norms are."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from histories import cut, histories, living, run
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.behaviour import norms
from detectors.behaviour.sketches import Sketches, distinct
from detectors.behaviour.tables import MOST

RULES = ("EXF-02c", "EXF-02d", "EXF-03b", "XFR-05b", "TIM-05", "TIM-06", "TIM-07", "VND-07")


@pytest.fixture(scope="module")
def of(rules):
    return {rule.id: rule for rule in rules}


@pytest.mark.parametrize("name", RULES)
def test_cuts_restarts_order_and_lateness_change_nothing(of, name):
    rule, rng = of[name], random.Random(name)
    for sentence, events in list(histories(name).items())[:2]:
        whole = living(run(rule, [events], lateness=None))
        assert whole, sentence
        parts = cut(events, [rng.randrange(events.height + 1) for _ in range(6)])
        assert living(run(rule, parts, restart=lambda number: number % 3 == 1)) == whole, sentence
        rng.shuffle(parts)
        assert living(run(rule, parts, lateness=None, restart=lambda number: number % 2 == 1)) == whole, sentence
        # two logs of one hospital: one is read as it is written, the other a day later
        late = pl.Series([rng.random() < 0.3 for _ in range(events.height)])
        read = events.with_columns(
            arrival=pl.when(late).then(pl.col("occurred_at") + timedelta(hours=24)).otherwise("occurred_at")
        ).sort("arrival", "event_id")
        slices = [read.drop("arrival")[n : n + 40] for n in range(0, read.height, 40)]
        assert living(run(rule, slices)) == whole, sentence


def test_all_three_numbers_stand_in_the_finding(of):
    found = living(run(of["EXF-02c"], [histories("EXF-02c")["ten times the usual day"]], lateness=None))
    (one,) = found
    assert "3000 rows" in one["why_en"]
    assert "30 days with reads within 84, median 300, line 522" in one["why_en"]
    assert "95 % of the days of 4 others stay at 500" in one["why_en"]
    assert "floor: 2000" in one["why_en"]
    assert (one["severity"], one["rows"], one["events"]) == ("medium", 3000, 1)


def test_without_peers_it_is_less_likely(of):
    (one,) = living(run(of["EXF-02c"], [histories("EXF-02c")["nobody to compare with"]], lateness=None))
    assert (one["likelihood"], one["impact"]) == (2, 4)
    assert "too few peers to compare with" in one["why_en"]


def test_a_finding_is_withdrawn_when_older_records_show_that_it_is_usual(of):
    events = histories("EXF-02c")["what the person reads every day"]
    today = events["occurred_at"].max()
    mine = pl.col("account") == "zhou"
    before = events.filter(mine & (pl.col("occurred_at") < today - timedelta(days=1)))
    presence = before.with_columns(output_classes=pl.lit([], pl.List(pl.String)), rows=pl.lit(1, pl.Int64))
    first = pl.concat([presence, events.filter(~mine | (pl.col("occurred_at") == today))]).sort("occurred_at")
    again = before.with_columns(pl.col("event_id") + "x")
    told = run(of["EXF-02c"], [first, again], lateness=None)
    assert [frame.height for frame in told] == [1, 1]
    assert living(told) == []
    assert "Withdrawn" in told[1]["why_en"][0]


@settings(max_examples=30, deadline=None)
@given(days=st.lists(st.integers(1, 10**9), max_size=90), large=st.lists(st.integers(10**12, 10**13), max_size=20))
def test_days_far_above_do_not_raise_the_line(days, large):
    """As long as they are fewer than the others."""
    middle, line = norms.own(np.array(days, np.int64), 5)
    assert 0 <= middle <= line
    few = large[: max(0, (len(days) - norms.LEAST_DAYS) // 3)]
    after, raised = norms.own(np.array(days + few, np.int64), 5)
    assert after <= max(days, default=0)
    assert raised <= 10**11


# -- patients ----------------------------------------------------------------------------------------------------------


def test_few_patients_are_counted_exactly_and_many_nearly():
    rng = np.random.default_rng(7)
    for count in (0, 1, 10, 23, 40, 400):
        sketches = Sketches()
        for day in range(30):
            items = rng.integers(1, 2**32, count, np.uint64)
            sketches.add(np.full(count, 5 << 32, np.uint64), items, np.full(count, day))
        told, exact = distinct(sketches.days(5 << 32, 0, 29))
        assert exact == (count < MOST)
        assert told == pytest.approx(30 * count, rel=0 if exact else 0.12)
        for before in (0, 20):  # days that are over are packed, and opened again for a record that comes late
            sketches.forget(0, before)
            assert distinct(sketches.days(5 << 32, 0, 29)) == (told, exact)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 60)), max_size=200), st.randoms())
def test_sketches_do_not_depend_on_order_or_packing(seen, rng):
    def made(rows, cuts):
        sketches = Sketches()
        for part in cuts(rows):
            who, days, items = (np.array(column, np.uint64) for column in zip(*part, strict=True))
            sketches.add(who << np.uint64(32), items * np.uint64(71582788), days.astype(np.int64))
            sketches.forget(0, rng.randrange(4))
        ends = [(one, first) for one in (1, 2, 3) for first in (0, 1)]
        counts = [sketches.counts(np.array([1, 2, 3], np.uint64) << np.uint64(32), day).tolist() for day in range(3)]
        return (
            [distinct(sketches.days(one << 32, first, 2)) for one, first in ends],
            sketches.seen(0, 2).tolist(),
            counts,
        )

    shuffled = rng.sample(seen, len(seen))
    whole = made(seen, lambda rows: [rows] if rows else [])
    assert made(shuffled, lambda rows: [rows[n : n + 7] for n in range(0, len(rows), 7)]) == whole


def test_a_slow_drip_says_how_long_and_against_what(of):
    found = living(
        run(of["EXF-03b"], [histories("EXF-03b")["forty-five other patients a day for a month"]], lateness=None)
    )
    last = max(found, key=lambda one: one["last_seen"])
    assert (
        "different patients within 30 days. Own spans of that length before: 10; 95 % of 4 peers stay at 20 or below; floor: 1200"
        in last["why_en"]
    )
    assert last["why_en"].startswith("≈≥1200 different")
    assert (last["severity"], len(last["evidence"]) > 0) == ("medium", True)


@pytest.mark.parametrize(
    ("date", "turns"),
    [("2026-09-28", False), ("2026-09-29", True), ("2026-10-03", True), ("2026-10-04", False), ("2027-02-27", True)],
)
def test_the_turn_of_a_month_is_five_days(date, turns):
    day = (datetime.fromisoformat(date) - datetime(1970, 1, 1)).days
    assert norms.turn_of_month(day) is turns


def test_few_days_are_filled_up_with_none():
    assert norms.own(np.array([900, 900], np.int64), 5) == (0, 0)
    assert norms.own(np.array([900, 900, 900], np.int64), 5)[0] == 900
