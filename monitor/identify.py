"""`hiswatch identify`: which format a file is in, and the configuration to paste. Every parser reads the beginning of the file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import ValidationError

from monitor.errors import StartError
from monitor.replay import open_regular, refuse_compressed, shown
from parsers.events import Origin
from parsers.registry import Parser, parsers

HEAD_BYTES = 512 * 1024  # read by every candidate
QUICK_BYTES = 32 * 1024  # read first, to drop those that understand nothing
LEAST = 0.5  # share of the bytes that a format must understand to be named
_PASSED = ("other_program", "not_selected")  # skips that say "not mine"
_NOTHING = ("blank", "comment", "structure")  # skips that any file may have
_STREAM = "syslog"  # reads what the formats behind it read: of two equal answers the plainer one is theirs
_DRAFTS = ("json_lines", "csv_lines")  # their fields are guessed by name
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./*-]*")
_DATE = re.compile(r"(?:19|20)\d\d([-_.]?)[01]\d\1[0-3]\d(?:[-_.T]?\d{2,6})?(?!\d)")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one parser, with certain options, makes of the beginning of a file."""

    format: str
    options: Mapping[str, Any]
    events: int
    rejects: int
    skips: Mapping[str, int]  # reason -> records
    understood: float  # share of the bytes in events and in skips of the format's own
    told: float  # columns filled, on average: of two readings the one that says more is right
    last: datetime | None
    reject_reasons: Mapping[str, int]

    @property
    def rank(self) -> tuple[float, float, int, bool]:
        return round(self.understood, 3), self.told, -len(self.options), self.format != _STREAM


def identify(path: Path, zone: ZoneInfo) -> list[Candidate]:
    """Formats that understand most of the beginning of the file, the best first. Raises StartError for what is no log."""
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        head = file.read(HEAD_BYTES)
        modified = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
        ended = len(head) == os.fstat(descriptor).st_size
    _refuse_what_is_no_log(path, head)
    tried = []
    for parser, options in candidates(head):
        quick = _try(parser, options, head[:QUICK_BYTES], modified, zone, ended=ended and len(head) <= QUICK_BYTES)
        if quick.understood >= LEAST / 5:
            tried.append(_try(parser, options, head, modified, zone, ended=ended) if len(head) > QUICK_BYTES else quick)
    if not _likely(tried) and len(head) > QUICK_BYTES:  # a log cut within one great record begins with the rest of it
        tried = [_try(parser, options, head, modified, zone, ended=ended) for parser, options in candidates(head)]
    ranked = sorted(_likely(tried), key=lambda one: one.rank, reverse=True)
    best: dict[str, Candidate] = {}
    for one in ranked:
        best.setdefault(one.format, one)  # the best reading of each format, at the place of that reading
    return list(best.values())


def _likely(tried: list[Candidate]) -> list[Candidate]:
    """Those that understand most of it; where no record tells an act yet (a server has just started), by its skips alone."""
    good = [one for one in tried if one.understood >= LEAST]
    return [one for one in good if one.events] or [
        one for one in good if not one.rejects and set(one.skips) - {*_PASSED, *_NOTHING}
    ]


def candidates(head: bytes) -> Iterator[tuple[Parser, Mapping[str, Any]]]:
    """Every format, with the options that it guesses from the beginning of a file."""
    for parser in parsers().values():
        guesses = list(parser.guess(head)) if parser.guess is not None else []
        if parser.options is None or not any(field.is_required() for field in parser.options.model_fields.values()):
            guesses.append({})
        for options in guesses:
            try:
                yield parser.configured(options), options
            except ValidationError:
                continue


def _refuse_what_is_no_log(path: Path, head: bytes) -> None:
    if not head:
        raise StartError(f"{shown(path)}: empty, nothing to tell a format by")
    refuse_compressed(path, head)
    if head.startswith(_UTF16):
        raise StartError(f"{shown(path)}: UTF-16; convert it first (iconv -f UTF-16 -t UTF-8)")


def _try(
    parser: Parser, options: Mapping[str, Any], head: bytes, modified: datetime, zone: ZoneInfo, *, ended: bool
) -> Candidate:
    whole = parser.framing(head, final=ended)
    origin = Origin(
        "site", "system", "source", "file", parser.name, "0" * 16, 0, datetime.now(UTC), modified, replay=True
    )
    parsed = parser.parse(head[:whole], origin, zone, {})
    events, rejects = parsed.events, parsed.rejects
    own = sum(size for reason, (_, size) in parsed.skips.items() if reason not in _PASSED)
    good = int(events["length"].sum()) + own
    mains = events.filter(pl.col("record_role") == "main")
    return Candidate(
        format=parser.name,
        options=options,
        events=events.height,
        rejects=rejects.height,
        skips={reason: records for reason, (records, _) in parsed.skips.items()},
        understood=good / len(head[:whole]) if whole else 0.0,
        told=round(sum(_filled(mains[name]) for name in _TELLING) / max(1, mains.height), 2),
        last=events["occurred_at"].max(),  # type: ignore[arg-type]
        reject_reasons=dict(rejects["reason"].value_counts().sort("count", descending=True).iter_rows()),
    )


_TELLING = (
    "account",
    "client_ip",
    "session",
    "database",
    "statement",
    "rows",
    "path",
    "bytes",
    "command",
    "error_code",
)
_NAMES = ("account", "database")


def _filled(column: pl.Series) -> int:
    """Values that tell something. A name with blanks in it is most likely several fields that were read as one."""
    told = len(column) - column.null_count()
    return told - int(column.str.contains(" ", literal=True).sum() or 0) if column.name in _NAMES else told


def hours_off(last: datetime, modified: datetime) -> str | None:
    """Where the last stamp of a file, as read, differs from its modification time by whole hours: that difference.

    None: it fits, or nothing can be told (the file was copied, or not written at its last record).
    """
    behind = modified - last
    hours = round(behind / timedelta(hours=1))
    near = abs(behind - timedelta(hours=hours)) < timedelta(minutes=2)
    return f"{hours:+d}" if near and hours and abs(hours) <= 14 else None


def configuration(path: Path, best: Candidate, zone: str) -> str:
    """The lines to paste into hospital.yaml."""
    undated = _DATE.sub("*", path.name)  # a file a day: tomorrow's is meant as well
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", undated.partition(".")[0]).strip("_-")[:40] or "log"
    lines = [
        "sources:",
        f"  {stem}:",
        "    system: CHANGE-ME  # the database or server that writes it; accounts are one within a system",
        f"    path: {_scalar(str(path.resolve().parent / undated))}",
        f"    format: {best.format}",
        f"    timezone: {'UTC' if _says_utc(best) else zone}",
    ]
    if best.options:
        lines.append("    options:")
        lines += [f"      {name}: {_scalar(value)}" for name, value in best.options.items()]
    return "\n".join(lines)


def _says_utc(best: Candidate) -> bool:
    """The field that the time is read from is called so."""
    fields = best.options.get("fields")
    time = str(fields.get("occurred_at", "")) if isinstance(fields, Mapping) else ""
    return bool(re.search(r"(?i)(?:^|[^a-z])utc(?:$|[^a-z])", time.replace("_", " ")))


def _scalar(value: Any) -> str:
    """YAML: JSON is YAML, plain where that is safe."""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def run_identify(files: Iterable[Path], timezone: str, *, as_json: bool) -> bool:
    """Print what each file is. False when one of them is of no known format."""
    from monitor.export import zone_named

    zone = zone_named(timezone)
    known = True
    failed = []
    for path in files:
        try:
            found = identify(path, zone)
        except StartError as error:  # the other files are told all the same
            failed.append(str(error))
            continue
        known = known and bool(found)
        if as_json:
            print(json.dumps({"file": shown(path), "candidates": [_plain(path, one, timezone) for one in found]}))
        else:
            _tell(path, found, zone)
    if failed:
        raise StartError("\n".join(failed))
    return known


def _plain(path: Path, one: Candidate, timezone: str) -> dict[str, Any]:
    return {
        "format": one.format, "options": dict(one.options), "understood": round(one.understood, 4), "events": one.events,
        "rejects": dict(one.reject_reasons), "skips": dict(one.skips), "configuration": configuration(path, one, timezone),
    }  # fmt: skip


def _tell(path: Path, found: list[Candidate], zone: ZoneInfo) -> None:
    name = shown(path)
    if not found:
        print(
            f"{name}: no known format understands it. 没有已知格式。\n"
            "Describe it with json_lines, csv_lines, key_value or regex_lines: docs/formats/generic.md"
        )
        return
    best = found[0]
    size = path.stat().st_size
    part = f" (of its first {HEAD_BYTES // 1024} KiB 仅文件开头)" if size > HEAD_BYTES else ""
    print(f"{name}: {best.format}: {_counts(best)}{part}")
    for other in found[1:4]:
        print(f"  also possible 也可能: {other.format}: {_counts(other)}{_options(other)}")
    if best.format in _DRAFTS:
        print(
            "  a first draft by the names of its fields; check each, and what is missing 字段映射仅为草稿，请逐项核对"
        )
    if best.reject_reasons:
        print(f"  rejects: {', '.join(f'{reason} {count}' for reason, count in best.reject_reasons.items())}")
        print(f"  look at them 查看: hiswatch sample {best.format} {name}{_arguments(best)}")
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if best.last is not None and (hours := hours_off(best.last, modified)):
        print(f"  time zone 时区: the last record is {hours} h off the time the file was written; check timezone")
    print("\n" + configuration(path, best, zone.key) + "\n")


def _counts(one: Candidate) -> str:
    return (
        f"{one.understood:.1%} understood, {one.events} events, {one.rejects} rejects, {sum(one.skips.values())} skips"
    )


def _options(one: Candidate) -> str:
    return f" {json.dumps(dict(one.options), ensure_ascii=False)}" if one.options else ""


def _arguments(one: Candidate) -> str:
    import shlex

    pairs = (f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in one.options.items())
    return "".join(f" --option {shlex.quote(pair)}" for pair in pairs)
