"""Records that end only where the next one begins: general and slow log of MariaDB and MySQL.

A record is a line that looks like a record's first, and every line up to the next such. What a statement imitates of
that cannot be told. A record of more than `PIECE` bytes is handed out in pieces of that size, counted from
its start: the first piece holds its beginning, the others are its rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.decoding import decode_series
from parsers.events import UTC as UTC_TIME
from parsers.events import Origin
from parsers.framing import MAX_RECORD
from parsers.stamps import local_time

# the three lines a server writes when it opens a log, at its start and after FLUSH LOGS
_BANNER = re.compile(
    rb", Version: [^\n]{1,500} started with:\r?\n(?:Tcp|TCP) [Pp]ort: [^\n]{0,1000}\nTime[ \t]{1,40}Id Command[ \t]{1,9}Argument\r?\n"
)
BANNER = r"^[^\n]*, Version: [^\n]* started with:\r?\n(?i:tcp port): [^\n]*\nTime[ \t]+Id Command[ \t]+Argument\r?\n$"
# what stands behind a banner and begins no record: a statement imitated the banner, and this is the rest of it
BEHIND_BANNER = BANNER.removesuffix("$").replace("^", "(?s)^", 1).replace("[^\n]* started", "[^\n]*? started") + "(.+)$"
Finder = Callable[[bytes, int], Iterable[int]]  # where records begin after a line break at or behind an offset
_WINDOW = 1 << 16
_HASH = ord("#")
_LONGEST_BEGINNING = 4096  # bytes in which a record's beginning is known as such
PIECE = MAX_RECORD - _LONGEST_BEGINNING  # a reader may hold no more than MAX_RECORD bytes
_AHEAD = timedelta(seconds=60)
REJECTS = {
    "no_header": "lines that belong to no record: the file or the reading began inside one",
    "unknown_form": "begins like a record and goes on like none",
    "no_time": "no time has been seen yet, and the record has none of its own",
    "bad_timestamp": "a date that does not exist",
}


def banners(buffer: bytes, start: int) -> Iterator[int]:
    """Offsets of lines that begin a banner and are not the first of `buffer`."""
    for found in _BANNER.finditer(buffer, start):
        line = buffer.rfind(b"\n", 0, found.start()) + 1
        # a line that begins with # may be the second one of a slow log record
        if line and found.start() - line < 1000 and buffer[line] != _HASH:
            yield line


def framing_by(finder: Finder) -> Callable[..., int]:
    """Framing of records whose beginnings `finder` knows: all but the last one are whole."""

    def framing(buffer: bytes, *, final: bool) -> int:
        if final:
            return len(buffer)
        window = _WINDOW
        while True:
            start = max(0, len(buffer) - window)
            end = max(finder(buffer, start), default=0)
            if end or not start:
                return end or max(0, len(buffer) - _LONGEST_BEGINNING) // PIECE * PIECE
            window *= 8

    return framing


def blocks(
    chunk: bytes, position: int, finder: Finder, carry: dict[str, Any], other: Callable[[bytes], str] | None = None
) -> pl.DataFrame:
    """One row a record: position, length, text (decoded, its last line break included), `rest`: the piece of a long one.

    `carry` keeps whether and where the chunk ended in a record of which the next one may bring the rest. `other` reads
    records that are not UTF-8.
    """
    inside = _continues(chunk, finder, str(carry.get("inside", "")))
    marks = sorted({0, *finder(chunk, 0), len(chunk)})
    pieces: list[tuple[int, int, bool]] = []
    for start, end in pairwise(marks):
        if end - start <= PIECE:
            pieces.append((start, end - start, inside and not start))
            continue
        pieces += (
            (piece, min(piece + PIECE, end) - piece, piece > start or (inside and not start))
            for piece in range(start, end, PIECE)
        )
    raw = pl.Series("text", [chunk[start : start + size] for start, size, _ in pieces], dtype=pl.Binary)
    carry["inside"] = _ended(chunk) if pieces[-1][1] == PIECE else ""
    return pl.DataFrame(
        {
            "position": pl.Series([position + start for start, _, _ in pieces], dtype=pl.UInt64),
            "length": pl.Series([size for _, size, _ in pieces], dtype=pl.UInt32),
            "text": decode_series(raw, other),
            "rest": pl.Series([rest for _, _, rest in pieces], dtype=pl.Boolean),
        }
    )


def _ended(chunk: bytes) -> str:
    if not chunk.endswith(b"\n"):
        return "line"
    return "statement" if chunk.endswith(b";\n") else "text"


def _continues(chunk: bytes, finder: Finder, inside: str) -> bool:
    if inside in {"", "line"}:
        return bool(inside)
    return 2 not in finder((b";\n" if inside == "statement" else b" \n") + chunk[:_WINDOW], 0)


def times(frame: pl.DataFrame, origin: Origin, zone: ZoneInfo, carry: dict[str, Any]) -> tuple[pl.Series, pl.Series]:
    """(time of each record or null, time of its own that exists nowhere) from `stamp`; `carry` is brought up to date.

    Servers write the time only when the second has changed, so a record without has the last one seen. The latest is
    taken, and none that lies ahead of the reading: a false stamp inside a statement must not move what follows it.
    """
    short = local_time(pl.col("stamp"), "%y%m%d %k:%M:%S", zone)
    instant = pl.col("stamp").str.replace("Z", "+00:00", literal=True)
    full = instant.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False).cast(UTC_TIME)
    own = frame.with_columns(own=pl.coalesce(short, pl.when(full.dt.year().is_between(1970, 2200)).then(full)))
    last = datetime.fromisoformat(carry["time"]) if carry.get("time") else None
    latest = (
        pl.when(pl.col("own") <= pl.lit(origin.received_at + _AHEAD).cast(UTC_TIME))
        .then("own")
        .cum_max()
        .forward_fill()
    )
    before = pl.lit(last).cast(UTC_TIME)
    read = own.select(
        time=pl.coalesce("own", pl.max_horizontal(latest, before)),
        bad=pl.col("stamp").is_not_null() & pl.col("own").is_null(),
        latest=pl.max_horizontal(latest, before),
    )
    newest = read["latest"].max()
    if isinstance(newest, datetime):
        carry["time"] = newest.astimezone(UTC).isoformat()
    return read["time"], read["bad"]
