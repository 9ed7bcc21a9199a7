"""What share of a source's records is odd, against the same share of the days before: refused, cut, not understood ...

A day is compared with the days before it, and its figures become part of what is usual for the next: so a change is told
once and does not go on for weeks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from detectors.checks.hours import SOURCE, floor, start_of_day, told_of
from detectors.report import Told

PAST_DAYS = 14
KNOWN_DAYS = 5  # so many of them must have records
FEW = 20  # records of an hour below which its least delay says nothing
_col = pl.col
# check -> what is counted, of what
SHARES: dict[str, tuple[pl.Expr, pl.Expr]] = {
    "records_refused": (_col("rejects"), _col("received") + _col("rejects")),
    "statements_not_understood": (_col("not_understood"), _col("statements")),
    "statements_cut": (_col("truncated"), _col("statements")),
    "records_forgeable": (_col("forgeable"), _col("received")),
    "rows_untold": (_col("moving") - _col("counted"), _col("moving")),
}


def share_rises(
    check: str, hours: pl.DataFrame, now: datetime, numbers: Mapping[str, int], zone: ZoneInfo
) -> Iterator[Told]:
    """Today and yesterday by local days. `check`: a key of SHARES.

    `numbers`: least (so many must be odd), percent (their share must reach), factor_percent (and so much of the greatest
    share of the days before).
    """
    part, whole = SHARES[check]
    day = _col("hour").dt.convert_time_zone(zone.key).dt.truncate("1d").dt.convert_time_zone("UTC").alias("day")
    daily = hours.fill_null(0).group_by(*SOURCE, day).agg(part.sum().alias("part"), whole.sum().alias("whole"))
    daily = daily.with_columns(share=_col("part") / _col("whole")).filter(_col("whole") > 0)
    for start in _yesterday_and_today(now, zone):
        past = daily.filter((_col("day") < start) & (_col("day") >= start - timedelta(days=PAST_DAYS, hours=2)))
        usual = past.group_by(SOURCE).agg(_col("share").max().alias("usual"), pl.len().alias("days"))
        rows = daily.filter(_col("day") == start).join(usual, on=SOURCE).filter(
            (_col("days") >= KNOWN_DAYS)
            & (_col("part") >= numbers["least"])
            & (_col("share") * 100 >= numbers["percent"])
            & (_col("share") * 100 >= _col("usual") * numbers["factor_percent"])
        )  # fmt: skip
        for *source, odd, of, share, before in rows.sort(SOURCE).select(
            *SOURCE, "part", "whole", "share", "usual"
        ).iter_rows():  # fmt: skip
            words = {"count": odd, "of": of, "percent": f"{share:.1%}", "usual": f"{before:.1%}"}
            yield told_of(source, start, first_seen=start, words=words)


def logs_late(hours: pl.DataFrame, now: datetime, numbers: Mapping[str, int], zone: ZoneInfo) -> Iterator[Told]:
    """Even the promptest record of an hour was read long after its own time, in `hours` hours of the local day.

    `numbers`: seconds (more than the greatest such delay of the days before, the two greatest left out), hours.
    """
    rows = hours.filter((_col("received") >= FEW) & (_col("hour") < floor(now))).select(
        *SOURCE, "hour", _col("least_lag_seconds").alias("lag")
    )
    for start in _yesterday_and_today(now, zone):
        past = rows.filter((_col("hour") < start) & (_col("hour") >= start - timedelta(days=PAST_DAYS)))
        usual = past.group_by(SOURCE).agg(
            _col("lag").sort(descending=True).get(2, null_on_oob=True).alias("usual"),
            _col("hour").dt.date().n_unique().alias("days"),
        )
        late = rows.filter((_col("hour") >= start) & (_col("hour") < start + timedelta(days=1))).join(usual, on=SOURCE)
        late = late.filter((_col("days") >= KNOWN_DAYS) & (_col("lag") >= _col("usual").clip(0) + numbers["seconds"]))
        told = late.group_by(*SOURCE, "usual", maintain_order=True).agg(
            _col("hour").min(), _col("lag").min(), pl.len().alias("hours")
        )
        for *source, before, begin, lag in told.filter(_col("hours") >= numbers["hours"]).select(
            *SOURCE, "usual", "hour", "lag"
        ).iter_rows():  # fmt: skip
            yield told_of(source, start, first_seen=begin, words={"seconds": lag, "usual": before})


def _yesterday_and_today(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Their beginnings: yesterday is judged again, since its last records came late."""
    today = start_of_day(now, zone)
    return start_of_day(today - timedelta(hours=12), zone), today
