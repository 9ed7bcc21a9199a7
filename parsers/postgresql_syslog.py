r"""PostgreSQL through syslog (log_destination=syslog): the lines of `postgresql_stderr`, in pieces ``postgres[pid]: [N-M] …``.

Three envelopes of rsyslog and raw datagrams without a host, told apart line by line (syslog.py). The pieces of a message
are put together (postgresql_pieces.py): its event has the place of the first, the others are counted as skips.
A line break in a user name cannot begin a record here, because the server numbers the pieces.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers import postgresql_records
from parsers.decoding import decode
from parsers.events import Origin
from parsers.framing import MAX_RECORD, split_lines, unfinished
from parsers.pgaudit import PREFIX as AUDIT
from parsers.postgresql_pieces import jointed, last_cut, numbered
from parsers.postgresql_prefix import Prefix, SyslogOptions, compiled, fitting
from parsers.postgresql_records import assemble, rejected
from parsers.postgresql_text import gathered, headed, longest_reading, second_readings, understood, with_fields
from parsers.registry import Carry, Parsed, parser
from parsers.syslog import REASONS, envelope

SKIPS = {
    **postgresql_records.SKIPS,
    "continuation_piece": "a further piece of a message: its text is in the event that stands at the first piece",
    "blank": "an empty line records nothing",
    "other_program": "a line of another program in the same file; its own parser reads it",
}
_RAW = r"^(<[0-9]{1,3}>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) ([^ \[:]+\[[0-9]+\]: )"  # a datagram to the local socket: no host
_JOINED = 8  # pieces over which the line breaks of names can spread a prefix
_TRIED = 1000  # such messages in one chunk; more of them mean that the configured prefix is another than the server's
_BODY = r"(?:\]:| - -) {1,2}(?:\[[0-9]+-[0-9]+\] )?(.*)$"


def framing(buffer: bytes, *, final: bool, options: SyslogOptions) -> int:
    """Up to where no message is unfinished and none is spread over the cut."""
    if final:
        return len(buffer)
    whole = buffer.rfind(b"\n") + 1
    if not whole:
        return len(buffer) // MAX_RECORD * MAX_RECORD
    lines = split_lines(buffer[:whole], 0)
    cut = last_cut(numbered(lines, options.syslog_ident, compiled(options.log_line_prefix)))
    if cut:
        return int(lines["position"][cut - 1]) + int(lines["length"][cut - 1])
    return whole if len(buffer) >= 2 * MAX_RECORD else 0


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """Common prefixes under which the first pieces at the beginning of the file read."""
    lines = pl.Series([decode(line) for line in head[:65536].split(b"\n")[:400]], dtype=pl.String)
    first = lines.filter(lines.str.contains(r"postgres(?:\[[0-9]+\]:| [0-9]+ - -) {1,2}(?:\[[0-9]+-1\] )?"))
    yield from fitting([text for text in first.str.extract(_BODY).to_list() if text])


@parser(
    "postgresql_syslog",
    reference="PostgreSQL manual, Error Reporting and Logging: syslog_sequence_numbers; RFC 3164, RFC 5424",
    framing=framing,
    dialect="postgres",
    skips=SKIPS,
    options=SyslogOptions,
    guess=guess,
    settle_seconds=2.0,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: SyslogOptions) -> Parsed:
    """Read whole messages from their pieces, with pgaudit messages inside.

    `zone` is the server's log_timezone and that of stamps without one. Rejects: those of `parsers.syslog`, no_prefix (the
    message does not begin with the prefix), lost_beginning (pieces without the first), bad_timestamp, bad_audit_payload.
    A message with a gap in its pieces, or whose audit record breaks off, is an event with `truncated` set.
    """
    if not chunk:
        return Parsed(carry=carry)
    prefix = compiled(options.log_line_prefix)
    col = pl.col
    lines = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    lines = numbered(lines, options.syslog_ident, prefix)
    # the further pieces of a message have the envelope of its first
    hosted = lines.filter(col("first").fill_null(value=True)).select("position", "length", "text")
    if hosted["text"].str.contains(r"^<[0-9]{1,3}>[A-Z]").any():
        hosted = hosted.with_columns(col("text").str.replace(_RAW, "$1 - $2"))
    hosted, year = envelope(hosted, origin, zone, carry.get("year", {}))
    hosted = hosted.select("position", "problem", envelope_at="occurred_at")
    lines = lines.join(hosted, on="position", how="left", maintain_order="left")
    blank = (col("text").str.strip_suffix("\r") == "").fill_null(value=False)
    lines = lines.with_columns(
        what=pl.when(blank)
        .then(pl.lit("blank"))
        .when(col("problem").is_not_null())
        .then(pl.lit("bad"))
        .when(col("process").is_null())
        .then(pl.lit("other_program"))
    )
    if (lines["what"] == "bad").any():  # with the first piece the whole message
        bad = ((col("what") == "bad") & col("group").is_not_null()).fill_null(value=False)
        lines = lines.with_columns(
            what=pl.when(bad.any().over("group") & col("group").is_not_null()).then(pl.lit("bad")).otherwise("what"),
            problem=pl.when(col("group").is_not_null())
            .then(col("problem").forward_fill().over("group"))
            .otherwise("problem"),
        )
    ours = jointed(lines.filter(col("what").is_null() & col("group").is_not_null()).sort("group", "position"))
    records, failed = _messages(ours, prefix)
    read = understood(records, prefix, origin, zone, carry)
    rejects = _rejects(chunk, origin, lines.filter(col("what") == "bad").select("position", "length", reason="problem"))
    rejects += _rejects(chunk, origin, failed)
    further = ours.filter(~col("first") & ~col("position").is_in(failed["position"].implode()))
    skips = _counts(lines, further)
    whole = assemble(Parsed(rejects=rejected(rejects), skips=skips), read)
    return Parsed(
        whole.events, whole.rejects, whole.skips, {**whole.carry, "year": year, "unfinished": unfinished(chunk)}
    )


def _messages(ours: pl.DataFrame, prefix: Prefix) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records of whole messages, and (position, length, reason) of the pieces of those that cannot be read."""
    col = pl.col
    # a piece of a cut line begins with the blank, one behind a line break with the TAB that is `glue` by now
    maybe = pl.when(col("first") | ((col("glue") == "") & ~col("body").str.contains(r"^[ \t]"))).then("body")
    lines = (
        headed(
            ours.select(
                "position",
                "length",
                "group",
                "first",
                "full",
                "lost",
                "glue",
                "process",
                "envelope_at",
                "body",
                text=maybe,
            ),
            prefix,
        )
        .with_columns(text="body")
        .drop("body")
    )
    # the server numbers the pieces: behind the first one nothing begins a record, and a cut word no follow-up line
    lines = lines.with_columns(
        field=pl.when(
            pl.when("first").then(col("field") == "message").otherwise((col("field") != "message") & ~col("full"))
        ).then("field"),
        forgeable=pl.lit(value=False),
    )
    lines = lines.with_columns(rest=pl.when(col("field").is_null()).then("text").otherwise("rest"))
    headless = lines.filter(col("first") & col("field").is_null())
    mended, failed = _mended(lines, headless, prefix)
    sound = lines.filter(~col("group").is_in(headless["group"].implode())) if headless.height else lines
    again = second_readings(sound.filter("first"), prefix).filter(col("field") == "message")
    sound = pl.concat([sound.filter(~col("position").is_in(again["position"].implode())), again])
    sound = sound.sort("group", "position")
    if mended.height:
        sound = pl.concat([sound, mended.select(sound.columns)]).sort("group", "position")
    records = gathered(sound)
    # of the message, not of one of its pieces
    torn = sound.group_by("group").agg(truncated=col("lost").any())
    records = records.join(torn, on="group", how="left", maintain_order="left")
    records = records.with_columns(
        whole_length="length", pid=col("pid").fill_null(col("process")), occurred_at="envelope_at"
    )
    return _rescued(records), failed


def _mended(lines: pl.DataFrame, headless: pl.DataFrame, prefix: Prefix) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Messages whose first piece has no severity: a line break in a name, or the first piece was lost."""
    col = pl.col
    nothing = lines.clear()
    schema = {"position": pl.UInt64, "length": pl.UInt32, "reason": pl.String}
    if not headless.height:
        return nothing, pl.DataFrame(schema=schema)
    groups = lines.filter(col("group").is_in(headless["group"].implode()))
    made: list[pl.DataFrame] = []
    for part in groups.partition_by("group", maintain_order=True)[:_TRIED]:
        read = None if part["lost"][0] else longest_reading(part["text"].head(_JOINED).to_list(), prefix)
        if read is not None:
            fields = {name: value for name, value in read.items() if name in lines.columns}
            made.append(
                part.head(1).with_columns(pl.lit(value, pl.String).alias(name) for name, value in fields.items())
            )
    mended = pl.concat(made) if made else nothing
    mended = with_fields(mended).with_columns(forgeable=pl.lit(value=True)).filter(col("field") == "message")
    bad = groups.filter(~col("group").is_in(mended["group"].implode()))
    behind = (col("lost") & col("first")).any().over("group")
    reason = pl.when(behind).then(pl.lit("lost_beginning")).otherwise(pl.lit("no_prefix"))
    return mended, bad.select("position", "length", reason=reason)


def _rescued(records: pl.DataFrame) -> pl.DataFrame:
    """Audit records that break off (the last pieces were lost) are closed, so that what is left of the statement is read."""
    col = pl.col
    audit = col("message").str.starts_with(AUDIT)
    torn = audit & (col("truncated") | (col("message").str.count_matches('"', literal=True) % 2 == 1))
    if not records.select(torn.any()).item():
        return records
    records = records.with_columns(torn=torn)
    closed = [_closed(text) if broken else text for text, broken in records.select("message", "torn").iter_rows()]
    return records.with_columns(
        message=pl.Series(closed, dtype=pl.String), truncated=col("truncated") | col("torn")
    ).drop("torn")


def _closed(message: str) -> str:
    text = message[len(AUDIT) :]
    if text.count('"') % 2:
        text += '"'
    try:
        fields = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:
        return message
    return AUDIT + text + ",<not logged>" * (9 - len(fields)) if len(fields) >= 8 else message


def _rejects(chunk: bytes, origin: Origin, rows: pl.DataFrame) -> list[tuple[int, int, str, str]]:
    return [
        (position, length, reason, decode(chunk[start : start + min(length, 16384)])[:4096])
        for position, length, reason in rows.iter_rows()
        for start in (position - origin.position,)
    ]


def _counts(lines: pl.DataFrame, further: pl.DataFrame) -> dict[str, tuple[int, int]]:
    skipped = {reason: lines.filter(pl.col("what") == reason) for reason in ("blank", "other_program")}
    skipped["continuation_piece"] = further
    return {reason: (rows.height, int(rows["length"].sum())) for reason, rows in skipped.items() if rows.height}


__all__ = ["REASONS", "parse"]
