"""Local time to UTC for whole columns. The zone comes from the configuration, never from the log.

An abbreviation such as CST names half a dozen zones; logs that print one are read as if it were not there.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl


def to_utc(naive: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Naive local Datetime to Datetime("us", "UTC").

    An hour that the clock shows twice counts as its first pass (order in the file cannot tell when records of many
    processes mix); a time that the clock skipped counts with the offset before the change, as if nobody had set it.
    """
    naive = naive.cast(pl.Datetime("us"))
    if zone.key in {"UTC", "Etc/UTC"}:
        return naive.dt.replace_time_zone("UTC")
    return naive.map_batches(lambda times: _localised(times, zone.key), return_dtype=pl.Datetime("us", "UTC"))


def local_time(text: pl.Expr, form: str, zone: ZoneInfo) -> pl.Expr:
    """Text of local time in strptime form `form` (chrono's `%`-codes) to UTC; null where it does not fit."""
    return to_utc(text.str.to_datetime(form, time_unit="us", strict=False), zone)


def _localised(times: pl.Series, zone: str) -> pl.Series:
    local = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = local.is_null() & times.is_not_null()
    if skipped.any():
        gap = pl.duration(hours=1)
        moved = pl.select(
            (pl.lit(times) - gap).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null") + gap
        )
        local = local.zip_with(~skipped, moved.to_series())
    return local.dt.convert_time_zone("UTC")
