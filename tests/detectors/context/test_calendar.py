"""Working days of China, swapped days, the overlay, and years nobody knows."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from config.calendar import CalendarOverlay
from detectors.context import Calendar

DAYS = [
    ("an ordinary Wednesday", date(2026, 11, 18), True),
    ("an ordinary Saturday", date(2026, 11, 21), False),
    ("National Day, a Thursday", date(2026, 10, 1), False),
    ("the last Wednesday of the National Day holiday", date(2026, 10, 7), False),
    ("a Sunday worked for the National Day holiday", date(2026, 9, 20), True),
    ("a Saturday worked for the National Day holiday", date(2026, 10, 10), True),
    ("a Sunday beside a worked Saturday", date(2026, 10, 11), False),
    ("Spring Festival on a weekday", date(2026, 2, 18), False),
    ("a Saturday worked for the Spring Festival", date(2026, 2, 28), True),
    ("New Year's Day", date(2026, 1, 1), False),
    ("a Sunday worked for New Year", date(2026, 1, 4), True),
]


@pytest.mark.parametrize(("day", "works"), [case[1:] for case in DAYS], ids=[case[0] for case in DAYS])
def test_days_of_2026(day, works):
    calendar = Calendar()
    assert calendar.works(day) is works
    assert calendar.warnings == []


def test_a_year_that_nobody_knows_is_a_plain_week_with_a_warning():
    calendar = Calendar()
    assert calendar.works(date(2030, 10, 1))  # a Tuesday, surely a holiday: that is what the warning is for
    assert not calendar.works(date(2030, 10, 5))
    assert not calendar.works(date(1999, 1, 2))
    assert [warning.split(":")[0] for warning in calendar.warnings] == [
        "the working calendar has no year 1999",
        "the working calendar has no year 2030",
    ]


def test_the_overlay_wins_over_everything():
    overlay = CalendarOverlay(
        working_days=(date(2026, 10, 1), date(2030, 10, 5)), days_off=(date(2026, 11, 18), date(2030, 10, 1))
    )
    calendar = Calendar(overlay)
    assert calendar.works(date(2026, 10, 1))
    assert calendar.works(date(2030, 10, 5))
    assert not calendar.works(date(2026, 11, 18))
    assert not calendar.works(date(2030, 10, 1))
    assert calendar.warnings == []


def test_a_year_that_the_overlay_covers_needs_no_warning():
    calendar = Calendar(CalendarOverlay(complete_years=(2030,)))
    assert calendar.works(date(2030, 10, 2))
    assert calendar.warnings == []


def test_bits_name_the_day_and_the_day_before():
    bits = Calendar().bits(pl.Series([date(2026, 11, 16), None, date(2026, 11, 16)]))
    assert bits.to_dicts() == [{"date": date(2026, 11, 16), "today": 1 + 128, "before": 64}]
