"""Every check: at least three cases that must be told and three that must not; and what becomes of them."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from builders import NOON
from check_cases import CASES, ZONE, hours, silences, works

from detectors.checks.rhythm import rhythm
from detectors.checks.shares import share_rises
from detectors.findings import FINDINGS
from detectors.report import told

FIRES = [(rule, name, case) for rule, (yes, _) in CASES.items() for name, case in yes.items()]
QUIET = [(rule, name, case) for rule, (_, no) in CASES.items() for name, case in no.items()]


@pytest.fixture(scope="session")
def checks(rules):
    return {rule.id: rule for rule in rules if rule.block.check is not None}


def rows(rule, results):
    zone = ZoneInfo("Asia/Shanghai")
    found = [told(rule, result, zone=zone, notify_from="medium") | {"revision": 1} for result in results]
    return pl.DataFrame(found, schema=FINDINGS, orient="row")


@pytest.mark.parametrize(("rule", "name", "case"), FIRES, ids=[f"{r}: {n}" for r, n, _ in FIRES])
def test_must_be_told(checks, rule, name, case):
    found = rows(checks[rule], case(checks[rule]))
    assert found.height
    assert found["notify"].all() or checks[rule].staged or "low" in found["severity"]
    assert "{" not in "".join([*found["why_zh"], *found["why_en"]]), "every word of the texts is given"


@pytest.mark.parametrize(("rule", "name", "case"), QUIET, ids=[f"{r}: {n}" for r, n, _ in QUIET])
def test_must_not_be_told(checks, rule, name, case):
    assert not list(case(checks[rule]))


def test_every_check_has_cases(checks):
    assert set(checks) == set(CASES)
    assert all(len(yes) >= 3 and len(no) >= 3 for yes, no in CASES.values())


def test_one_silence_is_one_finding(checks):
    first, later = (rows(checks["SRC-01"], silences(60)(None)) for _ in range(2))
    assert first["id"][0] == later["id"][0]
    assert first["first_seen"][0] == NOON - timedelta(minutes=60)
    assert first["why_en"][0].startswith("No record for 60 minutes, usually at most 30. likelihood 4 (rule) = 4; ")


def test_a_source_says_how_long_its_rhythm_is_learnt(checks):
    def left(days):
        return rhythm(hours(days=days), NOON, checks["SRC-01"].numbers, ZONE, works).days_left["audit"]

    assert [left(days) for days in (1, 10, 13, 14, 20)] == [13, 4, 1, 0, 0]


def test_what_is_told_of_a_day_does_not_depend_on_when_one_looks(checks):
    """A restart, or a look an hour later, tells the same finding under the same id."""
    known = hours(lambda back: {"rejects": 300} if back <= 12 else {})
    found = [
        rows(checks["SRC-03"], share_rises("records_refused", known, NOON + later, checks["SRC-03"].numbers, ZONE))
        for later in (timedelta(), timedelta(hours=1), timedelta(hours=20))
    ]
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
