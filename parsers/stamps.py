"""Local time to UTC for whole columns. The zone comes from the configuration, never from the log.

An abbreviation such as CST names half a dozen zones; logs that print one are read as if it were not there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

# a year beyond four digits, or before the clock began, is damage: no calendar takes it
_EARLIEST, _LATEST = datetime(1900, 1, 1), datetime(9999, 12, 30)  # noqa: DTZ001 - naive, as the columns compared

_ZONES_KNOWN = datetime(1971, 1, 1)  # noqa: DTZ001 - before, offsets had odd seconds


def in_calendar(time: pl.Expr) -> pl.Expr:
    """A time with a zone, or null where its year is damage."""
    return pl.when(time.dt.year().is_between(_EARLIEST.year, _LATEST.year - 1)).then(time)


def to_utc(naive: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Naive local Datetime to Datetime("us", "UTC").

    An hour that the clock shows twice counts as its first pass (order in the file cannot tell when records of many
    processes mix); a time that the clock skipped counts with the offset before the change, as if nobody had set it.
    """
    # as a column, not as an expression: that would be worked out once for every place where it is used
    naive = naive.cast(pl.Datetime("us"))
    return naive.map_batches(lambda times: _localised(_sane(times), zone.key), return_dtype=pl.Datetime("us", "UTC"))


def local_time(text: pl.Expr, form: str, zone: ZoneInfo) -> pl.Expr:
    """Text of local time in strptime form `form` (chrono's `%`-codes) to UTC; null where it does not fit."""
    return to_utc(text.str.to_datetime(form, time_unit="us", strict=False), zone)


def _sane(times: pl.Series) -> pl.Series:
    """Null where a year is damage."""
    sane = times.is_between(_EARLIEST, _LATEST)
    return times if sane.all() else times.scatter((~sane).arg_true(), None)


def _offset(times: pl.Series, zone: str) -> timedelta | None:
    """The offset that holds for all of `times`; None where they lie far apart or the clock may have been changed.

    No zone changes its offset twice within days, so equal offsets around the times mean one offset.
    """
    first, last = times.min(), times.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    if first < _ZONES_KNOWN or last - first > timedelta(days=3):
        return None
    around = (first - timedelta(days=1), last + timedelta(days=1))
    before, after = (moment.replace(tzinfo=ZoneInfo(zone)).utcoffset() for moment in around)
    return before if before == after else None


def _localised(times: pl.Series, zone: str) -> pl.Series:
    if zone in {"UTC", "Etc/UTC"}:
        return times.dt.replace_time_zone("UTC")
    offset = _offset(times, zone)
    if offset is not None:
        return (times - offset).dt.replace_time_zone("UTC")
    local = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = local.is_null() & times.is_not_null()
    if skipped.any():
        gap = pl.duration(hours=1)
        moved = pl.select(
            (pl.lit(times) - gap).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null") + gap
        )
        local = local.zip_with(~skipped, moved.to_series())
    return local.dt.convert_time_zone("UTC")
