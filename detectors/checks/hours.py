"""What a source brings, hour by hour: the one table that everything about rhythm, volume and shares is judged by.

A row is a source and an hour of UTC. Columns counted by the log's time say when the source speaks; those counted by the
time of reading say how it is read. An hour without records has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from detectors.report import Told
from parsers.events import UTC

HOUR = timedelta(hours=1)
KEPT_DAYS = 36  # five weeks to compare with, and today
SOURCE = ("site", "system", "source")
SOURCE_HOURS: dict[str, pl.DataType] = {
    "site": pl.String(),
    "system": pl.String(),
    "source": pl.String(),
    "hour": UTC,  # its beginning
    # by the log's time; records whose clock is not to be trusted are left out
    "events": pl.Int64(),
    "first_at": UTC,
    "last_at": UTC,
    "pause_seconds": pl.Int64(),  # longest time between records inside the hour, to the minute
    "statements": pl.Int64(),
    "not_understood": pl.Int64(),  # statements that were not understood as a tree
    "truncated": pl.Int64(),  # statements that the log cut
    "moving": pl.Int64(),  # acts that read or change rows
    "counted": pl.Int64(),  # those of which the log tells how many
    # by the time of reading
    "received": pl.Int64(),
    "forgeable": pl.Int64(),
    "rejects": pl.Int64(),
    "least_lag_seconds": pl.Int64(),  # of the record that was read soonest after it happened
}
Works = Callable[[date], bool]  # is it a working day?


def floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def every_hour(hours: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """SOURCE_HOURS from each source's first hour with records to its last before `until`, those without between them too."""
    known = hours.drop_nulls("last_at").filter(pl.col("hour") < floor(until))
    ends = known.group_by(SOURCE).agg(pl.col("hour").min().alias("from"), pl.col("hour").max().alias("to"))
    grid = ends.select(*SOURCE, pl.datetime_ranges("from", "to", "1h").alias("hour")).explode("hour")
    return grid.join(known, on=[*SOURCE, "hour"], how="left").sort(*SOURCE, "hour")


def start_of_day(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC_ZONE)


def alike(hours: pl.DataFrame, now: datetime, zone: ZoneInfo, works: Works, *, around: int = 0) -> pl.DataFrame:
    """The rows of the same hour (and of `around` hours on both sides) of earlier days that are like the day of `now`.

    Working days are compared with working days. `ago`: days back; `same_weekday`: a whole number of weeks back.
    """
    back = ((pl.lit(floor(now)).cast(UTC) - pl.col("hour")).dt.total_hours()).alias("_back")
    rows = hours.with_columns(back).with_columns(ago=((pl.col("_back") + 12) // 24).cast(pl.Int64))
    near = (pl.col("_back") - pl.col("ago") * 24).abs() <= around
    rows = rows.filter(near & (pl.col("ago") >= 1) & (pl.col("ago") < KEPT_DAYS))
    today = now.astimezone(zone).date()
    like = [ago for ago in range(1, KEPT_DAYS) if works(today - timedelta(days=ago)) == works(today)]
    return rows.filter(pl.col("ago").is_in(like)).with_columns(same_weekday=pl.col("ago") % 7 == 0).drop("_back")


def told_of(
    source: Sequence[str],
    bucket: datetime,
    *,
    first_seen: datetime,
    words: Mapping[str, object],
    last_seen: datetime | None = None,
) -> Told:
    """A finding about a source, named by the columns SOURCE."""
    who = dict(zip(SOURCE, source, strict=True))
    return Told(key=tuple(source), bucket=bucket, first_seen=first_seen, last_seen=last_seen, who=who, words=words)
