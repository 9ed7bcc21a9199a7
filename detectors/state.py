"""Everything that detection remembers in the store: append-only rows, added up when they are read."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from detectors import engine
from detectors.behaviour import tables as behaviour

STATE_TABLES: dict[str, dict[str, pl.DataType]] = engine.STATE_TABLES | behaviour.BEHAVIOUR_TABLES

BY_DAY = behaviour.BY_DAY
compact_days = behaviour.compact_days


def compact(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The same state in fewer rows: what the store may write instead when it has read all of a table."""
    return engine.compact(tables) | behaviour.compact(tables)
