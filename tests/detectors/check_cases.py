"""What each check must and must not raise: rule -> (sentences that must, sentences that must not), each with what the check returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from zoneinfo import ZoneInfo

import check_cases_accounts
import check_cases_work
import polars as pl
from builders import NOON

from detectors.checks.hours import SOURCE_HOURS
from detectors.checks.own_changes import monitor_changed
from detectors.checks.rhythm import rhythm
from detectors.checks.shares import logs_late, share_rises
from detectors.checks.silence import SOURCES, silent
from detectors.checks.volume import volume_drops
from detectors.report import Told
from detectors.rules import Rule

Case = Callable[[Rule], Iterable[Told]]


def source(minutes_ago, usual=30, **columns):
    row = {"site": "h1", "system": "his", "source": "audit", "since": NOON - timedelta(days=1)}
    row |= {"last_at": NOON - timedelta(minutes=minutes_ago), "expected_silence_seconds": usual * 60, "learnt": False}
    return pl.DataFrame([row | columns], schema=SOURCES)


def silences(minutes_ago, usual=30, **columns) -> Case:
    return lambda _: silent(source(minutes_ago, usual, **columns), NOON)


ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 28  # of which hours are known; NOON is a Wednesday, 12:00 in Shanghai


def works(day) -> bool:
    return day.weekday() < 5


def ordinary(hour, **columns):
    """An hour of a source that speaks all the time, more by day than by night and on days off."""
    local = hour.astimezone(ZONE)
    busy = works(local.date()) and 8 <= local.hour < 18
    events = 1000 if busy else 300
    row = {"site": "h1", "system": "his", "source": "audit", "hour": hour, "events": events, "first_at": hour}
    row |= {
        "last_at": hour + timedelta(minutes=59),
        "pause_seconds": 120,
        "statements": events,
        "not_understood": events // 50,
    }
    row |= {
        "truncated": 1,
        "moving": events,
        "counted": events * 9 // 10,
        "received": events,
        "forgeable": 0,
        "rejects": 0,
    }
    return row | {"least_lag_seconds": 1} | columns


def hours(change=lambda _: {}, days=DAYS):
    """The hours of some days before NOON. `change`: by the number of hours back, columns that are not ordinary; None: no record."""
    rows = []
    for back in range(days * 24, 0, -1):
        columns = change(back)
        if columns is not None:
            rows.append(ordinary(NOON - timedelta(hours=back), **columns))
    return pl.DataFrame(rows, schema=SOURCE_HOURS)


def today(**columns):
    """Since local midnight."""
    return hours(lambda back: columns if back <= 12 else {})


def by_day(hour):
    """A source of office hours: nothing by night and on days off."""
    local = (NOON - timedelta(hours=hour)).astimezone(ZONE)
    return {} if works(local.date()) and 8 <= local.hour < 18 else None


def learnt(known, last, now=NOON) -> Case:
    """A silence since `last` of a source whose rhythm is learnt from `known`, looked at `now`."""

    def case(rule):
        expected = rhythm(known, now, rule.numbers, ZONE, works).expected("audit", last, now)
        row = {
            "last_at": last,
            "since": NOON - timedelta(days=90),
            "expected_silence_seconds": expected,
            "learnt": True,
        }
        return silent(source(0, **row), now)

    return case


def share(check, known) -> Case:
    return lambda rule: share_rises(check, known, NOON, rule.numbers, ZONE)


def drop(known) -> Case:
    return lambda rule: volume_drops(known, NOON, rule.numbers, ZONE, works)


def late(known) -> Case:
    return lambda rule: logs_late(known, NOON, rule.numbers, ZONE)


def ago(**delta):
    return NOON - timedelta(**delta)


def changed(at=NOON, **after) -> Case:
    before = {"rules": "a" * 32, "configuration": "b" * 32}
    return lambda _: monitor_changed("h1", before, at, before | after)


def rises(check, odd, *, few=None):
    """Cases that hold for every share. `odd`: columns of an hour of today that must be told."""
    name = next(iter(odd))
    some = few or {name: 1}
    return (
        {
            "since midnight": share(check, today(**odd)),
            "for some hours": share(check, hours(lambda back: odd if back <= 4 else {})),
            "on days off the share is the same": share(
                check, hours(lambda back: odd if back <= 12 else {"events": 500})
            ),
            "yesterday, and the day is over": share(check, hours(lambda back: odd if 12 < back <= 24 else {})),
        },
        {
            "a day like any other": share(check, hours()),
            "one or two": share(check, hours(lambda back: some if back == 1 else {})),
            "it has been so for two weeks": share(check, hours(lambda _: odd)),
            "it was so for a day last week": share(
                check, hours(lambda back: odd if back <= 12 or 150 < back <= 174 else {})
            ),
            "the source is three days old": share(check, hours(lambda back: odd if back <= 12 else {}, days=3)),
            "nothing is known": share(check, hours().clear()),
        },
    )


CASES: dict[str, tuple[dict[str, Case], dict[str, Case]]] = {
    "SRC-01": (
        {
            "a source that was silent for an hour": silences(60),
            "a source that never spoke": silences(0, last_at=None),
            "a minute more than usual": silences(31),
            "learnt: half an hour at noon": learnt(hours(), ago(minutes=30)),
            "learnt: an hour by night": learnt(hours(), ago(hours=10), ago(hours=9)),
            "learnt: office hours have begun and nothing came": learnt(
                hours(lambda back: by_day(back) if back > 12 else None), ago(hours=18), ago(hours=2)
            ),
            "learnt: an outage last week taught nothing": learnt(
                hours(lambda back: None if 160 <= back <= 172 else {}), ago(minutes=30)
            ),
        },
        {
            "a source that spoke just now": silences(1),
            "exactly the usual silence": silences(30),
            "no silence is usual for it": silences(600, expected_silence_seconds=None),
            "it was not watched meanwhile": silences(60, since=NOON - timedelta(minutes=20)),
            "learnt: ten minutes at noon": learnt(hours(), ago(minutes=10)),
            "learnt: the night of a source of office hours": learnt(hours(by_day), ago(hours=18), ago(hours=5)),
            "learnt: its weekend": learnt(hours(by_day), ago(days=4, hours=18), ago(days=3)),
            "learnt: the Monday after it, before work": learnt(
                hours(lambda back: by_day(back) if back > 60 else None), ago(days=4, hours=18), ago(days=2, hours=5)
            ),
            "learning: the source is ten days old": learnt(hours(days=10), ago(hours=3)),
        },
    ),
    "AUD-06": (
        {
            "a rule was edited": changed(rules="c" * 32),
            "a person was added to the register": changed(configuration="c" * 32),
            "an upgrade with other rules and other settings": changed(rules="c" * 32, configuration="d" * 32),
        },
        {
            "started again as it was": changed(),
            "the first batch of a new store": changed(at=None, rules="c" * 32),
            "what was not told before cannot have changed": lambda _: monitor_changed(
                "h1", {"rules": ""}, NOON, {"rules": "c", "configuration": "d"}
            ),
        },
    ),
    "SRC-02": (
        {
            "a tenth since the morning": drop(hours(lambda back: {"events": 100} if back <= 4 else {})),
            "two hours at less than half": drop(hours(lambda back: {"events": 400} if back <= 2 else {})),
            "by night": drop(hours(lambda back: {"events": 30} if 6 <= back <= 9 else {})),
            "a bad day last week is no excuse": drop(
                hours(lambda back: {"events": 400} if back <= 2 else {"events": 900} if 165 < back < 175 else {})
            ),
        },
        {
            "a day like any other": drop(hours()),
            "a little less": drop(hours(lambda back: {"events": 600} if back <= 4 else {})),
            "silent is another rule": drop(hours(lambda back: None if back <= 4 else {})),
            "one slow hour": drop(hours(lambda back: {"events": 300} if back == 2 else {})),
            "it was as low on a day like this": drop(
                hours(lambda back: {"events": 400} if back <= 2 or 168 < back <= 172 else {})
            ),
            "days off are compared with days off": drop(
                hours(lambda back: {} if by_day(back) is not None else {"events": 40})
            ),
            "a source that brings little": drop(hours(lambda back: {"events": 2} if back <= 4 else {"events": 50})),
            "the source is three days old": drop(hours(lambda back: {"events": 10} if back <= 4 else {}, days=3)),
        },
    ),
    "SRC-03": rises("records_refused", {"rejects": 200}),
    "SRC-03b": rises("statements_not_understood", {"not_understood": 300}),
    "AUD-04c": rises("statements_cut", {"truncated": 100}),
    "AUD-08": rises("rows_untold", {"counted": 0}, few={"counted": 800}),
    "AUD-09b": rises("records_forgeable", {"forgeable": 60}),
    "AUD-05e": (
        {
            "a clock set back by an hour": late(hours(lambda back: {"least_lag_seconds": 3600} if back <= 3 else {})),
            "five minutes behind for a day": late(today(least_lag_seconds=300)),
            "later than ever, of a log that always comes late": late(
                hours(lambda back: {"least_lag_seconds": 4000 if back <= 3 else 900})
            ),
        },
        {
            "read at once": late(hours()),
            "one hour of backlog": late(hours(lambda back: {"least_lag_seconds": 3600} if back == 2 else {})),
            "a log that always comes late": late(hours(lambda _: {"least_lag_seconds": 3600})),
            "a minute": late(today(least_lag_seconds=60)),
            "few records": late(today(least_lag_seconds=3600, received=5)),
            "the source is three days old": late(
                hours(lambda b: {"least_lag_seconds": 3600} if b <= 3 else {}, days=3)
            ),
        },
    ),
    **check_cases_accounts.CASES,
    **check_cases_work.CASES,
}
