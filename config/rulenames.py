"""Names of rules, families and numbers in a configuration that no rule has: what is written for them has no effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from config.errors import Problem
from config.rulefiles import read_rules
from config.settings import Settings
from config.validation import did_you_mean
from config.yaml12 import Document, Keys

_EVERY = frozenset({"threshold", "timespan_seconds", "events", "sum", "distinct", "adjacent"})
_FOREIGN = "-S"  # ids of rules of others follow from the rule's own


def rule_name_warnings(settings: Settings, document: Document) -> list[Problem]:
    """`document`: the one of `settings`. A rule that an update has taken away must not stop a daemon, so these are no faults."""
    blocks = _blocks(read_rules(settings.detection.rule_dirs, []))
    known = {*blocks, *(name.partition("-")[0] for name in blocks)}
    found: list[tuple[Keys, str]] = []
    for keys, name in _named(settings):
        if name not in known and _FOREIGN not in name:
            found.append((keys, f"no rule or family is called {name}" + did_you_mean(name, known)))
    for name, numbers in settings.detection.thresholds.items():
        if name in known and name not in blocks:
            found.append((("detection", "thresholds", name), "numbers are those of one rule, not of a family"))
        block = blocks.get(name, {})
        settable = {*_EVERY, *block.get("numbers", ())}
        found += [
            (("detection", "thresholds", name, number), f"{name} has no such number" + did_you_mean(number, settable))
            for number in numbers
            if block and "behaviour" not in block and number not in settable  # of behaviour the file tells only some
        ]
    return [document.problem(*fault) for fault in found]


def _blocks(documents: Iterable[Document]) -> dict[str, Mapping[str, Any]]:
    """The `hiswatch:` block of every rule, by id; what is no rule is passed over."""
    blocks = (document.data.get("hiswatch") for document in documents if isinstance(document.data, Mapping))
    return {str(block["id"]): block for block in blocks if isinstance(block, Mapping) and "id" in block}


def _named(settings: Settings) -> Iterator[tuple[Keys, str]]:
    detection = settings.detection
    for key in ("disabled", "staged"):
        for place, name in enumerate(getattr(detection, key)):
            yield ("detection", key, place), name
    for key in ("thresholds", "budgets"):
        for name in getattr(detection, key):
            yield ("detection", key, name), name
    for suppression, told in settings.suppressions.items():
        for place, name in enumerate(told.rules):
            yield ("suppressions", suppression, "rules", place), name
