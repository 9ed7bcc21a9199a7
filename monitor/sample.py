"""`hiswatch sample`: one parser over one file, what it made of each record beside the record itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from monitor.rendering import with_local_times
from monitor.replay import Named, chunks, shown
from parsers.decoding import excerpt
from parsers.events import EVENTS
from parsers.registry import Carry, Parser

_PROVENANCE = ("event_id", "site", "system", "source", "file", "format", "generation", "received_at", "clock_trusted")
_DEFAULTS: dict[str, object] = {"record_role": "main", "truncated": False, "forgeable": False}
RAW_CHARACTERS = 2000  # of a record that are shown


def records(path: Path, parser: Parser, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """Events and rejects in order of position: {position, raw, event | reject}; last {skips: {reason: [records, bytes]}}."""
    carry: Carry = {}
    skips: dict[str, list[int]] = {}
    for chunk in chunks(path, Named("site", "system", "source", parser.name), parser, datetime.now(UTC)):
        parsed = parser.parse(chunk.data, chunk.origin, zone, carry)
        carry = parsed.carry
        start = chunk.origin.position
        events = with_local_times(parsed.events.select(name for name in EVENTS if name not in _PROVENANCE), zone)
        told = [(row["position"], row["length"], "event", _filled(row)) for row in events.iter_rows(named=True)]
        told += [(position, length, "reject", reason) for position, length, reason, _ in parsed.rejects.iter_rows()]
        for position, length, kind, what in sorted(told, key=lambda one: one[0]):
            raw = chunk.data[position - start : position - start + length]
            yield {"position": position, "raw": excerpt(raw, RAW_CHARACTERS), kind: what}
        for reason, (count, size) in parsed.skips.items():
            have = skips.setdefault(reason, [0, 0])
            skips[reason] = [have[0] + count, have[1] + size]
    yield {"skips": dict(sorted(skips.items()))}


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    """What the record says: columns that are null or the default are left out."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and name not in ("position", "length") and value != _DEFAULTS.get(name)
    }


def run_sample(path: Path, parser: Parser, zone: ZoneInfo, limit: int, *, rejects_only: bool, as_json: bool) -> None:
    """Print at most `limit` records, all of them counted."""
    shown_records = events = rejected = 0
    for record in records(path, parser, zone):
        if "skips" in record:
            counts = ", ".join(f"{reason} {count}" for reason, (count, _) in record["skips"].items()) or "0"
            if as_json:
                print(json.dumps(record))
            print(f"{shown(path)}: {events} events, {rejected} rejects, skips: {counts}", file=sys.stderr)
            break
        events += "event" in record
        rejected += "reject" in record
        if shown_records >= limit or (rejects_only and "reject" not in record):
            continue
        shown_records += 1
        print(json.dumps(record, ensure_ascii=False, default=str) if as_json else _side_by_side(record))


def _side_by_side(record: dict[str, Any]) -> str:
    lines = [f"@{record['position']}  {_printable(record['raw'].rstrip())}"]
    if "reject" in record:
        lines.append(f"    REJECT 拒收: {record['reject']}")
    else:
        lines += [f"    {name}: {_printable(str(value))}" for name, value in record["event"].items()]
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    """Log text on a terminal: no control characters, which could rewrite the screen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
