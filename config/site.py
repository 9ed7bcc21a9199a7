"""A hospital's whole configuration as one value: models only, no file is opened here."""

from __future__ import annotations

from dataclasses import dataclass

from config.calendar import CalendarOverlay
from config.errors import Problem
from config.register import Register
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """Settings and what they refer to.

    `register` None: none is configured (day one). `warnings` stop nothing. `register_faults`: why entries of the register
    are not in it, where that is tolerated. `rule_faults`: why rules of the site are left out; None: that is not tolerated.
    """

    settings: Settings
    register: Register | None
    overlay: CalendarOverlay
    warnings: tuple[Problem, ...] = ()
    register_faults: tuple[Problem, ...] = ()
    rule_faults: tuple[Problem, ...] | None = None
