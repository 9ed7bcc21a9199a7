"""Frames as JSON lines: times ISO 8601 with the offset of a zone, one object a line."""

from __future__ import annotations

import io
from zoneinfo import ZoneInfo

import polars as pl


def with_local_times(frame: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """Every time column as text: local time of `zone`, microseconds, offset."""
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone(zone.key).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z")
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Datetime)
    )


def json_lines(frame: pl.DataFrame, zone: ZoneInfo) -> bytes:
    buffer = io.BytesIO()
    with_local_times(frame, zone).write_ndjson(buffer)
    return buffer.getvalue()
