"""Local time to UTC: one offset for a whole column where that is certain, and the same answer where it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.stamps import local_time, to_utc

ZONES = ("Asia/Shanghai", "UTC", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu")


def utc(times, zone):
    frame = pl.DataFrame({"t": pl.Series(times, dtype=pl.Datetime("us"))})
    return frame.select(to_utc(pl.col("t"), ZoneInfo(zone)))["t"].to_list()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1971, 1, 2), datetime(2037, 1, 1)),
    st.lists(st.integers(0, 4 * 86_400), min_size=1, max_size=6),
)
def test_a_time_means_the_same_whatever_stands_beside_it(zone, start, seconds):
    times = [start + timedelta(seconds=offset) for offset in seconds]
    together = utc(times, zone)
    assert together == [utc([time, datetime(2000, 6, 1)], zone)[0] for time in times]


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Asia/Shanghai", datetime(2026, 11, 18, 8), datetime(2026, 11, 18, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),  # shown twice
        ("America/New_York", datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),  # never shown
        ("America/New_York", datetime(2026, 3, 8, 3, 30), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
    ],
)
def test_changes_of_the_clock(zone, local, expected):
    assert utc([local], zone) == [expected]


@pytest.mark.parametrize(
    "text", ["-026-01-01 00:00:00", "0001-01-01 00:00:00", "+12345-01-01 00:00:00", "9999-12-31 23:59:59"]
)
def test_years_that_no_calendar_takes_are_no_time(text):
    frame = pl.DataFrame({"t": [text, "2026-11-18 08:00:00"]})
    for zone in ("Asia/Shanghai", "UTC"):
        times = frame.select(local_time(pl.col("t"), "%Y-%m-%d %H:%M:%S", ZoneInfo(zone)))["t"].to_list()
        assert times[0] is None
        assert times[1].year == 2026
