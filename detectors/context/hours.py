"""Daily hours as three numbers a row: days as bits, first minute, end minute."""

from __future__ import annotations

import polars as pl

from config.values import DAYS, Hours
from detectors.context.calendar import WORKING

HOURS: dict[str, pl.DataType] = {"days": pl.UInt16(), "start": pl.UInt16(), "end": pl.UInt16()}
_ALL = 127


def hours_row(hours: Hours | None) -> dict[str, int | None]:
    """Nulls: no hours are agreed."""
    if hours is None:
        return {"days": None, "start": None, "end": None}
    bits = 0
    for day in hours.days:
        bits |= {"all": _ALL, "working": WORKING}.get(day, 1 << DAYS.index(day) if day in DAYS else 0)
    return {"days": bits, "start": hours.start, "end": hours.end}


def within_hours() -> pl.Expr:
    """True inside days, start, end; needs `minute`, `today` and `before` of the local time. Null where no hours are set.

    Hours over midnight belong to the day they start on; an end equal to the start means the whole day.
    """
    days, start, end, minute = pl.col("days"), pl.col("start"), pl.col("end"), pl.col("minute")
    today, before = (days & pl.col("today")) != 0, (days & pl.col("before")) != 0
    over_midnight = (today & (minute >= start)) | (before & (minute < end))
    return (
        pl.when(days.is_null() | minute.is_null())
        .then(None)
        .when(start == end)
        .then(today)
        .when(start < end)
        .then(today & (minute >= start) & (minute < end))
        .otherwise(over_midnight)
    )
