r"""PostgreSQL's text log (log_destination=stderr): ``<log_line_prefix><SEVERITY>:  <message>``, any configured prefix.

A record is a line with a severity, its continuation lines (one TAB in front, which is not part of the text) and its
follow-up lines (DETAIL, HINT, QUERY, CONTEXT, STATEMENT, LOCATION; the whole prefix again). It ends where the next begins.

A line break in a user or database name is written raw into the prefix, so whoever can reach the port can begin a line of
his own. Such a line follows a line that has the beginning of a prefix and no severity, within the length of two names:
both are read as one record where they fit together, and what else stands there is marked forgeable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.decoding import decode
from parsers.events import Origin
from parsers.framing import MAX_RECORD, split_lines, unfinished
from parsers.postgresql_prefix import Prefix, StderrOptions, compiled, fitting
from parsers.postgresql_records import SKIPS, assemble, rejected
from parsers.postgresql_text import gathered, headed, second_readings, spread, understood, with_fields
from parsers.registry import Carry, Parsed, parser

_SHADOW = 192  # bytes after the start of a line without severity in which its author may have written more lines
_JOINED = (8, 1024)  # lines and bytes of a prefix with line breaks in its names
_NAMES = 400  # characters: a line break later than that is in no name
_TRIED = 1000  # such prefixes in one chunk; more of them mean that the configured prefix is another than the server's
_TAIL = 65536  # bytes at the end of a buffer in which its last record usually begins


def framing(buffer: bytes, *, final: bool, options: StderrOptions) -> int:
    """Up to the last line that begins a record: the record there may go on."""
    if final:
        return len(buffer)
    whole = buffer.rfind(b"\n") + 1
    prefix = compiled(options.log_line_prefix)
    start = buffer.find(b"\n", whole - _TAIL, whole) + 1 if whole > 2 * _TAIL else 0
    found = start + _last_record(buffer[start:whole], prefix)
    # a window that begins inside a prefix with line breaks would take a forged line for a record
    if start and found < start + _JOINED[1]:
        found = _last_record(buffer[:whole], prefix)
    if found or len(buffer) < MAX_RECORD:
        return found
    return len(buffer) // MAX_RECORD * MAX_RECORD


def _last_record(buffer: bytes, prefix: Prefix) -> int:
    if not buffer:
        return 0
    lines, pending = _classified(buffer, 0, prefix, continued=False, final=False)
    mains = lines.filter(pl.col("field") == "message")["position"]
    if pending is not None:  # it may yet be a follow-up line of the record before
        mains = mains.filter(mains < pending)
    return int(mains.max() or 0)  # type: ignore[arg-type]


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """Common prefixes under which the beginning of the file reads."""
    return fitting([decode(line) for line in head[:65536].split(b"\n")[:400]])


@parser(
    "postgresql_stderr",
    reference="PostgreSQL manual, Error Reporting and Logging: log_line_prefix; pgaudit README, Format",
    framing=framing,
    dialect="postgres",
    skips=SKIPS,
    options=StderrOptions,
    guess=guess,
    settle_seconds=2.0,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: StderrOptions) -> Parsed:
    """Read whole records of the text log, with pgaudit messages inside.

    `zone` is the server's log_timezone. Rejects: no_prefix (a line that neither begins nor continues a record),
    too_long (a record of more than 1 MiB), bad_timestamp (no time, or no session), bad_audit_payload.
    """
    if not chunk:
        return Parsed(carry=carry)
    prefix = compiled(options.log_line_prefix)
    lines, _ = _classified(
        chunk, origin.position, prefix, continued=bool(carry.get("unfinished")), final=True, odd=carry.get("odd")
    )
    remembered = {"unfinished": unfinished(chunk), "odd": _last_odd(lines, carry)}
    lines = second_readings(lines, prefix)
    state = (
        pl.when(pl.col("field") == "message").then(1).when("stray").then(0).forward_fill().fill_null(0).alias("inside")
    )
    lines = lines.with_columns(state, group=(pl.col("field") == "message").fill_null(value=False).cum_sum())
    loose = lines.filter(pl.col("inside") == 0)
    records = gathered(lines.filter(pl.col("inside") == 1))
    long = records.filter(pl.col("whole_length") >= MAX_RECORD)
    rejects = _rejects(chunk, origin, loose, "no_prefix") + _rejects(
        chunk, origin, long.with_columns(length="whole_length"), "too_long"
    )
    read = understood(records.filter(pl.col("whole_length") < MAX_RECORD), prefix, origin, zone, carry)
    whole = assemble(Parsed(rejects=rejected(rejects)), read)
    return Parsed(whole.events, whole.rejects, whole.skips, {**whole.carry, **remembered})


def _rejects(chunk: bytes, origin: Origin, rows: pl.DataFrame, reason: str) -> list[tuple[int, int, str, str]]:
    return [
        (position, length, reason, decode(chunk[start : start + min(length, 16384)])[:4096])
        for position, length in rows.select("position", "length").iter_rows()
        for start in (position - origin.position,)
    ]


def _last_odd(lines: pl.DataFrame, carry: Carry) -> int | None:
    odd = lines.filter(pl.col("stray") | pl.col("closed"))["position"].max()
    return carry.get("odd") if odd is None else int(odd)  # type: ignore[arg-type]


def _classified(
    chunk: bytes, position: int, prefix: Prefix, *, continued: bool, final: bool, odd: int | None = None
) -> tuple[pl.DataFrame, int | None]:
    """Lines with the fields of their prefix, and where a record begins whose prefix goes on over line breaks unseen yet.

    `stray`: neither a head nor a continuation; `closed`: several lines joined to one head; `forgeable`.
    """
    col = pl.col
    text = col("text")
    lines = headed(split_lines(chunk, position, continued=continued), prefix)
    tab = text.str.starts_with("\t").fill_null(value=False)
    head = col("field").is_not_null()
    lines = lines.with_columns(
        stray=~head & ~tab,
        closed=pl.lit(value=False),
        forgeable=pl.lit(value=False),
        glue=pl.lit("\n"),
        rest=pl.when(tab).then(text.str.slice(1)).otherwise("rest"),
    )
    pending = None
    if lines["stray"].any():
        if prefix.head:
            lines, pending = _joined(lines, prefix, final=final)
        marks = pl.when(col("stray") | col("closed")).then("position")
        before = marks.shift(1).forward_fill()
        lines = lines.with_columns(near=before.fill_null(odd) if odd is not None else before)
    elif odd is not None:
        lines = lines.with_columns(near=pl.lit(odd, pl.UInt64))
    else:
        return lines, None
    near = (col("position") - col("near") <= _SHADOW).fill_null(value=False)
    return lines.with_columns(forgeable=(head & near) | col("closed")).drop("near"), pending


def _joined(lines: pl.DataFrame, prefix: Prefix, *, final: bool) -> tuple[pl.DataFrame, int | None]:
    """Join the lines over which the line breaks of a name have spread a prefix; they are rare."""
    odd = pl.when("stray").then("text")
    short = (odd.str.len_chars() <= _NAMES) & odd.str.contains(str(prefix.head))
    begun = lines.select(short.fill_null(value=False)).to_series()
    if not begun.any():
        return lines, None
    texts, strays = lines["text"], lines["stray"]
    positions, lengths = lines["position"], lines["length"]
    made: list[dict[str, Any]] = []
    gone: list[int] = []
    done, pending = -1, None
    for first in begun.arg_true().head(_TRIED).to_list():
        if first <= done:
            continue
        last = _closing(texts, strays, first, prefix, final=final)
        if last is None:
            pending = int(positions[first])
            break
        if last > first:
            text = "\n".join(texts[first : last + 1].to_list())
            made.append({"position": positions[first], "length": int(lengths[first : last + 1].sum()), "text": text})
            gone += range(first, last + 1)
            done = last
    if not made:
        return lines, pending
    joined = pl.DataFrame(made, schema={"position": pl.UInt64, "length": pl.UInt32, "text": pl.String})
    joined = joined.with_columns(groups=pl.col("text").str.extract_groups(prefix.longest)).unnest("groups")
    extra = [pl.lit(None, pl.String).alias(name) for name in lines.columns if name not in joined.columns]
    joined = with_fields(joined.with_columns(extra)).with_columns(
        stray=pl.lit(value=False), closed=pl.lit(value=True), forgeable=pl.lit(value=True), glue=pl.lit("\n")
    )
    rest = lines.with_row_index("row_").filter(~pl.col("row_").is_in(gone)).drop("row_")
    return pl.concat([rest, joined.select(lines.columns).cast(dict(lines.schema))]).sort("position"), pending  # type: ignore[arg-type]


def _closing(texts: pl.Series, strays: pl.Series, first: int, prefix: Prefix, *, final: bool) -> int | None:
    """Index of the line in which the prefix begun at `first` ends; `first`: nowhere; None: that shows only later."""
    joined = texts[first]
    for last in range(first + 1, min(first + _JOINED[0], len(texts))):
        more = texts[last]
        if more is None or more.startswith("\t") or len(joined) > _NAMES:
            return first
        joined += "\n" + more
        if last + 1 == len(texts) and not final:
            return None
        follows = last + 1 < len(texts) and bool(strays[last + 1]) and not _begins(texts[last + 1], prefix)
        if not follows and spread(joined, prefix) is not None:
            return last
    return first if final or first + _JOINED[0] <= len(texts) else None


def _begins(text: str | None, prefix: Prefix) -> bool:
    return text is not None and bool(pl.Series([text]).str.contains(str(prefix.head)).item())
