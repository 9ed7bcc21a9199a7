"""Working days of China: the shipped calendar, the site's overlay over it, a plain week where neither knows the year."""

from __future__ import annotations

from datetime import date

import chinese_calendar
import polars as pl

from config.calendar import CalendarOverlay

REMEMBERED = 10_000
WORKING = 128  # bit of a day that is worked; bits 1 to 64 are Monday to Sunday


class Calendar:
    """Answers for dates it is asked for; reads no clock. `warnings` names the years that were guessed."""

    def __init__(self, overlay: CalendarOverlay | None = None) -> None:
        overlay = overlay or CalendarOverlay()
        self._working = frozenset(overlay.working_days)
        self._off = frozenset(overlay.days_off)
        self._complete = frozenset(overlay.complete_years)
        self._days: dict[date, bool] = {}
        self._guessed: set[int] = set()

    @property
    def warnings(self) -> list[str]:
        """One sentence per year asked for that no calendar covers."""
        return [
            f"the working calendar has no year {year}: plain weeks are assumed; list its holidays and swapped "
            "working days in the calendar file and add it to complete_years"
            for year in sorted(self._guessed)
        ]

    def works(self, day: date) -> bool:
        """Whether `day` is a working day."""
        if (known := self._days.get(day)) is None:
            if len(self._days) >= REMEMBERED:  # forged dates can't fill the memory
                self._days.clear()
            known = self._days[day] = self._look_up(day)
        return known

    def _look_up(self, day: date) -> bool:
        if day in self._working:
            return True
        if day in self._off:
            return False
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError:  # a year that the package lacks
            if day.year not in self._complete:
                self._guessed.add(day.year)
            return day.weekday() < 5

    def bits(self, dates: pl.Series) -> pl.DataFrame:
        """A row per distinct date: `date`, `today` and `before` (bits of that day and of the day before it)."""
        days = dates.drop_nulls().unique().to_list()
        return pl.DataFrame(
            {
                "date": days,
                "today": [self._bits(day) for day in days],
                "before": [self._bits(date.fromordinal(max(day.toordinal() - 1, 1))) for day in days],
            },
            schema={"date": pl.Date, "today": pl.UInt16, "before": pl.UInt16},
        )

    def _bits(self, day: date) -> int:
        return (1 << day.weekday()) | (WORKING if self.works(day) else 0)
