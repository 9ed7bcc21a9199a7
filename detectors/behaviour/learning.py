"""Learning: for some days after its first event a source teaches what is usual and alarms nobody about what is not.

Rules about single acts and fixed limits run from the first record on; only findings about behaviour wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from detectors.behaviour.tables import BEHAVIOUR_TABLES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_DAYS = 7


class Learning:
    """When each source began, and until which day it is learning."""

    def __init__(self, zone: ZoneInfo, days: int = DEFAULT_DAYS, of_source: Mapping[str, int] | None = None) -> None:
        self._zone = zone
        self._days, self._of_source = days, dict(of_source or {})
        self._first: dict[str, datetime] = {}
        self._ends: dict[str, int] = {}

    def restore(self, rows: pl.DataFrame) -> None:
        for source, first_at in rows.select("source", "first_at").iter_rows():
            self._know(source, first_at)

    def see(self, acts: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
        """What was not known of the sources' beginnings, as rows; and whether one of them lies earlier than was thought."""
        found, earlier = [], False
        for source, first_at in acts.group_by("source").agg(pl.col("occurred_at").min()).iter_rows():
            before = self._ends.get(source)
            if self._know(source, first_at):
                found.append((source, first_at))
                earlier |= before is not None and self._ends[source] != before
        return pl.DataFrame(found, schema=BEHAVIOUR_TABLES["learning_sources"], orient="row"), earlier

    def _know(self, source: str, first_at: datetime) -> bool:
        if source in self._first and self._first[source] <= first_at:
            return False
        self._first[source] = first_at
        self._ends[source] = day_of(first_at, self._zone) + self._of_source.get(source, self._days)
        return True

    def began(self, source: str | None) -> int:
        """Local day of the first event of a source."""
        first = self._first.get(source or "")
        return day_of(first, self._zone) if first is not None else 2**31

    def is_on(self, source: str | None, day: int) -> bool:
        """Is `source` learning on a local day?"""
        return day < self._ends.get(source or "", -(2**31))

    def surely(self, lateness: timedelta | None, newest: Mapping[str, float]) -> dict[str, int]:
        """First day of each source on which it may have learnt, whatever else may still come within the lateness bound."""
        if lateness is None:
            return {}
        ends = {}
        for source, first_at in self._first.items():
            latest = newest.get(source, 0.0) - lateness.total_seconds()
            begin = min(first_at.timestamp(), latest) if latest < first_at.timestamp() else first_at.timestamp()
            ends[source] = day_of(EPOCH + timedelta(seconds=begin), self._zone) + self._of_source.get(
                source, self._days
            )
        return ends

    def days_left(self, now: datetime) -> dict[str, int]:
        """Of every source that was heard: for how many days it goes on learning; 0: it has learnt."""
        today = day_of(now, self._zone)
        return {source: max(0, end - today) for source, end in self._ends.items()}


def day_of(moment: datetime, zone: ZoneInfo) -> int:
    """Local day since 1970-01-01."""
    return (moment.astimezone(zone).date() - EPOCH.date()).days


def start_of(day: int, zone: ZoneInfo) -> datetime:
    """The first moment of a local day."""
    date = EPOCH.date() + timedelta(days=day)
    return datetime(date.year, date.month, date.day, tzinfo=zone).astimezone(UTC)
