"""Histories of rules about behaviour, taken from their shipped cases, and runs over them as a daemon makes them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl

from config.rulecases import read_cases
from detectors.behaviour.tables import compact
from detectors.behaviour.watch import Behaviour
from detectors.cases import SCHEMA, frame, rows
from detectors.engine import LATENESS

ZONE = ZoneInfo("Asia/Shanghai")


def histories(rule):
    """The events of each case of a rule, by its sentence."""
    found = {}
    for document in read_cases((), [rule]):
        for _, sentence, _, events in document.each():
            made = frame([row for event in events for row in rows(event, ZONE)]).select(*SCHEMA)
            found[sentence] = made.sort("occurred_at", "event_id")
    return found


def living(findings):
    """The last revision of each finding that is not withdrawn, without its number."""
    told = pl.concat(findings).sort("id", "revision").unique("id", keep="last").filter(pl.col("events") > 0)
    return told.drop("revision").sort("id").to_dicts()


def run(rule, parts, *, lateness=LATENESS, restart=lambda number: False):
    """Parts one after the other, each read when it was written; the state kept aside as a store would."""
    behaviour, told, kept = Behaviour([rule], lateness=lateness), [], {}
    for number, part in enumerate(parts):
        if restart(number) and kept:
            behaviour = Behaviour([rule], lateness=lateness)
            tables = {name: pl.concat(deltas) for name, deltas in kept.items()}
            behaviour.restore(
                compact(tables) | {"finding_revisions": tables["finding_revisions"]} if number % 2 else tables
            )
        if part.is_empty():
            continue
        observed = behaviour.observe(part, part["occurred_at"].max() + timedelta(seconds=1))
        told.append(observed.findings)
        for name, deltas in observed.deltas.items():
            kept.setdefault(name, []).append(deltas)
    return told


def cut(events, places):
    edges = [0, *sorted(places), events.height]
    return [events[a:b] for a, b in pairwise(edges)]
