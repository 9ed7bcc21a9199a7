"""volume_drops: a source brings much less than at this hour of like days. A source that is silent is another matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from detectors.checks.hours import HOUR, SOURCE, Works, alike, every_hour, floor, start_of_day, told_of
from detectors.report import Told

LIKE_DAYS = 5  # so many must be known
JUDGED = 24  # hours that are looked at each time: records may come late


def volume_drops(
    hours: pl.DataFrame, now: datetime, numbers: Mapping[str, int], zone: ZoneInfo, works: Works
) -> Iterator[Told]:
    """Two hours together against the same two of like days; one finding a source and local day.

    `numbers`: percent (of the usual, the middle of those days), least (records that are usual, below which nothing is judged).
    """
    pairs = every_hour(hours, now).select(*SOURCE, "hour", pl.col("events").fill_null(0))
    before = pl.when(pl.col("hour").diff().over(SOURCE) == HOUR).then(pl.col("events").shift(1).over(SOURCE))
    pairs = pairs.with_columns(events=pl.col("events") + before).drop_nulls("events")
    low = [_low(pairs, floor(now) - HOUR * back, numbers, zone, works) for back in range(JUDGED, 0, -1)]
    found = pl.concat(low)
    for *source, day, begin, end, measured, usual in (
        found.group_by(*SOURCE, "day", maintain_order=True)
        .agg(pl.col("hour").min(), pl.col("hour").max().alias("end"), pl.col("events").sum(), pl.col("usual").sum())
        .iter_rows()
    ):
        words = {"percent": 100 * measured // max(1, usual), "measured": measured, "usual": usual}
        yield told_of(source, day, first_seen=begin - HOUR, last_seen=end + HOUR, words=words)


def _low(pairs: pl.DataFrame, hour: datetime, numbers: Mapping[str, int], zone: ZoneInfo, works: Works) -> pl.DataFrame:
    like = alike(pairs, hour, zone, works).group_by(SOURCE).agg(
        pl.col("events").median().cast(pl.Int64).alias("usual"), pl.col("events").min().alias("lowest"), pl.len().alias("days")
    )  # fmt: skip
    here = pairs.filter(pl.col("hour") == hour, pl.col("events") > 0).join(like, on=SOURCE)
    few = pl.col("events") * 100 < pl.col("usual") * numbers["percent"]
    judged = (pl.col("days") >= LIKE_DAYS) & (pl.col("usual") >= numbers["least"])
    return here.filter(judged & few & (pl.col("events") < pl.col("lowest"))).select(
        *SOURCE, pl.lit(start_of_day(hour, zone)).alias("day"), "hour", "events", "usual"
    )
