"""Daily checks: one matter is one finding however often it is looked at; what the register says decides who is behind an account."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from builders import NOON
from check_cases import CASES
from days import REGISTER, Judged, account, day, later, register, worked

from detectors.checks.daily import CHECKS, OVERRUN
from detectors.checks.days import HOLDERS, WORK, holders
from detectors.inventory import ACCOUNTS
from detectors.report import told

STANDING = [
    (rule, name, case) for rule, (yes, _) in CASES.items() for name, case in yes.items() if isinstance(case, Judged)
]
WORDING = {"why_zh", "why_en"}


@pytest.fixture(scope="session")
def checks(rules):
    return {rule.id: rule for rule in rules if rule.block.check is not None}


def rows(rule, one):
    from days import ZONE

    found = CHECKS[rule.block.check](one, rule.numbers)
    told_rows = [told(rule, result, zone=ZONE, notify_from="medium") for result in found]
    return {row["id"]: {key: value for key, value in row.items() if key not in WORDING} for row in told_rows}


def test_every_daily_check_has_a_rule(checks):
    named = {rule.block.check for rule in checks.values()}
    assert {*CHECKS, OVERRUN} <= named


@pytest.mark.parametrize(("rule", "name", "case"), STANDING, ids=[f"{rule}: {name}" for rule, name, _ in STANDING])
def test_the_day_after_it_is_no_news(checks, rule, name, case):
    today, tomorrow = (rows(checks[rule], one) for one in (case.day, later(case.day, 1)))
    assert today
    assert {key: tomorrow.get(key) for key in today} == today


def test_an_account_that_comes_back_is_news(checks):
    rule = checks["ACC-03c"]
    first, again = (
        rows(rule, day(accounts=[account("x", first_read_at=NOON - timedelta(days=back))])) for back in (9, 1)
    )
    assert not first.keys() & again.keys()


def test_a_leaver_who_is_kept_on_and_leaves_again_is_news(checks):
    left = [REGISTER.replace("vendor: wx,", f"vendor: wx, valid: {{to: 2026-11-0{day_}}},", 1) for day_ in (2, 6)]
    first, again = (rows(checks["ACC-02b"], day(accounts=[account()], entries=entries)) for entries in left)
    assert first
    assert again
    assert not first.keys() & again.keys()


def test_a_ticket_that_comes_late_settles_a_change_of_code(checks):
    from check_cases_work import ticket
    from days import change

    (before,) = rows(checks["CHG-05"], day(changes=[change()])).values()
    (after,) = rows(checks["CHG-05"], day(changes=[change()], entries=ticket())).values()
    assert before["id"] == after["id"]
    assert (before["severity"], before["notify"]) == ("medium", True)
    assert (after["severity"], after["notify"]) == ("low", False)


def test_who_stands_behind_an_account():
    told_holders = holders(
        register("""
vendors:
  wx: {contract: {to: 2026-12-31}}
people:
  sun: {vendor: wx, valid: {to: 2026-11-30}, accounts: [{system: [his, lis], account: v_sun}]}
  han: {vendor: wx, accounts: [{system: his, account: v_han}, {system: his, account: ops, shared: true}]}
  li: {department: IT, accounts: [{system: his, account: ops, shared: true}, {system: his, account: li, superuser: true}]}
owners: {pg: {accounts: [{system: his, account: postgres}]}}
""")
    )
    assert dict(told_holders.schema) == HOLDERS
    found = {row[:2]: row[2:] for row in told_holders.iter_rows()}
    assert found["his", "v_sun"] == found["lis", "v_sun"]
    assert found["his", "v_sun"] == ("vendor", "sun", 1, "wx", date(2026, 11, 30), None, False)
    assert found["his", "v_han"] == ("vendor", "han", 1, "wx", date(2026, 12, 31), None, False)
    assert found["his", "ops"] == ("vendor", None, 2, "wx", None, None, False), "one of them has no last day"
    assert found["his", "li"] == ("staff", "li", 1, None, None, None, True)
    assert found["his", "postgres"] == ("owner", None, 1, None, None, None, True)


def test_a_day_without_anything_raises_nothing(checks):
    empty = day(entries="{}")
    assert [name for name, check in CHECKS.items() for rule in checks.values() if rule.block.check == name and list(check(empty, rule.numbers))] == []  # fmt: skip


def test_hostile_names_break_no_text(checks):
    name = "{x}'; DROP\n--"
    for rule in checks.values():
        check = CHECKS.get(rule.block.check)
        if check is not None:
            one = day(accounts=[account(name, superuser=True, audited=False)], work=worked(name, "sun", [150]))
            for result in check(one, rule.numbers):
                assert told(rule, result, zone=one.zone, notify_from="medium")["why_en"]


def test_frames_name_what_inventories_and_the_store_fill():
    assert set(account()) <= {*ACCOUNTS, "first_read_at", "read_at", "gone_at"}
    assert set(worked()[0]) <= set(WORK)
