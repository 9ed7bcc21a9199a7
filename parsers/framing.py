"""Where records begin and end. Bytes are split on LF alone, before any decoding.

LF is never the second byte of a character in UTF-8, GBK or GB18030; the other line separators of Unicode
(`str.splitlines` knows ten) are ordinary text in a log.

A line longer than `MAX_RECORD` is cut in pieces of that size, counted from its start. Their text is null: no parser
can mistake the middle of a line for a record. Where a chunk begins inside such a line only `carry` tells, see `lines`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from parsers.decoding import decode, spoilt

MAX_RECORD = 1 << 20  # bytes
_LF = 0x0A
Positions = npt.NDArray[np.int64]


def lines(buffer: bytes, *, final: bool) -> int:
    """Framing of formats with one record a line: up to the last LF.

    A beginning line that outgrows MAX_RECORD is handed out in pieces of that size, so that memory stays bounded.
    """
    if final:
        return len(buffer)
    whole = buffer.rfind(b"\n") + 1
    return whole or len(buffer) // MAX_RECORD * MAX_RECORD


def unfinished(chunk: bytes) -> bool:
    """The chunk ends inside a line: what follows it belongs to no record. Parsers keep this in their carry."""
    return bool(chunk) and not chunk.endswith(b"\n")


def line_starts(chunk: bytes) -> Positions:
    """Offsets of line starts, the pieces of too long lines counted as lines."""
    ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == _LF) + 1
    starts = np.concatenate((np.zeros(1, np.int64), ends))
    if starts[-1] == len(chunk):
        starts = starts[:-1]
    lengths = np.diff(starts, append=len(chunk))
    if lengths.size and lengths.max() > MAX_RECORD:
        parts = -(-lengths // MAX_RECORD)
        first = np.repeat(np.cumsum(parts) - parts, parts)
        starts = np.repeat(starts, parts) + (np.arange(parts.sum()) - first) * MAX_RECORD
    return starts


def split_lines(
    chunk: bytes, position: int, *, continued: bool = False, other: Callable[[bytes], str] | None = None
) -> pl.DataFrame:
    """One row a line: `position` UInt64 (absolute), `length` UInt32 (LF included), `text` String (without LF).

    `text` is decoded line by line (decoding.py), and null for every piece of a line longer than MAX_RECORD.
    `other` reads the lines that are not UTF-8. `continued`: the chunk before this one was `unfinished`, so the first line here is only the rest of one.
    """
    starts = line_starts(chunk)
    lengths = np.diff(starts, append=len(chunk))
    frame = pl.DataFrame(
        {
            "position": pl.Series(starts.astype(np.uint64)) + position,
            "length": pl.Series(lengths.astype(np.uint32)),
            "text": _texts(chunk, starts, lengths, other),
        },
        schema_overrides={"position": pl.UInt64, "length": pl.UInt32},
    )
    pieces = np.zeros(starts.size, np.bool_)
    if starts.size:
        pieces[0] = continued
        ended = np.frombuffer(chunk, np.uint8)[starts + lengths - 1] == _LF
        pieces |= ~ended & (lengths == MAX_RECORD)
        pieces[1:] |= ~ended[:-1]
    if pieces.any():
        return frame.with_columns(text=pl.when(~pl.Series(pieces)).then("text"))
    return frame


def _texts(chunk: bytes, starts: Positions, lengths: Positions, other: Callable[[bytes], str] | None) -> pl.Series:
    if not starts.size:
        return pl.Series("text", [], dtype=pl.String)
    if lengths.max() < MAX_RECORD:
        # only the lines that are not UTF-8, or hold NUL, are read one by one
        text = _mended(chunk, starts, lengths, other).removesuffix(b"\n")
        return pl.Series("text", [text], dtype=pl.Binary).cast(pl.String).str.split("\n").explode()
    pieces = [chunk[start : start + length] for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)]
    return pl.Series("text", [decode(piece.removesuffix(b"\n"), other) for piece in pieces], dtype=pl.String)


def _mended(chunk: bytes, starts: Positions, lengths: Positions, other: Callable[[bytes], str] | None) -> bytes:
    pieces, done = [], 0
    for index in spoilt(chunk, starts + lengths):
        start, end = int(starts[index]), int(starts[index] + lengths[index])
        pieces += [chunk[done:start], decode(chunk[start:end].removesuffix(b"\n"), other).encode()]
        done = end - chunk.endswith(b"\n", start, end)
    return b"".join((*pieces, chunk[done:])) if pieces else chunk
