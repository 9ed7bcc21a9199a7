"""Bytes through a parser as a source hands them over, and what must be true of the outcome."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import ACTIONS, EVENTS, KINDS, OUTCOMES, RECORD_ROLES, REJECTS, Origin, check
from parsers.registry import Parsed, Parser

READ_AT = datetime(2026, 12, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
# for one frame of a few megabytes, which takes a few seconds: only what hangs is ended, and no busy machine looks so
PATIENCE = 300  # seconds of CPU
STANDSTILL = 7200  # seconds of the clock, for what waits and uses none
CARRY = 8 << 20  # characters


def feed(unit: Parser, data: bytes, cuts: Sequence[int]) -> Parsed:
    """The outcome of `data` that arrives in pieces ending at `cuts`; the carry travels as JSON."""
    position, carry, parts = 0, {}, []
    for end in [*cuts, len(data)]:
        while position < end:
            whole = unit.framing(data[position:end], final=end == len(data))
            assert 0 <= whole <= end - position, "framing reaches beyond the bytes it was given"
            if not whole:
                break
            origin = Origin("s", "y", "q", "/log", unit.name, "0" * 16, position, READ_AT, READ_AT)
            parts.append(unit.parse(data[position : position + whole], origin, ZONE, carry))
            told = json.dumps(dict(parts[-1].carry))
            assert len(told) <= CARRY, "the carry grows without bound"
            carry = json.loads(told)
            position += whole
    assert position == len(data), "bytes are left over at the end"
    skips: dict[str, tuple[int, int]] = {}
    for part in parts:
        for reason, (count, size) in part.skips.items():
            have = skips.get(reason, (0, 0))
            skips[reason] = (have[0] + count, have[1] + size)
    if not parts:
        return Parsed()
    return Parsed(pl.concat([part.events for part in parts]), pl.concat([part.rejects for part in parts]), skips, carry)


def accounted(unit: Parser, data: bytes, parsed: Parsed) -> None:
    """Every byte is in one event, reject or counted skip; the frames are of the schema; nothing no store takes."""
    events, rejects = parsed.events, parsed.rejects
    check(events, EVENTS)
    check(rejects, REJECTS)
    assert set(parsed.skips) <= set(unit.skips), "a skip that nobody declared"
    skipped = sum(size for _, size in parsed.skips.values())
    told = events["length"].cast(pl.Int64).sum() + rejects["length"].cast(pl.Int64).sum() + skipped
    assert told == len(data), f"{len(data)} bytes in, {told} accounted for"
    assert events["event_id"].n_unique() == events.height, "an event_id is given twice"
    both = pl.concat([frame.select("position", "length") for frame in (events, rejects)]).sort("position")
    overlap = (both["position"].shift(-1) < both["position"] + both["length"]).fill_null(value=False)
    assert not overlap.any(), "two records share bytes"
    for column, values in (("action", ACTIONS), ("outcome", OUTCOMES), ("record_role", RECORD_ROLES)):
        assert set(events[column].unique()) <= values, column
    for column in ("rows_kind", "bytes_kind"):
        assert set(events[column].drop_nulls().unique()) <= KINDS, column
    for column in ("position", "length", "occurred_at", "truncated", "forgeable", "event_id"):
        assert not events[column].null_count(), f"{column} is null"
    for frame in (events, rejects):
        texts = frame.select(
            pl.col(pl.String).str.contains("\0", literal=True).any(),
            pl.col(pl.List(pl.String)).explode().str.contains("\0", literal=True).any(),
        ) if frame.height else frame.clear()  # fmt: skip
        assert not any(value for row in texts.iter_rows() for value in row), "NUL reaches the store"


def same(one: Parsed, other: Parsed) -> None:
    for column in one.events.columns:
        assert one.events[column].to_list() == other.events[column].to_list(), f"cuts change {column}"
    assert one.rejects.rows() == other.rejects.rows(), "cuts change the rejects"
    assert dict(one.skips) == dict(other.skips), "cuts change the skips"


@contextmanager
def watched(label: str) -> Iterator[None]:
    """End a process that hangs, leaving what it was about, and where, in a file."""
    file = Path(tempfile.gettempdir()) / f"hiswatch-fuzz-{os.getpid()}.txt"
    with file.open("w", encoding="utf-8") as told:
        told.write(f"{label} hangs\n")
        told.flush()
        faulthandler.register(signal.SIGPROF, file=told, chain=True)  # behind it the signal ends the process
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        faulthandler.dump_traceback_later(STANDSTILL, exit=True, file=told)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.unregister(signal.SIGPROF)
    file.unlink()
