"""Which pause is usual for a source at this hour: learnt from its own past, so that nights and weekends do not page.

At any moment the age of a source is the time since its last record. Of every hour the greatest age is known; a pause is
usual as far as it is not greater than such ages around the same hour of like days. A bad day among them teaches
nothing: the greatest are left out.

Where hours of pause are usual (nights, weekends) that alone would page on the first long holiday. There the silence must
also be improbable: an hour went by in which the source always spoke, or many in which it mostly did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from zoneinfo import ZoneInfo

import polars as pl

from detectors.checks.hours import HOUR, KEPT_DAYS, SOURCE, Works, alike, every_hour, floor

AROUND = 1  # hours on both sides
DROPPED = 2  # greatest days left out where there are MANY like days; one of fewer
MANY = 12
WEEKS = 3  # same weekdays that are enough to be judged by themselves
SHORT_SECONDS = 3 * 3600  # pauses up to this are told by their length alone
SURE = 3.5  # surprise at the silence of an hour in which the source has spoken on every like day for four weeks
IMPROBABLE = 9.0  # one in eight thousand


def peaks(hours: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """SOURCE, hour, age_seconds (greatest within the hour) for every hour from a source's first to its last before `until`.

    A silence that lasts is not among them: it teaches nothing of itself.
    """
    rows = every_hour(hours, until)
    before = pl.col("last_at").forward_fill().shift(1).over(SOURCE)
    end = pl.col("hour") + HOUR
    ages = (
        pl.col("first_at") - before,
        end - pl.coalesce("last_at", before),
        pl.duration(seconds=pl.col("pause_seconds")),
    )
    return rows.select(*SOURCE, "hour", pl.max_horizontal(age.dt.total_seconds() for age in ages).alias("age_seconds"))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What is known of the sources at some hour. `usual`: seconds; None: still being learnt."""

    usual: Mapping[str, int | None]
    speaks: Mapping[
        str, Mapping[tuple[bool, int], float]
    ]  # by working day and local hour: surprise at an hour's silence
    zone: ZoneInfo
    works: Works
    days_left: Mapping[str, int]  # for which a source goes on being learnt; 0: it is watched

    def expected(self, source: str, began: datetime, now: datetime) -> int | None:
        """Seconds of silence that are usual at `now` for a silence that began then; None: nothing can be said of it."""
        usual = self.usual.get(source)
        if usual is None or usual <= SHORT_SECONDS or (now - began).total_seconds() <= usual:
            return usual
        rates, surprise, hour = self.speaks.get(source, {}), 0.0, max(began, now - timedelta(days=KEPT_DAYS))
        while hour < now and surprise < IMPROBABLE:
            end = min(floor(hour) + HOUR, now)
            local = hour.astimezone(self.zone)
            rate = rates.get((self.works(local.date()), local.hour), 0.0)
            surprise += IMPROBABLE if rate >= SURE and end - hour == HOUR else rate * ((end - hour) / HOUR)
            hour = end
        return usual if surprise >= IMPROBABLE else None


def rhythm(hours: pl.DataFrame, now: datetime, numbers: Mapping[str, int], zone: ZoneInfo, works: Works) -> Rhythm:
    """SOURCE_HOURS -> what is usual in the hour of `now`.

    `numbers`: learning_days, least_minutes (no shorter pause is told), percent (of the greatest age that is usual).
    """
    first = dict(hours.drop_nulls("last_at").group_by("source").agg(pl.col("hour").min()).iter_rows())
    ends = {name: hour + timedelta(days=numbers["learning_days"]) for name, hour in first.items()}
    days_left = {name: max(0, -((now - end) // timedelta(days=1))) for name, end in ends.items()}
    learnt = [name for name, end in ends.items() if now >= end]
    ages = peaks(hours.filter(pl.col("source").is_in(learnt)), now)
    daily = (
        alike(ages, now, zone, works, around=AROUND)
        .group_by("source", "ago", "same_weekday")
        .agg(pl.col("age_seconds").max())
        .drop_nulls("age_seconds")
    )
    usual: dict[str, int | None] = dict.fromkeys(first)
    for (source,), mine in daily.partition_by("source", as_dict=True).items():
        greatest = max(
            _without_greatest(mine["age_seconds"], DROPPED if mine.height >= MANY else 1),
            _without_greatest(mine.filter("same_weekday")["age_seconds"], 1, least=WEEKS),
        )
        usual[str(source)] = max(greatest * numbers["percent"] // 100, numbers["least_minutes"] * 60)
    return Rhythm(usual, _speaks(ages, hours, zone, works), zone, works, days_left)


def _speaks(
    ages: pl.DataFrame, hours: pl.DataFrame, zone: ZoneInfo, works: Works
) -> dict[str, dict[tuple[bool, int], float]]:
    """-ln of how often nothing came in such an hour; no hour is quite sure to bring something."""
    told = hours.filter(pl.col("events") > 0).select(*SOURCE, "hour", spoke=pl.lit(value=True))
    local = pl.col("hour").dt.convert_time_zone(zone.key)
    rows = ages.join(told, on=[*SOURCE, "hour"], how="left").with_columns(_day=local.dt.date(), _hour=local.dt.hour())
    working = {day: works(day) for day in rows["_day"].unique()}
    shares = rows.with_columns(_works=pl.col("_day").replace_strict(working, return_dtype=pl.Boolean)).group_by(
        "source", "_works", "_hour"
    ).agg(silent=(pl.col("spoke").is_null().sum() + 0.5) / (pl.len() + 1))  # fmt: skip
    found: dict[str, dict[tuple[bool, int], float]] = {}
    for source, worked, hour, silent in shares.iter_rows():
        found.setdefault(source, {})[worked, hour] = -log(silent)
    return found


def _without_greatest(values: pl.Series, dropped: int, *, least: int = 2) -> int:
    """The greatest of what is left; 0 where there are too few to leave one out."""
    if len(values) < max(least, dropped + 1):
        return 0
    return int(values.sort(descending=True)[dropped])
