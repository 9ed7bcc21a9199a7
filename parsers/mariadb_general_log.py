r"""General query log of MariaDB and MySQL: every command as it arrives, `time<TAB>id Command<TAB>argument`.

    261111  9:06:10<TAB>     5 Connect<TAB>his_app@10.20.3.16 on his using TCP/IP
    <TAB><TAB>     5 Query<TAB>SELECT …                    the second has not changed (MariaDB, MySQL to 5.6)
    2026-11-18T09:02:03.123456Z<TAB>    5 Query<TAB>SELECT …   (MySQL 5.7 on)

No error, no rows, no duration; the user of a command is known through the Connect of its id. The argument stands raw, so
a record ends where the next begins, and what a statement imitates of a record cannot be told: every record is
`forgeable`.

Source: MariaDB knowledge base, "General Query Log"; MySQL 8.4 manual 7.4.3; captured from MariaDB 10.11.19.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle
from parsers.events import Origin
from parsers.mariadb_acts import command_of, connection_key, statement_key
from parsers.mariadb_blocks import BANNER, BEHIND_BANNER, PIECE, banners, blocks, framing_by, times
from parsers.registry import Carry, Parsed, parser

_STATEMENTS = ("Query", "Execute", "Bulk_execute")
_ACTS = (  # commands of the protocol that do something by themselves: the statement is the command
    "Binlog Dump", "Binlog Dump GTID", "Table Dump", "Shutdown", "Kill", "Create DB", "Drop DB", "Refresh", "clone",
)  # fmt: skip
_PREPARED = ("Close stmt", "Reset stmt", "Long Data", "Fetch", "Reset Connection", "Set option")
_HOUSEKEEPING = (
    "Ping", "Statistics", "Processlist", "Debug", "Field List", "Sleep", "Time", "Delayed insert", "Daemon", "Error",
    "Connect Out", "Register Slave", "Register Replica", "Slave_IO", "Slave_SQL", "Slave_worker", "Unimpl get tid",
)  # fmt: skip
_COMMANDS = (
    *_STATEMENTS, *_ACTS, *_PREPARED, *_HOUSEKEEPING, "Prepare", "Connect", "Change user", "Init DB", "Quit",
)  # fmt: skip
_NAMES = "|".join(sorted(_COMMANDS, key=len, reverse=True))
_STAMPS = (
    r"[0-9]{6} [ 0-9][0-9]:[0-9]{2}:[0-9]{2}|\t|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_HEADER = re.compile(rf"\n(?:{_STAMPS})\t {{0,5}}[0-9]{{1,19}} (?:{_NAMES})\t".encode())
_RECORD = rf"(?s)^(?<stamp>{_STAMPS})\t {{0,5}}(?<session>[0-9]{{1,19}}) (?<name>{_NAMES})\t(?<argument>.*)$"
_CONNECT = (
    r"(?s)^(?<user>.*)@(?<host>[^@]*?)(?: as (?:anonymous|[^ ]*))? on (?<into>.*?)(?: using (?<by>[A-Za-z/ ]+))?$"
)
_DENIED = r"(?s)^Access denied for user '(.*)'@'[^']*'"
_USE = r"^(?i:use)\s+`?([^`;\s]+)`?\s*;?\s*$"
# What the server itself writes behind a command. Anything else is the rest of a statement that imitates the command
# (`SELECT name,<LF><TAB><TAB>5 Ping<TAB>FROM patients` is SQL) and must not be passed over.
_BARE = (
    "Ping", "Statistics", "Processlist", "Debug", "Sleep", "Time", "Daemon", "Error", "Fetch", "Quit", "Shutdown", "Refresh",
    "Kill", "clone",
)  # fmt: skip
_NUMBERS = r"^[\[\]0-9 ]*$"
_NAMED = (
    r"""^(?:[^*'"`();,\n]*|Host: '[^'\n]*' +Port: [0-9]+[^*'"`();,\n]*"""
    r"""|Log: '[^'\n]*' +Pos: [0-9]+(?: +GTIDs: '[0-9a-fA-F:,\s-]*')?)$"""
)
_STATE = ("user", "host", "into")
_REMEMBERED = 2000  # log-ins; MariaDB itself allows 151 connections unless told otherwise


def _beginnings(buffer: bytes, start: int) -> Iterator[int]:
    yield from banners(buffer, start)
    for found in _HEADER.finditer(buffer, start):
        yield found.start() + 1


framing = framing_by(_beginnings)


@parser(
    "mariadb_general_log",
    reference="MariaDB knowledge base, General Query Log; MySQL 8.4 manual 7.4.3, The General Query Log",
    framing=framing,
    dialect="mysql",
    skips={
        "banner": "the lines a server writes when it opens the log, at its start and after FLUSH LOGS",
        "default_database": "Init DB: nothing is read; the database is that of the statements that follow",
        "prepared_statement": "Close stmt, Reset stmt, Fetch, Long Data: the Execute stands for the act",
        "housekeeping": "Ping, Statistics, Field List, replication threads: no statement of a person",
        "rest_of_statement": "what follows the first MiB of a record, whose beginning is an event marked as truncated",
    },
    settle_seconds=2.0,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read whole records of the general log.

    `zone` is the server's: MariaDB writes local time without saying so. Rejects: no_header, no_time, bad_timestamp.
    `carry`: last time, who is logged in on which connection (at most the last 2000 log-ins); no text of a statement.
    """
    if not chunk:
        return Parsed(carry=carry)
    after: dict[str, Any] = dict(carry)
    rows = blocks(chunk, origin.position, _beginnings, after)
    rows = rows.with_columns(pl.col("text").str.extract_groups(_RECORD).struct.unnest())
    rows = rows.with_columns(
        pl.when(~pl.col("rest")).then("stamp").replace("\t", None).alias("stamp"),
        pl.when(~pl.col("rest")).then("name").alias("name"),
        pl.col("argument").str.strip_suffix("\n"),
        behind=pl.col("text").str.extract(BEHIND_BANNER),
    )
    behind = ~pl.col("rest") & pl.col("name").is_null() & pl.col("behind").is_not_null()
    rows = rows.with_columns(
        name=pl.when(behind | _imitated()).then(pl.lit("Query")).otherwise("name"),
        argument=pl.when(behind).then(pl.col("behind").str.strip_suffix("\n")).otherwise("argument"),
    )
    moment, bad = times(rows, origin, zone, after)
    rows = _with_users(rows.with_columns(occurred_at=moment, bad=bad), after)
    name = pl.col("name")
    denied = pl.col("denied")
    rows = rows.with_columns(
        skip=pl.when("rest")
        .then(pl.lit("rest_of_statement"))
        .when(pl.col("text").str.contains(BANNER))
        .then(pl.lit("banner"))
        .when((name == "Init DB") & ~denied)
        .then(pl.lit("default_database"))
        .when(name.is_in(_PREPARED))
        .then(pl.lit("prepared_statement"))
        .when(name.is_in(_HOUSEKEEPING))
        .then(pl.lit("housekeeping"))
    ).with_columns(
        reject=pl.when(pl.col("skip").is_not_null())
        .then(None)
        .when(name.is_null())
        .then(pl.lit("no_header"))
        .when("bad")
        .then(pl.lit("bad_timestamp"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("no_time"))
    )
    good = rows.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    return settle(rows, _events(good), origin, after)


def _imitated() -> pl.Expr:
    name, argument = pl.col("name"), pl.col("argument")
    passive = [*(command for command in (*_ACTS, *_PREPARED, *_HOUSEKEEPING) if command not in _BARE), "Init DB"]
    denied = argument.str.starts_with("Access denied for user '")
    fits = (
        pl.when(name.is_in(_BARE))
        .then(argument.str.contains(_NUMBERS))
        .when((name == "Connect") & ~denied)
        .then(argument.str.contains(_CONNECT))
        .when(name.is_in(passive) & ~denied)
        .then(argument.str.contains(_NAMED))
        .otherwise(pl.lit(value=True))
    )
    return ~fits.fill_null(value=True)


def _with_users(rows: pl.DataFrame, after: dict[str, Any]) -> pl.DataFrame:
    """Who is logged in on the connection of each record (user, host; null: not known) and its database (into).

    `after` keeps the log-ins. One is forgotten at its Quit or refusal, and when _REMEMBERED others have followed it: so
    the place of a cut does not matter.
    """
    known: dict[str, list[Any]] = after.get("users", {})
    seeds = pl.DataFrame(
        [(session, *values) for session, values in known.items()],
        schema={"session": pl.String, **dict.fromkeys(_STATE, pl.String), "number": pl.Int64},
        orient="row",
    ).with_columns(seed=pl.lit(value=True))
    col = pl.col
    denied = col("name").is_in(["Connect", "Init DB"]) & col("argument").str.starts_with("Access denied for user '")
    rows = rows.with_columns(denied=denied.fill_null(value=False))
    came = (col("name").is_in(["Connect", "Change user"]) & ~col("denied")).fill_null(value=False)
    rows = rows.with_columns(came=came, logins=came.cast(pl.Int64).cum_sum() + int(after.get("logins", 0)))
    rows = rows.with_columns(
        pl.when("came").then("argument").str.extract_groups(_CONNECT).struct.unnest(),
        number=pl.when("came").then("logins"),
        left=((col("name") == "Quit") | col("denied")).fill_null(value=False).cast(pl.Int64),
    ).with_columns(
        user=pl.when("came").then(col("user").fill_null("")),
        host=pl.when("came").then(col("host").fill_null("")),
        into=pl.when("came")
        .then(col("into").fill_null(""))
        .when((col("name") == "Init DB") & ~col("denied"))
        .then("argument")
        .when(col("name") == "Query")
        .then(col("argument").str.extract(_USE)),
    )
    state = pl.concat([seeds, rows], how="diagonal").with_columns(
        col(name).forward_fill().over("session") for name in (*_STATE, "number")
    )
    state = state.with_columns(ended=col("left").cum_sum().over("session", "number"))
    newest = int(rows["logins"][-1])
    after["logins"] = newest
    last = state.filter(col("number").is_not_null()).group_by("session", maintain_order=True).last()
    last = last.filter((col("ended").fill_null(0) == 0) & (newest - col("number") < _REMEMBERED))
    after["users"] = {session: values for session, *values in last.select("session", *_STATE, "number").iter_rows()}
    there = (col("ended") - col("left") == 0) & (col("logins") - col("number") < _REMEMBERED)
    return state.filter(col("seed").is_null()).with_columns(
        pl.when(there).then(name).replace("", None).alias(name) for name in _STATE
    )


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    col = pl.col
    name, denied = col("name"), col("denied")
    statement = name.is_in(_STATEMENTS)
    rows = rows.with_columns(statement=pl.when(statement | (name == "Prepare")).then("argument"))
    rows = rows.with_columns(word=command_of("statement"))
    query = statement | (name == "Prepare") | name.is_in(_ACTS)
    refused = col("argument").str.extract(_DENIED)
    code = (
        pl.when(col("argument").str.contains(" to database '", literal=True))
        .then(pl.lit("1044"))
        .when(col("argument").str.contains(" (using password: ", literal=True))
        .then(pl.lit("1045"))
        .otherwise(pl.lit("1698"))
    )
    return rows.select(
        "position",
        "length",
        "occurred_at",
        "statement",
        "session",
        database="into",
        action=pl.when(query)
        .then(pl.lit("query"))
        .when(name == "Quit")
        .then(pl.lit("logout"))
        .otherwise(pl.lit("login")),
        outcome=pl.when(denied)
        .then(pl.lit("failed"))
        .when(name == "Quit")
        .then(pl.lit("ok"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when(denied).then(code),
        record_role=pl.when(denied)
        .then(pl.lit("outcome"))
        .when(name == "Prepare")
        .then(pl.lit("part"))
        .otherwise(pl.lit("main")),
        activity_key=pl.when(query)
        .then(statement_key("session", "statement", "word"))
        .when(name == "Quit")
        .then(connection_key("logout", "session"))
        .when(name == "Change user")
        .then(connection_key("change", "session"))
        .otherwise(connection_key("login", "session")),
        account=pl.when(denied).then(pl.coalesce(refused, "user")).otherwise("user").replace("", None),
        client_ip=pl.when(col("host") == "localhost").then(pl.lit("[local]")).otherwise(address(col("host"))),
        dialect=pl.when(query).then(pl.lit("mysql")),
        command=pl.when(name.is_in(_ACTS))
        .then(name.str.to_uppercase())
        .when(name == "Change user")
        .then(pl.lit("CHANGEUSER"))
        .otherwise("word"),
        rows_kind=pl.when(statement | name.str.contains("Dump", literal=True)).then(pl.lit("unknown")),
        truncated=~col("text").str.ends_with("\n") & (col("length") == PIECE),
        forgeable=pl.lit(value=True),
    )
