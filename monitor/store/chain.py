"""The hash chain over committed batches: a row that is changed, removed or slipped in later breaks it.

    head(n) = SHA-256(head(n-1) ‖ n ‖ what the batch brought)

Frames are hashed column by column in a canonical form that hangs neither on a library's memory layout nor on values
that lie under nulls: name, type, number of rows and of nulls, one byte a row for null or not where there are both,
the values (numbers and times little endian, 0 where null; texts as byte lengths then UTF-8; lists as lengths then their
items). The same rows read back from the store in their order give the same hash.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol

import polars as pl


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def feed(hasher: _Hash, frame: pl.DataFrame) -> None:
    """Add a frame's canonical bytes."""
    hasher.update(f"frame {frame.height}\n".encode())
    for name in frame.columns:
        series = frame.get_column(name).rechunk()
        hasher.update(f"{name} {series.dtype}\n".encode())
        _feed_series(hasher, series)


def _feed_series(hasher: _Hash, series: pl.Series) -> None:
    nulls, dtype = series.null_count(), series.dtype
    hasher.update(f"{series.len()} {nulls}\n".encode())
    if nulls == series.len():
        return
    if nulls:
        hasher.update(series.is_null().cast(pl.UInt8).to_numpy().tobytes())
    if dtype == pl.String:
        hasher.update(_little(series.str.len_bytes().fill_null(0).cast(pl.UInt32)))
        hasher.update(series.fill_null("").str.join("").item().encode() if series.len() else b"")
    elif isinstance(dtype, pl.List):
        hasher.update(_little(series.list.len().fill_null(0).cast(pl.UInt32)))
        _feed_series(hasher, series.drop_nulls().list.explode(empty_as_null=False, keep_nulls=False))
    elif isinstance(dtype, pl.Datetime):
        hasher.update(_little(series.to_physical().fill_null(0)))
    elif dtype == pl.Boolean:
        hasher.update(_little(series.cast(pl.UInt8).fill_null(0)))
    else:
        hasher.update(_little(series.fill_null(0)))


def _little(series: pl.Series) -> bytes:
    array = series.to_numpy()
    return (array if sys.byteorder == "little" else array.byteswap()).tobytes()


def head(previous: str, batch: int, frames: Mapping[str, pl.DataFrame], notes: Mapping[str, str]) -> str:
    """The new head, 64 hex digits. `notes`: other facts of the batch by name (hashes of rules and configuration)."""
    hasher = sha256(f"{previous}\n{batch}\n".encode())
    for name in sorted(notes):
        hasher.update(f"{name}={notes[name]}\n".encode("utf-8", "surrogatepass"))
    for name in sorted(frames):
        hasher.update(f"{name}\n".encode())
        feed(hasher, frames[name])
    return hasher.hexdigest()
