r"""Slow log of MariaDB, MySQL and Percona Server: a few `# ` lines, `use`, `SET timestamp`, the statement, `;`.

    # Time: 261111  9:06:10
    # User@Host: his_app[his_app] @  [10.20.3.16]
    # Thread_id: 5  Schema: his  QC_hit: No
    # Query_time: 0.006581  Lock_time: 0.003334  Rows_sent: 1  Rows_examined: 8000
    # Rows_affected: 0  Bytes_sent: 156
    use `his`;
    SET timestamp=1794359102;
    SELECT …;

The only log of these servers that tells rows. The statement stands raw, so a record ends where the next begins; a
statement that holds a whole record after a `;` cannot be told from one, hence every record is `forgeable`.

Source: MariaDB knowledge base, "Slow Query Log Overview", "Slow Query Log Extended Statistics"; MySQL 8.4 manual 7.4.5;
Percona Server manual, "Slow query log"; captured from MariaDB 10.11.19.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle
from parsers.decoding import decode
from parsers.events import Origin
from parsers.mariadb_acts import command_of, statement_key
from parsers.mariadb_blocks import BANNER, BEHIND_BANNER, PIECE, banners, blocks, framing_by, times
from parsers.registry import Carry, Parsed, parser

_HEADER = re.compile(rb"\n# User@Host: [^\n]{0,1500}\n# (?:Thread_id|Schema|Query_time): ")
_HEAD = r"(?s)^(?:# Time: (?<stamp>[^\n]*)\n)?# User@Host: (?<who>[^\n]*)\n(?<head>.*)$"
_EPOCH = r"^(?:[a-z_]+=[0-9]+,)*timestamp=([0-9]{1,10})(?:\.[0-9]+)?$"
_WHO = r"^(?<matched>.*)\[(?<account>.*)\] @ (?<host>.*?) ?\[(?<ip>[^\[\]]*)\](?:  Id: *(?<id>[0-9]{1,19}))?\s*$"
_ADMINISTRATOR = r"^# administrator command: [A-Za-z ]{1,40}$"
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD")
_READS = ("SELECT", "WITH", "VALUES", "TABLE", "CALL", "EXECUTE")
_SEMICOLON = ord(";")
_ARGUMENT = (b" Argument", b"\tArgument", b"Argument\r")
_MOST = 1 << 62  # Bytes_sent of FLUSH STATUS is below zero, written as a number near 2^64


def _beginnings(buffer: bytes, start: int) -> Iterator[int]:
    """The `;` of the record before is part of what begins a record: header lines in a comment or literal do not."""
    yield from banners(buffer, start)
    for found in _HEADER.finditer(buffer, start):
        line = found.start()
        before = buffer.rfind(b"\n", 0, line) + 1
        if buffer.startswith(b"# Time: ", before):
            line = before - 1
        if line > 0 and (buffer[line - 1] == _SEMICOLON or buffer.endswith(_ARGUMENT, 0, line)):
            yield line + 1


framing = framing_by(_beginnings)


@parser(
    "mariadb_slow_log",
    reference="MariaDB knowledge base, Slow Query Log; MySQL 8.4 manual 7.4.5; Percona Server manual, Slow query log",
    framing=framing,
    dialect="mysql",
    skips={
        "banner": "the lines a server writes when it opens the log, at its start and after FLUSH LOGS",
        "administrator_command": "Ping, Quit, Close stmt and the like: no statement, nothing read",
        "rest_of_statement": "what follows the first MiB of a record, whose beginning is an event marked as truncated",
    },
    settle_seconds=2.0,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read whole records of the slow log.

    `zone` is the server's: MariaDB writes local time without saying so. The time is the end of the statement, as in the
    audit log. Rejects: no_header, unknown_form, no_time, bad_timestamp. `carry`: last time, last `use`.
    """
    if not chunk:
        return Parsed(carry=carry)
    after: dict[str, Any] = dict(carry)
    rows = blocks(chunk, origin.position, _beginnings, after, _mixed)
    rows = _fields(rows)
    rows = _told(rows)
    moment, bad = times(rows, origin, zone, after)
    epoch = pl.from_epoch(pl.col("epoch").cast(pl.Int64), time_unit="s").cast(pl.Datetime("us", "UTC"))
    ended = epoch + pl.duration(microseconds=(pl.col("duration_seconds").fill_null(0) * 1e6).cast(pl.Int64))
    rows = rows.with_columns(occurred_at=pl.coalesce(moment, ended), bad=bad)
    rows = _with_database(rows, after)
    # a statement that imitates a banner: its rest is no record, but what it says was run
    behind = pl.when(~pl.col("rest") & pl.col("who").is_null()).then(pl.col("text").str.extract(BEHIND_BANNER))
    rows = rows.with_columns(behind=behind).with_columns(
        statement=pl.coalesce("statement", pl.col("behind").str.strip_chars_end("\r\n").str.strip_suffix(";"))
    )
    known = pl.col("statement").is_not_null() & (pl.col("account").is_not_null() | pl.col("behind").is_not_null())
    rows = rows.with_columns(
        skip=pl.when("rest")
        .then(pl.lit("rest_of_statement"))
        .when(pl.col("text").str.contains(BANNER))
        .then(pl.lit("banner"))
        .when(pl.col("statement").str.contains(_ADMINISTRATOR))
        .then(pl.lit("administrator_command"))
    ).with_columns(
        reject=pl.when(pl.col("skip").is_not_null())
        .then(None)
        .when("bad")
        .then(pl.lit("bad_timestamp"))
        .when(known & pl.col("occurred_at").is_null())
        .then(pl.lit("no_time"))  # behind a banner, and no record with a time before it
        .when(known)
        .then(None)
        .when(pl.col("text").str.contains(r"^# (?:Time|User@Host): "))
        .then(pl.lit("unknown_form"))
        .otherwise(pl.lit("no_header"))
    )
    good = rows.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    return settle(rows, _events(good), origin, after)


def _mixed(raw: bytes) -> str:
    """Names stand in the server's encoding (UTF-8), the statement in that of its client."""
    statement = raw.find(b"\n", raw.find(b"\nSET ") + 1) + 1
    return decode(raw[:statement]) + decode(raw[statement:])


def _fields(rows: pl.DataFrame) -> pl.DataFrame:
    """The pieces of a record; `epoch` is null for what is none. Cut at fixed texts: one pattern for all is slow."""
    parts = rows["text"].str.splitn("\nSET ", 2).struct.rename_fields(["top", "bottom"]).struct.unnest()
    ends = parts["bottom"].str.splitn(";\n", 2).struct.rename_fields(["set", "statement"]).struct.unnest()
    rows = pl.concat([rows, parts, ends], how="horizontal").with_columns(
        pl.col("top").str.extract_groups(_HEAD).struct.unnest(),
        epoch=pl.col("set").str.extract(_EPOCH),
    )
    return rows.with_columns(
        pl.col("who").str.extract_groups(_WHO).struct.unnest(),
        used=pl.col("head").str.extract(r"(?s)\nuse (.*);$"),
        statement=pl.when(pl.col("epoch").is_not_null()).then(
            pl.col("statement").str.strip_chars_end("\r\n").str.strip_suffix(";")
        ),
    )


def _number(name: str) -> pl.Expr:
    number = pl.col("head").str.extract(rf"(?:^|[# ]){name}: ([0-9]{{1,20}})").cast(pl.UInt64, strict=False)
    return pl.when(number < _MOST).then(number)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """What the `# ` lines tell, whichever of the servers wrote them."""
    head = pl.col("head")
    return rows.with_columns(
        session=pl.coalesce(head.str.extract(r"(?:^|[# ])Thread_id: ([0-9]{1,19})"), "id"),
        schema=head.str.extract(r"Schema: (.*?)  (?:QC_hit|Last_errno): "),
        duration_seconds=head.str.extract(r"# Query_time: ([0-9]{1,9}(?:\.[0-9]{1,9})?)").cast(
            pl.Float64, strict=False
        ),
        sent=_number("Rows_sent"),
        affected=_number("Rows_affected"),
        bytes=_number("Bytes_sent"),
        code=head.str.extract(r"(?:Last_errno|Errno): ([0-9]{1,5})"),
    )


def _with_database(rows: pl.DataFrame, after: dict[str, Any]) -> pl.DataFrame:
    """The default database: told by each record, or (MySQL) by `use` where it is not that of the record before."""
    used = pl.col("used").str.strip_prefix("`").str.strip_suffix("`").forward_fill().fill_null(after.get("used", ""))
    rows = rows.with_columns(used=used)
    after["used"] = rows["used"][-1]
    return rows.with_columns(database=pl.coalesce("schema", "used").replace("", None))


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    col = pl.col
    rows = rows.with_columns(command=command_of("statement"))
    write = col("command").is_in(_WRITES)
    told = (
        pl.when(write)
        .then("affected")
        .when(col("sent") > 0)
        .then("sent")
        .otherwise(pl.max_horizontal("sent", "affected"))
    )
    # rows of HANDLER, SHOW and the like are not counted by the server
    rows_kind = (
        pl.when(told.is_null())
        .then(pl.lit("unknown"))
        .when((told > 0) | write | col("command").is_in(_READS))
        .then(pl.lit("known"))
        .when(col("command") == "HANDLER")
        .then(pl.lit("unknown"))
    )
    size = pl.when(col("bytes") > 0).then("bytes")
    host = pl.when(col("ip") != "").then("ip").when(col("host") != "").then("host")
    return rows.select(
        "position",
        "length",
        "occurred_at",
        "statement",
        "database",
        "session",
        "command",
        "duration_seconds",
        action=pl.lit("query"),
        outcome=pl.when(col("code") == "0").then(pl.lit("ok")).when(col("code").is_not_null()).then(pl.lit("failed")),
        error_code=pl.when(col("code") != "0").then("code"),
        account=pl.when(col("account") != "").then("account"),
        client_ip=pl.when(host.is_in(["localhost"]) & (col("ip") == ""))
        .then(pl.lit("[local]"))
        .otherwise(address(host)),
        activity_key=statement_key("session", "statement", "command"),
        dialect=pl.lit("mysql"),
        rows=pl.when(rows_kind == "known").then(told),
        rows_kind=rows_kind,
        bytes=size,
        bytes_kind=pl.when(size.is_null()).then(pl.lit("unknown")).otherwise(pl.lit("known")),
        truncated=~col("text").str.ends_with("\n") & (col("length") == PIECE),
        forgeable=pl.lit(value=True),
    ).with_columns(col("outcome").fill_null("unknown"))
