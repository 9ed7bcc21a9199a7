"""Robust norms: what is usual, from days of which some may be the very thing that is looked for."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from detectors.behaviour.learning import EPOCH
from detectors.behaviour.marks import I64

LEAST_DAYS = 5  # fewer days with an amount are filled up with none
LEAST_PEERS = 3  # fewer say nothing of what is usual
SHARE = 95  # per cent of peers' days that are taken for ordinary
_DEVIATION = 1.4826  # middle deviation from the median, as the standard deviation of a normal distribution
_NARROWEST = 0.1  # of the median: days that are all alike do not make a day that is a little larger unusual


def own(amounts: I64, spread: int) -> tuple[int, int]:
    """(median, line) of a subject's own days. Days that are themselves far above are left out of both.

    Leaving them out again and again ends, since each round leaves out at least one. So one large day, or one a week,
    does not make the next large day usual.
    """
    days = np.sort(amounts)
    if len(days) < LEAST_DAYS:
        days = np.concatenate((np.zeros(LEAST_DAYS - len(days), np.int64), days))
    while True:
        middle = np.median(days)
        deviation = max(np.median(np.abs(days - middle)), _NARROWEST * middle)
        line = middle + spread * _DEVIATION * deviation
        within = days[days <= line]
        if len(within) == len(days):
            return int(middle), int(line)
        days = within


def turn_of_month(day: int) -> bool:
    """The last two days of a month and the first three, when months are settled and statistics are made."""
    date = EPOCH.date() + timedelta(days=day)
    return date.day <= 3 or (date + timedelta(days=2)).month != date.month


def at_turns(on: I64, amounts: I64) -> int:
    """The line of a day at the turn of a month: half as much again as the second largest of such days before.

    The second: one such day alone may have been what is looked for.
    """
    turns = amounts[[turn_of_month(int(day)) for day in on]] if len(on) else amounts
    return 3 * int(np.sort(turns)[-2]) // 2 if len(turns) > 1 else 0


def others(amounts: I64) -> int:
    """The line that `SHARE` per cent of peers' days do not cross."""
    return int(np.percentile(amounts, SHARE, method="higher"))
