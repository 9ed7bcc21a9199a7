"""Gaps as events: they are stored, counted and alerted on like everything else."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from monitor.sources.reading import Gap
from parsers.events import Origin, complete


def gap_events(gaps: Iterable[Gap], origin: Origin) -> pl.DataFrame:
    """Gaps as EVENTS rows (action "gap"): they are stored, counted and alerted on like everything else."""
    rows = list(gaps)
    frame = pl.DataFrame(
        {
            "position": [gap.from_position for gap in rows],
            "length": [min((gap.to_position or gap.from_position) - gap.from_position, 2**32 - 1) for gap in rows],
            "error_code": [gap.reason for gap in rows],
        },
        schema={"position": pl.UInt64, "length": pl.UInt32, "error_code": pl.String},
    )
    said = pl.lit(origin.received_at).cast(pl.Datetime("us", "UTC"))
    return complete(frame.with_columns(occurred_at=said, action=pl.lit("gap")), origin)
