r"""Error log of MariaDB: what the audit plugin says of itself, refused log-ins, connections that broke off, shutdowns.

    261112  0:47:49 server_audit: logging was stopped.
    2026-11-11 10:15:37 25 [Warning] Access denied for user 'vendor'@'192.0.2.14' (using password: YES)

The plugin's messages are the other half of tampering: while it is off it cannot record that it is. One of them lacks its
line break, and the next is glued to it. Everything else a server writes here is no act of a person and counted.

A name in `Access denied` stands raw, line breaks included, so a client that cannot log in can write lines. Such a name is
put together again up to its closing quote; a message of the plugin just after one is marked as `forgeable`.

Source: MariaDB knowledge base, "Error Log", "MariaDB Audit Plugin"; captured from 10.11.19, plugin 1.4.14.
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from parsers.accounting import address, settle
from parsers.decoding import decode_series
from parsers.events import UTC, Origin
from parsers.framing import MAX_RECORD, line_starts, lines, unfinished
from parsers.mariadb_acts import connection_key
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import local_time

_NAME_LINES = 8  # a name is at most 128 characters
_NAME_BYTES = 600
_LF = 0x0A
_OPENS = re.compile(rb"\] Access denied for user '")
_CLOSES = b"'@'"
_GLUED = re.compile(rb"can be veiled\.(?=[0-9]{6} [ 0-9][0-9]:[0-9]{2}:[0-9]{2} server_audit: )")
_STAMP = (
    r"(?<stamp>[0-9]{6} [ 0-9][0-9]:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2} [ 0-9][0-9]:[0-9]{2}:[0-9]{2}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:Z|[+-][0-9]{2}:[0-9]{2}))"
)
_LINE = (
    rf"(?s)^{_STAMP} (?:server_audit: (?<plugin>.*)|(?:(?<session>[0-9]{{1,19}}) )?\[(?<level>Note|Warning|ERROR|System)\]"
    r" (?:\[MY-[0-9]{6}\] \[[A-Za-z]+\] )?(?<message>.*)|mysqld_safe .*)$"
)
_DENIED = (
    r"(?s)^Access denied for user '(?<denied>.*)'@'(?<host>[^']*)'"
    r"(?: \(using password: (?<password>YES|NO)\)| to database '(?<into>.*)')?$"
)
_ABORTED = (
    r"(?s)^Aborted connection (?<aborted>[0-9]{1,19}) to db: '(?<from>.*)' user: '(?<user>.*)' host: '(?<at>[^']*)'"
    r" (?<why>\(.*\))$"
)
_SHUTDOWN = r"(?s)^[^\n]* \(initiated by: .*\[(?<by>.*)\] @ (?<where>.*?) ?\[(?<ip>[^\[\]]*)\]\): (?<what>.*)$"
_NOBODY = ["unauthenticated", "unconnected", ""]


def framing(buffer: bytes, *, final: bool) -> int:
    """Whole lines; a last line that breaks off inside a name waits for the rest of the name."""
    end = lines(buffer, final=final)
    if final or not end:
        return end
    window = max(0, end - 16 * _NAME_BYTES)
    waits = _names(buffer[window:end])[1]
    return end if waits is None else buffer.rfind(b"\n", 0, window + waits) + 1


@parser(
    "mariadb_error_log",
    reference="MariaDB knowledge base, Error Log; Audit Plugin; MySQL 8.4 manual 7.4.2",
    framing=framing,
    skips={
        "server_message": "notes and warnings of the server and its engines: start, buffers, recovery, replication",
        "plugin_note": "server_audit's remark on the query cache",
        "more_lines": "further lines of such a message, and the line that gives the server's version",
    },
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read whole records of the error log.

    `zone` is the server's. Rejects: no_stamp (before the first record), rest_of_name (the end of a name with line
    breaks), unknown_form (a name that never ends), bad_timestamp, too_long. `carry` holds no text of the log.
    """
    if not chunk:
        return Parsed(carry=carry)
    after: dict[str, Any] = {**carry, "unfinished": unfinished(chunk)}
    rows = _split(chunk, origin.position, continued=bool(carry.get("unfinished")))
    rows = rows.with_columns(pl.col("text").str.extract_groups(_LINE).struct.unnest()).with_columns(
        *(pl.col("message").str.extract_groups(form).struct.unnest() for form in (_DENIED, _ABORTED, _SHUTDOWN)),
        occurred_at=_time(zone),
        client=pl.col("message").str.contains("^(?:Access denied for user|Aborted connection) ").fill_null(value=False),
    )
    rows = _marked(rows, after)
    col, stamped = pl.col, pl.col("stamp").is_not_null()
    told = stamped & (
        col("plugin").is_not_null()
        | (col("level") == "ERROR")
        | pl.any_horizontal(col("denied", "aborted", "by").is_not_null())
    )
    rows = rows.with_columns(
        skip=pl.when(col("plugin").str.starts_with("Query cache is enabled"))
        .then(pl.lit("plugin_note"))
        .when(told.fill_null(value=False))
        .then(None)
        .when(stamped)
        .then(pl.lit("server_message"))
        .otherwise(pl.lit("more_lines")),
        reject=pl.when(col("text").is_null())
        .then(pl.lit("too_long"))
        .when(stamped & col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp"))
        .when(col("client") & col("denied").is_null() & col("aborted").is_null())
        .then(pl.lit("unknown_form"))
        .when(~stamped & col("text").str.contains("'@'", literal=True))
        .then(pl.lit("rest_of_name"))
        .when(~stamped & ~col("seen"))
        .then(pl.lit("no_stamp")),
    )
    good = rows.filter(col("skip").is_null() & col("reject").is_null())
    return settle(rows, _events(good), origin, after)


def _names(chunk: bytes) -> tuple[list[tuple[int, int]], int | None]:
    """Stretches of names with line breaks; where a name opens of which the end has not come yet."""
    broken: list[tuple[int, int]] = []
    covered = 0
    for opening in _OPENS.finditer(chunk):
        start = opening.end()
        if start <= covered:
            continue
        region = chunk[start : start + _NAME_BYTES]
        parts = region.split(b"\n", _NAME_LINES)
        whole = len(parts) > _NAME_LINES or len(region) == _NAME_BYTES
        name = b"\n".join(parts[:_NAME_LINES])
        closing = name.find(_CLOSES)
        if closing < 0 and not whole:
            return broken, start
        if b"\n" in name[: max(closing, 0)]:
            broken.append((start, start + closing))
            covered = start + closing
    return broken, None


def _split(chunk: bytes, position: int, *, continued: bool) -> pl.DataFrame:
    """One row a record: position, length, text without line break; null for a piece of a line beyond all limits."""
    glued = {found.end() for found in _GLUED.finditer(chunk)}
    starts = np.union1d(line_starts(chunk), np.array(sorted(glued), np.int64))
    for first, last in _names(chunk)[0]:
        starts = starts[(starts <= first) | (starts > last)]
    lengths = np.diff(starts, append=len(chunk))
    pieces: list[bytes | None] = []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        begins = start in glued or (not continued if start == 0 else chunk[start - 1] == _LF)
        pieces.append(chunk[start : start + length].removesuffix(b"\n") if begins and length < MAX_RECORD else None)
    return pl.DataFrame(
        {
            "position": pl.Series(starts.astype(np.uint64)) + position,
            "length": pl.Series(lengths.astype(np.uint32)),
            "text": decode_series(pl.Series("text", pieces, dtype=pl.Binary)),
        },
        schema_overrides={"position": pl.UInt64, "length": pl.UInt32},
    )


def _time(zone: ZoneInfo) -> pl.Expr:
    stamp = pl.col("stamp")
    instant = stamp.str.replace("Z", "+00:00", literal=True)
    time = pl.coalesce(
        local_time(stamp, "%y%m%d %k:%M:%S", zone),
        local_time(stamp, "%Y-%m-%d %k:%M:%S", zone),
        instant.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False).cast(UTC),
    )
    return pl.when(time.dt.year().is_between(1970, 2200)).then(time)


def _marked(rows: pl.DataFrame, after: dict[str, Any]) -> pl.DataFrame:
    """`near`: at most _NAME_LINES records behind one with a client's words; `seen`: a record with a stamp came before."""
    at = pl.int_range(pl.len(), dtype=pl.Int64)
    behind = at - pl.when("client").then(at).forward_fill().fill_null(-1 - int(after.get("behind", _NAME_LINES)))
    rows = rows.with_columns(
        behind=behind.clip(0, _NAME_LINES + 1),
        seen=pl.col("stamp").is_not_null().cum_max() | pl.lit(bool(after.get("seen", False))),
    )
    after["behind"], after["seen"] = rows.select("behind", "seen").row(-1)
    return rows.with_columns(near=pl.col("behind") <= _NAME_LINES)


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    col = pl.col
    denied, plugin = col("denied").is_not_null(), col("plugin").is_not_null()
    broken = col("plugin").str.contains("(?i)could not|can't|failed")
    host = pl.coalesce("host", "at", pl.when(col("ip") == "").then("where").otherwise("ip"))
    name = pl.coalesce("denied", "user", "by")
    base = pl.coalesce("into", "from")
    return rows.select(
        "position",
        "length",
        "occurred_at",
        action=pl.when(denied).then(pl.lit("login")).when(plugin).then(pl.lit("setting")).otherwise(pl.lit("notice")),
        outcome=pl.when(denied | broken.fill_null(value=False))
        .then(pl.lit("failed"))
        .when(plugin)
        .then(pl.lit("ok"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when(denied & col("into").is_not_null())
        .then(pl.lit("1044"))
        .when(denied & col("password").is_not_null())
        .then(pl.lit("1045"))
        .when(denied)
        .then(pl.lit("1698")),
        activity_key=pl.when(denied).then(connection_key("login", "session")),
        account=pl.when(~name.is_in(_NOBODY)).then(name),
        database=pl.when(~base.is_in(_NOBODY)).then(base),
        client_ip=pl.when(host == "localhost")
        .then(pl.lit("[local]"))
        .when(~host.str.contains("%", literal=True))
        .then(address(host)),
        session=pl.coalesce("aborted", pl.when(col("session") != "0").then("session")),
        detail=pl.coalesce("plugin", "why", "what", pl.when(~denied).then("message")),
        forgeable=(plugin & col("near")) | name.str.contains(r"[\x00-\x1f']").fill_null(value=False),
    )
