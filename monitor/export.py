"""`hiswatch events`: normalised events of given files as JSON lines or Parquet."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from config.validation import option_faults
from monitor.errors import StartError
from monitor.rendering import json_lines
from monitor.replay import Named, chunks, plan, shown
from monitor.sources.generations import log_of
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


def parser_configured(name: str, options: Iterable[str]) -> Parser:
    """A format with options written as KEY=VALUE, the value JSON or else text. Raises StartError."""
    parser, given = parser_named(name), {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise StartError(f"--option {option}: expected KEY=VALUE")
        try:
            given[key] = json.loads(value)
        except ValueError:
            given[key] = value
    faults = [
        f"--option {'.'.join(map(str, keys))}: {message}" for keys, message in option_faults(parser.options, given)
    ]
    if faults:
        raise StartError("\n".join(faults))
    return parser.configured(given)


def zone_named(timezone: str) -> ZoneInfo:
    """Raises StartError."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise StartError(f"unknown time zone {timezone}; expected a name such as Asia/Shanghai") from None


def run_events(
    files: list[Path],
    config: Path | None,
    *,
    root: Path | None,
    source: str | None,
    log_format: str | None,
    timezone: str,
    options: list[str],
    masked: bool,
    parquet: Path | None,
) -> None:
    """Rejects and skips are counted on standard error: nothing is dropped in silence."""
    work, zone = _work(files, config, root, source, log_format, timezone, options)
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
    files: list[Path],
    config: Path | None,
    root: Path | None,
    source: str | None,
    log_format: str | None,
    timezone: str,
    options: list[str],
) -> tuple[Work, ZoneInfo]:
    if (config is None) == (log_format is None):
        raise StartError("events: give --config, or --format (with --timezone), and not both")
    if options and log_format is None:
        raise StartError("events: --option goes with --format; in a configuration they stand below the source")
    if log_format is not None:
        parser, zone = parser_configured(log_format, options), zone_named(timezone)
        named = Named("site", "system", source or log_format, log_format)
        return [(path, named, parser, zone) for path in files], zone
    from monitor.assemble import named_source, read_site, source_parsers

    assert config is not None
    settings = read_site(config, root).settings
    planned, units = plan(settings, files, source), source_parsers(settings)
    return [
        (
            path,
            named_source(settings, name),
            units[name],
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
        log = log_of(named.source, shown(path))
        for chunk in chunks(path, named, parser, now):
            parsed = parser.parse(chunk.data, chunk.origin, zone, carries.get(log, {}))
            carries[log] = parsed.carry
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
