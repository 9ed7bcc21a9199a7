"""What each source brought, hour by hour: counted from the stored events, again while records come late, never twice."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import polars as pl
from building import START, events

from config.rulefiles import read_rules
from config.settings import Settings
from detectors.checks.hours import SOURCE_HOURS
from detectors.rules import compile_rules
from monitor.checking import Checking
from monitor.continuity import Continuity
from monitor.store.hot import Batch, Store
from monitor.store.hours import count_hours, hours_of, last_received

HOUR = timedelta(hours=1)
ZONE = ZoneInfo("Asia/Shanghai")


def minutes(*at: float, start: int = 0, lag: float = 1.0, **columns) -> pl.DataFrame:
    """An event at each of these minutes after START, read `lag` seconds later."""
    told = [START + timedelta(minutes=minute) for minute in at]
    frame = events(len(at), start=start, **({"clock_trusted": True, "record_role": "main"} | columns))
    times = pl.Series(told, dtype=pl.Datetime("us", "UTC"))
    return frame.with_columns(occurred_at=times, received_at=times + timedelta(seconds=lag))


def commit(store: Store, *parts: pl.DataFrame, rejects: pl.DataFrame | None = None) -> None:
    whole = pl.concat(parts)
    newest = whole["received_at"].max() if whole.height else START
    store.commit(Batch(received_at=newest, events=whole, rejects=rejects))


def rejects(count: int, minute: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "site": "renmin", "system": "his", "source": "audit", "file": "a", "format": "toy", "generation": "0",
            "position": list(range(count)), "length": 3, "reason": "odd", "text": "x",
            "received_at": [START + timedelta(minutes=minute)] * count,
        }
    )  # fmt: skip


def test_an_hour_is_counted_from_its_events(store: Store):
    told = {"rows_kind": "known", "rows": 4}
    commit(
        store,
        minutes(1, 2, 20, start=0, **told),
        minutes(50, start=10, rows_kind="unknown", truncated=True, understood="lexical"),
        minutes(59.5, start=20, lag=300, record_role="part", forgeable=True),
        minutes(61, start=30, shape_id=None, statement=None, understood=None),
        minutes(90, start=40, clock_trusted=False),
        rejects=rejects(3, 10),
    )
    count_hours(store, START + 2 * HOUR)
    first, second = hours_of(store).sort("hour").to_dicts()
    wanted = {
        "site": "renmin", "system": "his", "source": "audit", "hour": START, "events": 5,
        "first_at": START + timedelta(minutes=1), "last_at": START + timedelta(minutes=59.5), "pause_seconds": 1800,
        "statements": 4, "not_understood": 1, "truncated": 1, "moving": 4, "counted": 3,
        "received": 4, "forgeable": 0, "rejects": 3, "least_lag_seconds": 1,
    }  # fmt: skip
    assert first == wanted
    assert second["events"] == 1
    assert second["received"] == 3
    assert second["forgeable"] == 1
    assert second["statements"] == 0
    assert set(first) == set(SOURCE_HOURS)


def test_the_hour_that_runs_is_not_counted_and_late_records_are(store: Store):
    commit(store, minutes(1, 61))
    count_hours(store, START + HOUR)
    assert hours_of(store)["events"].to_list() == [1]
    commit(store, minutes(3, start=100, lag=7000))  # two hours late
    for _ in range(2):
        count_hours(store, START + 2 * HOUR)
        assert hours_of(store).sort("hour")["events"].to_list() == [2, 1]
    store.reopen()
    assert hours_of(store).sort("hour")["events"].to_list() == [2, 1]


def test_what_was_stored_before_is_counted_at_once_and_old_hours_go(store: Store):
    commit(store, *(minutes(day * 1440, start=day * 10) for day in range(0, 50, 7)))
    count_hours(store, START + timedelta(days=50))
    kept = hours_of(store).sort("hour")
    assert kept.height == 6  # of the last 36 days
    assert kept["events"].to_list() == [1] * 6
    count_hours(store, START + timedelta(days=58))
    assert hours_of(store)["hour"].min() == START + timedelta(days=28)


def test_when_a_source_brought_something_last(store: Store):
    commit(store, minutes(1, 9), minutes(3, start=50, source="other"))
    assert last_received(store, START) == {
        "audit": START + timedelta(minutes=9, seconds=1),
        "other": START + timedelta(minutes=3, seconds=1),
    }
    assert last_received(store, START + timedelta(minutes=5)).keys() == {"audit"}


def test_a_jump_of_rejects_is_told_once_and_again_after_a_restart(store: Store):
    """From stored events to the finding: ordinary days, then a day of rejects."""
    settings = Settings.model_validate(
        {"site": {"id": "renmin", "name": "人民医院"}, "sources": {"audit": {"system": "his", "path": "/a", "format": "vsftpd_native"}}}
    )  # fmt: skip
    rules = [rule for rule in compile_rules(read_rules()) if rule.block.check is not None]
    ordinary = [minutes(*(day * 1440 + minute for minute in range(0, 1440, 30)), start=day * 1000) for day in range(8)]
    commit(store, *ordinary, rejects=rejects(40, 8 * 1440 - 700))
    now = START + timedelta(days=8)

    def told() -> pl.DataFrame:
        checking = Checking(rules, settings)
        Continuity(checking, store, ZONE, lambda day: day.weekday() < 5).count(now)
        return checking.news()

    found, again = told(), told()
    assert found["rule"].to_list() == ["SRC-03"]
    assert found["source"].to_list() == ["audit"]
    assert "40" in found["why_en"][0]
    assert again.drop("revision").equals(found.drop("revision"))
