"""Does the record itself have gaps? Sources are judged by what they brought hour by hour over the last weeks.

The hours are counted in the store by a job (`count`), so a restart loses nothing; what is found waits in `Checking` and
goes with the next batch. The rhythm of pauses is asked by the thread that polls (`expected`).
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from detectors.checks.hours import SOURCE_HOURS, Works, floor
from detectors.checks.rhythm import Rhythm, rhythm
from detectors.checks.shares import SHARES, logs_late, share_rises
from detectors.checks.volume import volume_drops
from monitor.checking import Checking
from monitor.store.hot import Store
from monitor.store.hours import count_hours, hours_of


class Continuity:
    """`works`: is a day worked? `count` may run in another thread than `expected`."""

    def __init__(self, checking: Checking, store: Store, zone: ZoneInfo, works: Works) -> None:
        self._checking, self._store = checking, store
        self._zone, self._works = zone, works
        self._hours = pl.DataFrame(schema=SOURCE_HOURS)
        self._rhythm: tuple[datetime, pl.DataFrame, Rhythm] | None = None

    def count(self, now: datetime) -> int:
        """Count the hours that are over and judge them; how many findings there are now."""
        count_hours(self._store, now)
        self._hours = hours = hours_of(self._store)
        checking, found = self._checking, 0
        for rule in checking.rules("volume_drops"):
            found += checking.found(rule, volume_drops(hours, now, rule.numbers, self._zone, self._works))
        for rule in checking.rules("logs_late"):
            found += checking.found(rule, logs_late(hours, now, rule.numbers, self._zone))
        for check in SHARES:
            for rule in checking.rules(check):
                found += checking.found(rule, share_rises(check, hours, now, rule.numbers, self._zone))
        return found

    def rhythm(self, now: datetime) -> Rhythm:
        """Of the hour of `now`."""
        hours, hour = self._hours, floor(now)
        if self._rhythm is None or self._rhythm[0] != hour or self._rhythm[1] is not hours:
            rule = next(iter(self._checking.rules("source_silent")), None)
            known, numbers = (hours, rule.numbers) if rule is not None else (hours.clear(), {"learning_days": 0})
            self._rhythm = hour, hours, rhythm(known, now, numbers, self._zone, self._works)
        return self._rhythm[2]

    def expected(self, source: str, began: datetime, now: datetime) -> int | None:
        """Seconds for which the source may be silent now; None: not learnt yet, or nothing can be said of this silence."""
        return self.rhythm(now).expected(source, began, now)
