"""source_silent: a source that should speak and does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from detectors.report import Told
from parsers.events import UTC

# One row a source that has an expected silence: as configured, or as learnt (`rhythm`).
SOURCES: dict[str, pl.DataType] = {
    "site": pl.String(),
    "system": pl.String(),
    "source": pl.String(),
    "last_at": UTC,  # when its last record was received; null: none since the start
    "since": UTC,  # when watching began: what was silent before was not watched
    "expected_silence_seconds": pl.Int64(),  # longest silence that is usual; null: no check
    "learnt": pl.Boolean(),
}
_BASIS = {False: ("", ""), True: ("（按该时段过去几周的规律学得）", " at this hour, as learnt from the weeks before")}


def silent(sources: pl.DataFrame, now: datetime) -> Iterator[Told]:
    """Every source silent longer than usual at `now`. The moment the silence began names the finding: one a silence."""
    quiet = sources.with_columns(began=pl.coalesce("last_at", "since")).filter(
        (pl.lit(now).cast(UTC) - pl.max_horizontal("began", "since")).dt.total_seconds()
        > pl.col("expected_silence_seconds")
    )
    for site, system, source, began, usual, learnt in quiet.select(
        "site", "system", "source", "began", "expected_silence_seconds", "learnt"
    ).iter_rows():
        basis_zh, basis_en = _BASIS[learnt]
        yield Told(
            key=(site, system, source),
            bucket=began,
            first_seen=began,
            who={"site": site, "system": system, "source": source},
            words={
                "minutes": int((now - began).total_seconds()) // 60,
                "usual": usual // 60,
                "basis_zh": basis_zh,
                "basis_en": basis_en,
            },
        )
