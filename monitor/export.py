"""`hiswatch events`: normalised events of given files as JSON lines or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from monitor.errors import StartError
from monitor.rendering import json_lines
from monitor.replay import Named, chunks, plan, shown
from parsers.events import EVENTS, empty
from parsers.registry import Carry, Parser, parsers

MASKED = (*(name for name in EVENTS if name not in ("statement", "parameters")), "shape_id", "shape", "patient_keys")


def parser_named(name: str) -> Parser:
    """Raises StartError that names the known formats and the nearest one."""
    known = parsers()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise StartError(f"unknown format {name}; known: {', '.join(known)}{meant}")


def run_events(
    files: list[Path],
    config: Path | None,
    *,
    root: Path | None,
    source: str | None,
    log_format: str | None,
    timezone: str,
    masked: bool,
    parquet: Path | None,
) -> None:
    """Rejects and skips are counted on standard error: nothing is dropped in silence."""
    work, zone = _work(files, config, root, source, log_format, timezone)
    out = _Output(zone, parquet)
    if masked:
        from monitor.assemble import masking

        with masking(config) as mask:
            for frame in _frames(work):
                out.write(mask(frame).select(MASKED))
    else:
        for frame in _frames(work):
            out.write(frame)
    out.close(empty(EVENTS))


Work = list[tuple[Path, Named, Parser, ZoneInfo]]


def _work(
    files: list[Path], config: Path | None, root: Path | None, source: str | None, log_format: str | None, timezone: str
) -> tuple[Work, ZoneInfo]:
    if (config is None) == (log_format is None):
        raise StartError("events: give --config, or --format (with --timezone), and not both")
    if log_format is not None:
        parser = parser_named(log_format)
        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise StartError(f"unknown time zone {timezone}; expected a name such as Asia/Shanghai") from None
        named = Named("site", "system", source or log_format, log_format)
        return [(path, named, parser, zone) for path in files], zone
    from monitor.assemble import named_source, read_site

    assert config is not None
    settings = read_site(config, root).settings
    planned = plan(settings, files, source)
    return [
        (
            path,
            named_source(settings, name),
            parsers()[settings.sources[name].format],
            settings.source_zone(settings.sources[name]),
        )
        for path, name in planned
    ], settings.zone


def _frames(work: Work) -> Iterator[pl.DataFrame]:
    now = datetime.now(UTC)
    carries: dict[str, Carry] = {}
    for path, named, parser, zone in work:
        rejected: dict[str, int] = {}
        skipped: dict[str, int] = {}
        for chunk in chunks(path, named, parser, now):
            parsed = parser.parse(chunk.data, chunk.origin, zone, carries.get(named.source, {}))
            carries[named.source] = parsed.carry
            for reason in parsed.rejects["reason"].to_list():
                rejected[reason] = rejected.get(reason, 0) + 1
            for reason, (records, _) in parsed.skips.items():
                skipped[reason] = skipped.get(reason, 0) + records
            yield parsed.events
        for word, counts in (("rejected", rejected), ("skipped", skipped)):
            if counts:
                print(f"{shown(path)}: {word}: {_counts(counts)}", file=sys.stderr)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))


class _Output:
    def __init__(self, zone: ZoneInfo, parquet: Path | None) -> None:
        self._zone = zone
        self._parquet = parquet
        self._frames: list[pl.DataFrame] = []

    def write(self, frame: pl.DataFrame) -> None:
        if self._parquet is None:
            sys.stdout.buffer.write(json_lines(frame, self._zone))
        else:
            self._frames.append(frame)

    def close(self, schema: pl.DataFrame) -> None:
        if self._parquet is None:
            sys.stdout.buffer.flush()
            return
        try:
            pl.concat(self._frames or [schema]).write_parquet(self._parquet, compression="zstd")
        except OSError as error:
            raise StartError(f"{self._parquet}: {error.strerror or 'cannot be written'}") from error
