"""One stream of syslog from many programs: each line goes to the format of the program that its tag names.

For a port that receives everything (docs/sources.md) and for mixed files such as /var/log/messages. The formats behind it
are asked for when a line of theirs comes; which options they get is set here. What they remember is kept apart, for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, ValidationError, field_validator

from config.values import Model
from parsers.accounting import REJECT_TEXT
from parsers.events import REJECTS, Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.openssh import PROGRAMS as OPENSSH
from parsers.registry import Carry, Parsed, Parser, parser, parsers
from parsers.syslog import envelope

PROGRAMS = {
    "postgres": "postgresql_syslog",
    "mysql-server_auditing": "mariadb_server_audit_syslog",
    **dict.fromkeys(OPENSSH, "openssh_sftp"),
    "vsftpd": "vsftpd_syslog",
    "smbd_audit": "samba_full_audit",
    "rsyncd": "rsyncd_syslog",
    "pure-ftpd": "pureftpd_syslog",
    "kernel": "linux_kernel",
    "udisksd": "linux_kernel",
}
_FAMILIES = {"postfix/": "postfix", "postfix-": "postfix"}  # postfix/smtpd, postfix-out/smtp
_IN_PIECES = {"postgresql_syslog"}  # a message is several lines; its framing passes over those of other programs
_IN_PIECES_TAG = b"postgres"
_OTHER = "other_program"
SKIPS = {
    "blank": "an empty line records nothing",
    "other_program": "a line of a program that no format here reads; add it under `programs` if it is one under another tag",
    "by_its_format": "a line that the format of its program counts as saying nothing; that format's page has the reasons",
}


class Options(Model):
    programs: dict[str, str] = Field(
        default_factory=dict,
        description="format of further tags, such as {postgres-his: postgresql_syslog}; none: `skip`",
    )
    formats: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of the formats behind it, by format"
    )

    @field_validator("programs")
    @classmethod
    def _known(cls, programs: dict[str, str]) -> dict[str, str]:
        possible = {*PROGRAMS.values(), *_FAMILIES.values(), "skip"}
        for tag, name in programs.items():
            if name not in possible:
                raise ValueError(f"{tag}: not a format that reads syslog: {name}; known: {', '.join(sorted(possible))}")
        return programs

    @field_validator("formats")
    @classmethod
    def _sound(cls, formats: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        possible = {*PROGRAMS.values(), *_FAMILIES.values()}
        for name, options in formats.items():
            if name not in possible:
                raise ValueError(f"not a format that reads syslog: {name}; known: {', '.join(sorted(possible))}")
            unit = parsers().get(name)
            if unit is None:
                raise ValueError(f"{name}: this version does not have that format")
            try:
                unit.configured(options)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(f"{name}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
        return formats


def framing(buffer: bytes, *, final: bool, options: Options) -> int:
    """Up to the last line, or to where a format behind it has put the pieces of its last message together."""
    whole = lines(buffer, final=final)
    if final:
        return whole
    for name in _IN_PIECES & parsers().keys():
        if whole and _IN_PIECES_TAG in buffer:
            unit = parsers()[name].configured(options.formats.get(name, {}))
            whole = min(whole, unit.framing(buffer[:whole], final=False))
    return whole


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """The likeliest options of every format behind it that the beginning of a file names."""
    formats = {}
    for name in sorted(set(PROGRAMS.values()) & parsers().keys()):
        unit = parsers()[name]
        if unit.guess is not None and any(tag.encode() in head for tag, its in PROGRAMS.items() if its == name):
            formats[name] = dict(next(iter(unit.guess(head)), {}))
    if any(formats.values()):
        yield {"formats": {name: options for name, options in formats.items() if options}}


@parser(
    "syslog", reference="RFC 3164, RFC 5424; the formats behind it by their own", framing=framing, skips=SKIPS, options=Options, guess=guess, settle_seconds=2.0
)  # fmt: skip
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, options: Options) -> Parsed:
    """Hand each line to the format of its program; `zone` is that of stamps that tell none.

    Reasons of rejects: those of `parsers.syslog` and of the formats behind it.
    """
    if not chunk:
        return Parsed(carry=carry)
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    blank = (pl.col("text").str.strip_suffix("\r") == "").fill_null(value=False)
    frame, year = envelope(frame.with_columns(blank=blank), origin, zone, carry.get("year", {}))
    frame = frame.with_columns(
        format=pl.when(~pl.col("blank") & pl.col("problem").is_null()).then(_format(options, set(parsers())))
    )
    carries: dict[str, Any] = dict(carry.get("formats", {}))
    events, rejects, skips = [], [_unread(frame)], _skips(frame)
    for name in sorted(frame["format"].drop_nulls().unique().to_list()):
        if name == _OTHER:
            continue
        theirs = frame.filter(pl.col("format") == name)
        read = _read(parsers()[name].configured(options.formats.get(name, {})), chunk, theirs, origin, zone, carries)
        events.append(read.events)
        rejects.append(read.rejects)
        for records, size in read.skips.values():
            have = skips.get("by_its_format", (0, 0))
            skips["by_its_format"] = (have[0] + records, have[1] + size)
    told = pl.concat(events).sort("position") if events else Parsed().events
    next_carry = {"year": dict(year), "formats": carries, "unfinished": unfinished(chunk)}
    return Parsed(told, pl.concat(rejects).sort("position"), skips, next_carry)


def _format(options: Options, registered: set[str]) -> pl.Expr:
    """Format of a line by its tag; OTHER where there is none."""
    named = {
        tag: name for tag, name in {**PROGRAMS, **options.programs}.items() if name in registered or name == "skip"
    }
    named = {tag: _OTHER if name == "skip" else name for tag, name in named.items()}
    tag = pl.col("tag")
    found = tag.replace_strict(named, default=None, return_dtype=pl.String)
    for beginning, name in _FAMILIES.items():
        if name in registered:
            found = pl.coalesce(found, pl.when(tag.str.starts_with(beginning)).then(pl.lit(name)))
    return found.fill_null(_OTHER)


def _unread(frame: pl.DataFrame) -> pl.DataFrame:
    refused = frame.filter(~pl.col("blank") & pl.col("problem").is_not_null())
    text = pl.col("text").fill_null("").str.slice(0, REJECT_TEXT)
    return refused.select("position", "length", reason="problem", text=text).cast(dict(REJECTS))  # type: ignore[arg-type]


def _skips(frame: pl.DataFrame) -> dict[str, tuple[int, int]]:
    found = {}
    for reason, rows in (("blank", frame.filter("blank")), (_OTHER, frame.filter(pl.col("format") == _OTHER))):
        if rows.height:
            found[reason] = (rows.height, int(rows["length"].sum()))
    return found


def _read(
    unit: Parser, chunk: bytes, theirs: pl.DataFrame, origin: Origin, zone: ZoneInfo, carries: dict[str, Any]
) -> Parsed:
    """The lines of one program through its format.

    That sees a stream of its own lines alone, whose positions go on from chunk to chunk wherever the chunks were cut;
    what it tells of them is brought back to the places where the lines really stand.
    """
    remembered = carries.get(unit.name, {})
    start = int(remembered.get("position", 0))
    places = zip((theirs["position"] - origin.position).to_list(), theirs["length"].to_list(), strict=True)
    piece = b"".join([chunk[at : at + size] for at, size in places])
    own = replace(origin, format=unit.name, position=start)
    read = unit.parse(piece, own, zone, remembered.get("carry", {}))
    carries[unit.name] = {"position": start + len(piece), "carry": dict(read.carry)}
    lengths = theirs["length"].cast(pl.UInt64)
    lines_of = pl.DataFrame({"within": lengths.cum_sum() - lengths + start, "real": theirs["position"]})
    events = _brought_back(read.events, lines_of).with_columns(
        event_id=pl.lit(origin.key + "-") + pl.col("position").cast(pl.String)
    )
    return Parsed(events, _brought_back(read.rejects, lines_of), read.skips)


def _brought_back(frame: pl.DataFrame, lines_of: pl.DataFrame) -> pl.DataFrame:
    if frame.is_empty():
        return frame
    rows = lines_of["within"].search_sorted(frame["position"], side="right").cast(pl.Int64) - 1
    line = lines_of[rows.clip(0, lines_of.height - 1)]
    # an offset within the line: none, but for pieces of a line that was too long
    offset = frame["position"].cast(pl.Int64) - line["within"].cast(pl.Int64)
    return frame.with_columns(position=(line["real"].cast(pl.Int64) + offset.clip(0)).cast(pl.UInt64))
