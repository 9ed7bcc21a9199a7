"""Which findings are recorded and not told: those that somebody suppressed, and those beyond the budget of a rule and day.

Pure. A finding itself never changes here: what is kept quiet, and why, is a row of HUSHED in the batch's transaction, so it can be
counted, listed and taken back. A day is the local day of the finding's bucket, that is of the events, so old logs have
budgets of their own. The first findings of a day, in order of time and then id, are told with all their revisions;
`Counts` is derived from stored rows alone, so a restart goes on where it was.

Never kept quiet unless that was said: critical findings, and those about the audit itself (AUD).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

import polars as pl

from config.settings import Budget, Settings, Suppression

HUSHED: dict[str, pl.DataType] = {
    "finding_id": pl.String(),
    "revision": pl.UInt32(),
    "rule": pl.String(),
    "severity": pl.String(),
    "reason": pl.String(),  # suppression or budget
    "suppression": pl.String(),  # its id; null: budget
    "day": pl.String(),  # local day of the finding's bucket, 2026-11-11
    "hushed_at": pl.Datetime("us", "UTC"),
}
AUDIT = "AUD"
WORST = "critical"
MOST_OBJECTS = 20  # a finding lists no more: what stands behind them nobody knows
MAX_COUNTS = 10_000  # rules and days remembered; others are asked for again

Finding = Mapping[str, Any]
Day = tuple[str, str]  # rule, local day


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a rule and day: findings that were told within the budget, and whether any went beyond it."""

    told: frozenset[str] = frozenset()
    over: bool = False


@dataclass(frozen=True, slots=True)
class QuietSettings:
    zone: tzinfo = UTC
    suppressions: Mapping[str, Suppression] = field(default_factory=dict)
    per_day: int = 20
    budgets: Mapping[str, Budget] = field(default_factory=dict)

    @staticmethod
    def of(settings: Settings) -> QuietSettings:
        detection = settings.detection
        return QuietSettings(settings.zone, settings.suppressions, detection.budget_per_rule_per_day, detection.budgets)

    def counts_critical(self, rule: str) -> bool:
        """Whether critical findings of a rule use up its budget."""
        named = self.budgets.get(rule) or self.budgets.get(rule.partition("-")[0])
        return named is not None and named.critical

    def budget(self, finding: Finding) -> int | None:
        """How many such findings a day may hold; None: this one is told whatever the number."""
        named = self.budgets.get(finding["rule"]) or self.budgets.get(finding["family"])
        if finding["severity"] == WORST and not (named and named.critical):
            return None
        if finding["family"] == AUDIT and named is None:
            return None
        return named.per_day if named is not None else self.per_day


@dataclass(frozen=True, slots=True)
class Hush:
    """`told`: the findings that may be told. `over`: rules that went quiet for a day now, with one finding of each."""

    told: pl.DataFrame
    hushed: pl.DataFrame
    over: Sequence[tuple[Finding, int]]
    counts: Mapping[Day, Counts]


def decide(
    findings: pl.DataFrame,
    known: Mapping[Day, Counts],
    stored: Callable[[Day], Counts],
    now: datetime,
    settings: QuietSettings,
) -> Hush:
    """For the findings of one batch. `known`: as `counts` of the last batch that was committed; `stored`: for other days."""
    counts = dict(known)
    hushed: list[dict[str, Any]] = []
    over: list[tuple[Finding, int]] = []
    quiet: set[tuple[str, int]] = set()
    for finding in findings.filter("notify").sort("first_seen", "id", "revision").iter_rows(named=True):
        day = (finding["rule"], str(local_day(finding["bucket"], settings.zone)))
        suppression = next(
            (id_ for id_, one in settings.suppressions.items() if fits(one, finding, settings.zone)), None
        )
        if suppression is None:
            budget = settings.budget(finding)
            if budget is None:
                continue
            before = counts.pop(day, None) or stored(day)
            within = finding["id"] in before.told or len(before.told) < budget
            after = Counts(before.told | {finding["id"]}, before.over) if within else replace(before, over=True)
            counts[day] = after  # at the end: the order of the mapping is the order of use
            if within:
                continue
            if not before.over:
                over.append((finding, budget))
        quiet.add((finding["id"], finding["revision"]))
        hushed.append(_row(finding, suppression, day[1], now))
    told = findings if not quiet else findings.filter(
        pl.Series([key not in quiet for key in findings.select("id", "revision").iter_rows()], dtype=pl.Boolean)
    )  # fmt: skip
    return Hush(told, pl.DataFrame(hushed, schema=HUSHED, orient="row"), over, _bounded(counts))


def fits(suppression: Suppression, finding: Finding, zone: tzinfo) -> bool:
    """Whether a suppression covers a finding: everything that it names must be so, and its end lies ahead."""
    if finding["severity"] == WORST and not suppression.critical:
        return False
    if finding["family"] == AUDIT and not suppression.audit:
        return False
    if local_day(finding["last_seen"], zone) > suppression.until:
        return False
    named = (
        (suppression.rules, {finding["rule"], finding["family"]}),
        (suppression.accounts, {finding["account"]}),
        (suppression.people, {finding["person"]}),
        (suppression.vendors, {finding["vendor"]}),
        (suppression.systems, {finding["system"]}),
    )
    if not all(not wanted or found & set(wanted) for wanted, found in named):
        return False
    if suppression.addresses and not _inside(finding["client_ip"], suppression.addresses):
        return False
    return not suppression.objects or _all_objects(finding["objects"], suppression.objects)


def local_day(moment: datetime, zone: tzinfo) -> date:
    return moment.astimezone(zone).date()


def _inside(address: str | None, networks: Iterable[str]) -> bool:
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)


def _all_objects(objects: Sequence[str] | None, patterns: Iterable[str]) -> bool:
    """Every object of the finding is one of those named: a further one was not agreed to."""
    if not objects or len(objects) >= MOST_OBJECTS:
        return False
    lower = [pattern.lower() for pattern in patterns]
    return all(any(fnmatchcase(name.lower(), pattern) for pattern in lower) for name in objects)


def _row(finding: Finding, suppression: str | None, day: str, now: datetime) -> dict[str, Any]:
    return {
        "finding_id": finding["id"],
        "revision": finding["revision"],
        "rule": finding["rule"],
        "severity": finding["severity"],
        "reason": "budget" if suppression is None else "suppression",
        "suppression": suppression,
        "day": day,
        "hushed_at": now,
    }


def _bounded(counts: dict[Day, Counts]) -> Mapping[Day, Counts]:
    for day in list(counts)[: max(0, len(counts) - MAX_COUNTS)]:
        del counts[day]
    return counts
