"""The days of the generated month and what is special about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from detectors.context.calendar import Calendar

ZONE = timezone(timedelta(hours=8))
# Week-ends, Mid-Autumn, a quarter's end, National Day with the working days swapped for it.
FIRST = date(2026, 9, 14)
DAYS = 31
LEARNING = 7


@dataclass(frozen=True, slots=True)
class Day:
    number: int  # from 0
    date: date
    working: bool

    @property
    def midnight(self) -> datetime:
        return datetime.combine(self.date, datetime.min.time())

    @property
    def start(self) -> int:
        """Microseconds since the epoch."""
        return int(self.midnight.replace(tzinfo=ZONE).timestamp()) * 1_000_000

    @property
    def text(self) -> str:
        return self.date.isoformat()

    @property
    def last_of_month(self) -> bool:
        return (self.date + timedelta(days=1)).day == 1

    def at(self, clock: str) -> float:
        """Seconds since midnight."""
        hour, minute, *second = clock.split(":")
        return int(hour) * 3600 + int(minute) * 60 + (float(second[0]) if second else 0.0)


def days(count: int = DAYS) -> list[Day]:
    calendar = Calendar()
    listed = [FIRST + timedelta(days=number) for number in range(count)]
    return [Day(number, day, calendar.works(day)) for number, day in enumerate(listed)]
