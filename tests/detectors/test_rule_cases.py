"""Every shipped rule: at least two cases that must fire and two that must not."""

import pytest
from builders import NOON, frame
from rule_cases import CASES

from detectors.engine import Engine

FIRES = [(rule, name, events) for rule, (yes, _) in CASES.items() for name, events in yes.items()]
QUIET = [(rule, name, events) for rule, (_, no) in CASES.items() for name, events in no.items()]


def raised(rules, events):
    return set(Engine(rules).observe(frame(*events), NOON).findings["rule"])


@pytest.mark.parametrize(("rule", "name", "events"), FIRES, ids=[f"{r}: {n}" for r, n, _ in FIRES])
def test_must_fire(rules, rule, name, events):
    assert rule in raised([r for r in rules if r.id == rule], events)


@pytest.mark.parametrize(("rule", "name", "events"), QUIET, ids=[f"{r}: {n}" for r, n, _ in QUIET])
def test_must_not_fire(rules, rule, name, events):
    assert rule not in raised([r for r in rules if r.id == rule], events)


def test_every_rule_has_cases(rules):
    assert {rule.id for rule in rules} == set(CASES)
    assert all(len(yes) >= 2 and len(no) >= 2 for yes, no in CASES.values())
