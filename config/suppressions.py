"""Suppressions of a configuration: what can't be meant, and what has outlived its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from config.errors import Problem
from config.register import Register
from config.settings import Settings
from config.validation import did_you_mean
from config.yaml12 import Document, Keys

LONGEST = timedelta(days=366)
REASON = 10  # characters
WHOM = ("accounts", "people", "vendors", "addresses", "systems", "objects")


def suppression_faults(settings: Settings, document: Document, today: date) -> Iterator[tuple[Keys, str]]:
    for name, suppression in settings.suppressions.items():
        keys: Keys = ("suppressions", name)
        written = document.data["suppressions"][name]  # a faulty value is no second fault
        if not any(getattr(suppression, key) or written.get(key) for key in WHOM):
            yield (
                keys,
                f"says of nobody and nothing: one of {', '.join(WHOM)} must be given; to switch a rule off, see detection.disabled",
            )
        if len(suppression.reason) < REASON:
            yield (*keys, "reason"), "say in a sentence why this may stay quiet"
        if suppression.until > today + LONGEST:
            yield (*keys, "until"), "more than a year ahead; renew it when somebody has looked at it again"


def suppression_warnings(
    settings: Settings, register: Register | None, document: Document, today: date
) -> list[Problem]:
    """Ended ones hide nothing any more; names that neither the register nor a source knows never did."""
    found: list[tuple[Keys, str]] = []
    for name, suppression in settings.suppressions.items():
        keys: Keys = ("suppressions", name)
        if suppression.until < today:
            found.append(
                ((*keys, "until"), f"ended on {suppression.until}: it hides nothing any more; renew or remove it")
            )
        for key in ("people", "vendors") if register is not None else ():
            known = getattr(register, key)
            found += [
                ((*keys, key), f"{item} is not in the register" + did_you_mean(item, known))
                for item in getattr(suppression, key)
                if item not in known
            ]
        systems = {source.system for source in settings.sources.values()}
        found += [
            ((*keys, "systems"), f"no source is of the system {item}" + did_you_mean(item, systems))
            for item in suppression.systems
            if item not in systems
        ]
    return [document.problem(*fault) for fault in found]
