"""One day for the daily checks, from a few words: accounts and work are ordinary unless a case says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from builders import NOON

from config.loader import register_within
from config.register import Register
from config.yaml12 import documents_of
from detectors.checks.daily import CHECKS
from detectors.checks.days import ACTS, STATISTICS, WORK, Day
from detectors.inventory import ACCOUNTS_KEPT, CHANGES
from detectors.report import Told
from detectors.rules import Rule

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 11, 11)
LONG_AGO = NOON - timedelta(days=150)
REGISTER = """
vendors:
  wx: {name: 万欣, tier: A, contract: {from: 2026-01-01, to: 2026-12-31}}
people:
  sun: {name: 孙工, vendor: wx, accounts: [{system: his, account: v_sun}]}
  li: {department: 信息科, accounts: [{system: his, account: li}]}
services:
  app: {accounts: [{system: his, account: svc_app}]}
owners:
  pg: {accounts: [{system: his, account: postgres}]}
"""


@lru_cache(maxsize=64)
def register(text: str = REGISTER) -> Register:
    return register_within(documents_of("register.yaml", text)[0], ZONE)


def account(name: str = "v_sun", **columns: Any) -> dict[str, Any]:
    """Open, ending with the contract, there for long, audited."""
    row: dict[str, Any] = {
        "system": "his", "account": name, "can_login": True, "superuser": False, "roles": [], "expires": True,
        "valid_until": datetime(2026, 12, 31, 16, tzinfo=UTC), "locked": False, "audited": True,
        "first_read_at": LONG_AGO, "read_at": NOON, "gone_at": None,
    }  # fmt: skip
    assert set(columns) <= set(ACCOUNTS_KEPT)
    return row | columns


def worked(
    name: str = "v_sun", person: str | None = "sun", days_ago: Iterable[int] = (0,), **columns: Any
) -> list[dict[str, Any]]:
    """A row a day: ten acts of a vendor's person, or of nobody's account where there is none."""
    rows = []
    for back in days_ago:
        at = NOON - timedelta(days=back)
        row = {
            "system": "his", "account": name, "person": person, "vendor": "wx" if person else None,
            "actor_kind": "vendor" if person else "service", "day": TODAY - timedelta(days=back), "acts": 10, "failed": 0,
            "privileged": 0, "written": 0, "altered": 0, "backups": 0, "first_at": at, "last_at": at,
        }  # fmt: skip
        assert set(columns) <= set(WORK)
        rows.append(row | columns)
    return rows


SEEN_LONG = worked("svc_app", None, [159])  # the log of the system reaches back


def change(name: str = "his.public.p()", **columns: Any) -> dict[str, Any]:
    row = {
        "read_at": NOON, "previous_at": NOON - timedelta(days=1), "system": "his", "thing": "code", "name": name,
        "change": "changed", "field": "digest", "before": "a", "after": "b",
    }  # fmt: skip
    return row | columns


def counted(at: datetime, shape: str = "s1", number: int = 0) -> dict[str, Any]:
    return {
        "system": "his", "account": "svc_app", "shape_id": shape, "occurred_at": at, "event_id": f"e-{at:%d%H%M}-{shape}-{number}",
    }  # fmt: skip


def act(minutes: float, **columns: Any) -> dict[str, Any]:
    """An act of the vendor's person in one session, so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    row = {
        "system": "his", "account": "v_sun", "person": "sun", "vendor": "wx", "source": "audit", "session": "1.a", "ticket": None,
        "occurred_at": at, "event_id": f"e-{minutes}",
    }  # fmt: skip
    return row | columns


def acts(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ACTS, orient="row")


def day(
    *,
    accounts: Iterable[Mapping[str, Any]] = (),
    work: Iterable[Mapping[str, Any]] = (),
    changes: Iterable[Mapping[str, Any]] = (),
    statistics: Iterable[Mapping[str, Any]] = (),
    entries: str = REGISTER,
    now: datetime = NOON,
) -> Day:
    return Day(
        "h1", now, ZONE, register(entries),
        pl.DataFrame(list(accounts), schema=ACCOUNTS_KEPT, orient="row"),
        pl.DataFrame(list(changes), schema=CHANGES, orient="row"),
        pl.DataFrame(list(work), schema=WORK, orient="row"),
        pl.DataFrame(list(statistics), schema=STATISTICS, orient="row"),
    )  # fmt: skip


def later(one: Day, days: int) -> Day:
    """The same facts, looked at so many days later."""
    return replace(one, now=one.now + timedelta(days=days))


@dataclass(frozen=True)
class Judged:
    """A case: what the rule's own check finds on a day."""

    day: Day

    def __call__(self, rule: Rule) -> Iterable[Told]:
        return CHECKS[str(rule.block.check)](self.day, rule.numbers)


judged = Judged
