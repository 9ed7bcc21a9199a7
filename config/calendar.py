"""The overlay of the working calendar: days that the hospital knows better than the shipped calendar."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from config.errors import Problem
from config.values import Model
from config.yaml12 import Document


class CalendarOverlay(Model):
    """calendar.yaml. A day that is not named here is as in the shipped calendar, or as in a plain week where it has none."""

    working_days: tuple[date, ...] = Field((), description="days that are worked although they look free (调休)")
    days_off: tuple[date, ...] = Field((), description="days off: holidays, local closing days")
    complete_years: tuple[int, ...] = Field(
        (), description="years for which the two lists are complete: no warning that the shipped calendar lacks them"
    )


def overlay_contradictions(overlay: CalendarOverlay, document: Document) -> list[Problem]:
    """Days that are in both lists."""
    both = set(overlay.working_days) & set(overlay.days_off)
    return [
        document.problem(("days_off", index), "the day is also in working_days")
        for index, day in enumerate(overlay.days_off)
        if day in both
    ]
