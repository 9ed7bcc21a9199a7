"""One batch as the store takes it: everything that changes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from monitor.alerts.outbox import Plan
from monitor.pipeline import Seen
from monitor.sources.tail import Chunk
from monitor.store.hot import Batch


def batch_of(
    seen: Seen,
    findings: pl.DataFrame,
    chunks: Sequence[Chunk],
    plan: Plan,
    now: datetime,
    settlements: pl.DataFrame | None = None,
    judged_under: Mapping[str, str] | None = None,
) -> Batch:
    """Positions: of every file the last chunk's, since chunks of one file come in order. `judged_under`: see own_changes."""
    hashes = judged_under or {}
    return Batch(
        received_at=now,
        events=seen.events,
        shapes=seen.shapes,
        rejects=seen.rejects,
        skips=seen.read.skips,
        findings=findings,
        settlements=settlements,
        hushed=plan.hush.hushed if plan.hush is not None else None,
        outbox=plan.rows,
        superseded=plan.superseded,
        positions=list({chunk.position.generation: chunk.position for chunk in chunks}.values()),
        carries=seen.read.carries,
        deltas=seen.observed.deltas,
        rules_hash=hashes.get("rules", ""),
        config_hash=hashes.get("configuration", ""),
    )
