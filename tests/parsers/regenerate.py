"""Rewrite the expected files of the golden samples: `make regenerate parser=postgresql_csvlog`. Then read the diff.

A sample is tests/parsers/samples/<parser>/<name>.log with <name>.events.jsonl beside it: one line a record (event or
reject, in order of position), and a last line with the counted skips. The zone is not UTC, so that a forgotten
conversion shows; a name that ends in `-utc` is read as UTC. A sample whose format needs other options than the default
has them in <name>.options.json beside it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import Origin
from parsers.registry import Parsed, Parser, parsers

SAMPLES = Path(__file__).parent / "samples"
RECEIVED = datetime(2026, 12, 1, tzinfo=UTC)
PROVENANCE = (
    "event_id", "site", "system", "source", "file", "format", "generation", "received_at", "clock_trusted",
)  # fmt: skip
DEFAULTS = {"record_role": "main", "truncated": False, "forgeable": False}


def zone_of(sample: Path) -> ZoneInfo:
    return ZoneInfo("UTC" if sample.stem.endswith("-utc") else "Asia/Shanghai")


def origin_of(parser: str, position: int = 0) -> Origin:
    return Origin("site", "system", "source", "/log", parser, "0" * 16, position, RECEIVED, RECEIVED)


def samples() -> list[Path]:
    """All sample logs; the folder's name is the parser's."""
    beside = (".events.jsonl", ".options.json")
    return sorted(path for path in SAMPLES.glob("*/*") if path.is_file() and not path.name.endswith(beside))


def expected_file(sample: Path) -> Path:
    return sample.with_name(sample.stem + ".events.jsonl")


def options_of(sample: Path) -> dict[str, Any]:
    beside = sample.with_name(sample.stem + ".options.json")
    return dict(json.loads(beside.read_text(encoding="utf-8"))) if beside.exists() else {}


def unit_of(sample: Path) -> Parser:
    """The parser a sample is for, configured as it needs."""
    unit = parsers()[sample.parent.name]
    options = options_of(sample)
    return unit.configured(options) if options else unit


def parse_whole(sample: Path) -> Parsed:
    unit = unit_of(sample)
    chunk = sample.read_bytes()
    assert unit.framing(chunk, final=True) == len(chunk)
    return unit.parse(chunk, origin_of(unit.name), zone_of(sample), {})


def rendered(parsed: Parsed) -> str:
    """Events and rejects in order of position, as JSON lines; what is null or the default is left out."""
    lines: list[tuple[int, str]] = []
    events = parsed.events.drop(PROVENANCE).with_columns(pl.col("occurred_at").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ"))
    for row in events.iter_rows(named=True):
        told = {name: value for name, value in row.items() if value is not None and value != DEFAULTS.get(name)}
        lines.append((row["position"], json.dumps(told, ensure_ascii=False)))
    rejects = parsed.rejects.iter_rows(named=True)
    lines += [(row["position"], json.dumps({"reject": row}, ensure_ascii=False)) for row in rejects]
    skips = {reason: list(counts) for reason, counts in sorted(parsed.skips.items())}
    return "".join(f"{text}\n" for _, text in sorted(lines)) + json.dumps({"skips": skips}) + "\n"


def main(only: str | None) -> None:
    for sample in samples():
        if only in (None, sample.parent.name):
            expected_file(sample).write_text(rendered(parse_whole(sample)), encoding="utf-8")
            print(expected_file(sample).relative_to(SAMPLES))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
