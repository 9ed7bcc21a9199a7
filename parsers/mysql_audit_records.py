"""What the audit records of MySQL Enterprise and Percona mean, whichever of their formats they were written in.

One statement makes one record or eight, by product and filter. The record that stands for it is the most telling one
that this server writes: `general`/`status` (the Query record of the older formats), else the end of a query, else the
first table access. Which one that is shows in the stream; what was seen so far is carried on.

Sources: MySQL 8.0 reference manual, "Audit Log File Formats"; Percona Server 8.0 manual, "Audit Log Filter file format"
and "Audit Log Plugin".
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from xxhash import xxh3_64_hexdigest

from parsers.accounting import address
from parsers.events import REJECTS, Origin, complete, empty
from parsers.mariadb_acts import command_of, connection_key, statement_key
from parsers.registry import Carry, Parsed
from parsers.remembering import forgotten
from parsers.stamps import to_utc

FIELDS = (
    "class", "event", "stamp", "connection", "status", "login", "matched", "host", "ip", "database", "program",
    "statement", "sql_command", "command", "table_database", "table", "rows", "seconds", "info",
)  # fmt: skip
SKIPS = {
    "structure": "brackets, commas, tags and line breaks between the records of the document, counted by line",
    "command_phase": "start and end of a protocol command: the general record tells the same act with its statement",
    "protocol_command": "a command of the protocol that carries no data and succeeded (Ping, Close stmt, Field List)",
}
_IDLE = (
    "ping", "sleep", "statistics", "time", "close stmt", "reset stmt", "long data", "quit", "field list", "set option",
    "daemon", "fetch",
)  # fmt: skip
_PARTLY_SENT = (
    "1160",
    "1161",
    "1317",
    "3024",
)  # client gone or too slow, interrupted, timeout: rows may have been sent
_WITHOUT_ROWS = r"^(?:insert|update|delete|replace|load|create|drop|alter|truncate|rename|grant|revoke|set_option)"
_LONG_NAME = r"(?s)^(.*?)\[(.*)\] @ (.*) \[([^\[\]]*)\]$"  # user[priv] @ host [ip]
_SESSIONS = 512  # connections whose account, address, database and program are remembered over chunks
_SESSION_FIELDS = ("account", "address", "database", "program")
_RANKS = {"table_access": 1, "query": 2, "general": 3}  # the more telling record stands for the statement


def named(name: pl.Expr, connection: pl.Expr) -> dict[str, pl.Expr]:
    """`class`, `event` and `command` of the formats that tell one NAME instead."""
    table = name.str.extract(r"(?i)^table ?(read|insert|update|delete)$").str.to_lowercase()
    words = name.str.to_lowercase().str.replace_all(" ", "_", literal=True)
    kind, event = _general(name)
    for names, of_class, of_event in (
        (("connect",), "connection", "connect"),
        (("quit", "disconnect"), "connection", "disconnect"),
        (("change_user",), "connection", "change_user"),
        (("audit", "startup"), "audit", "startup"),
        (("noaudit",), "audit", "shutdown"),
    ):
        chosen = words.is_in(names)
        kind = pl.when(chosen).then(pl.lit(of_class)).otherwise(kind)
        event = pl.when(chosen).then(pl.lit(of_event)).otherwise(event)
    stopped = (words == "shutdown") & connection.is_null()  # with a connection: the command of a client
    phase, query = words.str.starts_with("command_"), words.str.starts_with("query_")
    kind = (
        pl.when(table.is_not_null()).then(pl.lit("table_access")).when(stopped).then(pl.lit("audit"))
        .when(phase).then(pl.lit("command")).when(query).then(pl.lit("query")).otherwise(kind)
    )  # fmt: skip
    event = (
        pl.when(table.is_not_null()).then(table).when(stopped).then(pl.lit("shutdown"))
        .when(phase | query).then(words).otherwise(event)
    )  # fmt: skip
    return {"class": kind, "event": event, "command": name}


def _general(name: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    return pl.when(name.is_not_null()).then(pl.lit("general")), pl.when(name.is_not_null()).then(pl.lit("status"))


def assemble(
    records: pl.DataFrame, rejects: list[dict[str, Any]], skips: dict[str, tuple[int, int]], origin: Origin,
    zone: ZoneInfo | None, carry: Carry,
) -> Parsed:  # fmt: skip
    """Events of records (position, length, text, the FIELDS as text or null, `odd`).

    `zone`: of stamps that do not say UTC; None: they are UTC all the same.
    """
    carried = dict(carry)
    if not records.height:
        return Parsed(rejects=_rejects([], rejects), skips=skips, carry=carried)
    blank = [pl.when(pl.col(name) != "").then(name).alias(name) for name in FIELDS if name not in {"host", "ip"}]
    rows = records.with_columns(*blank).with_columns(
        occurred_at=_stamp(zone), kind=pl.col("class").str.to_lowercase(), event=pl.col("event").str.to_lowercase()
    )
    rows = rows.with_columns(reject=_reason(), skip=_skip())
    bad = rows.filter(pl.col("reject").is_not_null()).select("position", "length", reason="reject", text="text")
    skipped = rows.filter(pl.col("skip").is_not_null())
    for reason, count, size in skipped.group_by("skip").agg(pl.len(), pl.col("length").cast(pl.Int64).sum()).rows():
        skips[reason] = (count, size)
    good = rows.filter(pl.col("reject").is_null() & pl.col("skip").is_null())
    made = _rejects(bad.to_dicts(), rejects)
    if not good.height:
        return Parsed(rejects=made, skips=skips, carry=carried)
    good = _sessions(_who(good), carried)
    return Parsed(complete(_events(good, carried), origin), made, skips, carried)


def _rejects(found: list[dict[str, Any]], others: list[dict[str, Any]]) -> pl.DataFrame:
    every = [*found, *others]
    if not every:
        return empty(REJECTS)
    frame = pl.DataFrame(every, schema=REJECTS).sort("position")
    return frame.with_columns(pl.col("text").str.slice(0, 4096))


def _stamp(zone: ZoneInfo | None) -> pl.Expr:
    stamp = pl.col("stamp").str.extract(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ?UTC|Z)?$")
    naive = stamp.str.replace("T", " ", literal=True).str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False
    )
    utc = naive.dt.replace_time_zone("UTC")
    if zone is None:
        return utc
    return pl.when(pl.col("stamp").str.contains("(?:UTC|Z)$")).then(utc).otherwise(to_utc(naive, zone))


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("stamp").is_null() | pl.col("kind").is_null()).then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null()).then(pl.lit("bad_timestamp"))
    )  # fmt: skip


def _skip() -> pl.Expr:
    idle = (pl.col("kind") == "general") & pl.col("statement").is_null() & (pl.col("status").fill_null("0") == "0")
    idle &= pl.col("command").str.to_lowercase().is_in(_IDLE)
    sound = pl.col("stamp").is_not_null() & pl.col("occurred_at").is_not_null()
    return (
        pl.when(sound & (pl.col("kind") == "command")).then(pl.lit("command_phase"))
        .when(sound & idle).then(pl.lit("protocol_command"))
    )  # fmt: skip


def _who(rows: pl.DataFrame) -> pl.DataFrame:
    """Account and address; older builds put `user[priv] @ host [ip]` in the place of the user."""
    col = pl.col
    user = pl.coalesce("login", "matched")
    parts = user.str.extract_groups(_LONG_NAME)
    long = parts.struct.field("1").is_not_null()
    known_ip = col("ip").replace("", None)
    ip = pl.coalesce(known_ip, pl.when(long).then(parts.struct.field("4")).replace("", None))
    host = pl.coalesce(col("host").replace("", None), pl.when(long).then(parts.struct.field("3")).replace("", None))
    local = pl.when((host == "localhost") & ip.is_null()).then(pl.lit("[local]"))
    return rows.with_columns(
        account=pl.when(long).then(parts.struct.field("1")).otherwise(user).replace("", None),
        address=pl.coalesce(pl.when(ip.is_not_null()).then(address(ip)), local, host),
        strange=col("odd") | (user.str.count_matches("[", literal=True) > 2).fill_null(value=False),
    )


def _sessions(rows: pl.DataFrame, carried: dict[str, Any]) -> pl.DataFrame:
    """Give each record what its connection told earlier: who logged in, from where, with what, to which database."""
    col = pl.col
    opens = (col("kind") == "connection") & col("event").is_in(["connect", "change_user"])
    opened = opens & (col("status").fill_null("0") == "0")
    used = col("statement").str.extract(r"(?i)^\s*use\s+`?([^`;\s]+)`?\s*;?\s*$")
    entered = pl.when((col("sql_command") == "change_db") & (col("status") == "0")).then(used)
    told = {
        "s_account": pl.when(opened).then(col("account").fill_null("")),
        "s_address": pl.when(opened).then(col("address").fill_null("")),
        "s_database": pl.when(opened).then(col("database").fill_null("")).otherwise(pl.coalesce("database", entered)),
        "s_program": pl.when(opened & (col("event") == "connect")).then(col("program").fill_null("")),
    }
    ends = ((col("kind") == "connection") & (col("event") == "disconnect")).fill_null(value=False)
    now = rows.with_columns(**told, closed=ends)
    before = pl.DataFrame(
        [[connection, *values] for connection, values in carried.get("sessions", {}).items()],
        schema=dict.fromkeys(["connection", *told], pl.String),
        orient="row",
    ).with_columns(closed=pl.lit(value=False))
    every = pl.concat([before, now.select("connection", *told, "closed")])
    known = pl.col("connection").is_not_null()
    # a connection id comes again after its end: what was told before says nothing of the next one
    named = every.with_row_index("row").filter(known)
    lost = pl.Series("lost", [False]).new_from_index(0, every.height)
    lost = lost.scatter(named["row"], forgotten(named, ["connection"], _SESSIONS, ends=col("closed")))
    ended = col("closed").shift(1).fill_null(value=False) | col("lost")
    life = ended.cast(pl.Int32).cum_sum().over("connection")
    filled = (
        every.with_columns(lost)
        .with_columns(life=life)
        .drop("lost")
        .with_columns(
            pl.when(known).then(col(name).forward_fill().over("connection", "life")).alias(name) for name in told
        )
    )
    last = filled.filter(known).unique("connection", keep="last", maintain_order=True)
    last = last.filter(~col("closed")).tail(_SESSIONS)
    carried["sessions"] = {row[0]: list(row[1:5]) for row in last.iter_rows()}
    filled = filled.tail(rows.height).select(col(*told).replace("", None))
    joined = pl.concat([now.drop(*told), filled], how="horizontal")
    return joined.with_columns(pl.coalesce(name, f"s_{name}").alias(name) for name in _SESSION_FIELDS)


def _events(rows: pl.DataFrame, carried: dict[str, Any]) -> pl.DataFrame:
    col = pl.col
    kind, event, status = col("kind"), col("event"), col("status")
    database_act = kind.is_in(list(_RANKS))
    opens = (kind == "connection") & event.is_in(["connect", "change_user"])
    closes = (kind == "connection") & (event == "disconnect")
    rows = rows.with_columns(word=command_of("statement")).with_columns(
        act=pl.when(database_act).then(statement_key("connection", "statement", "word"))
    )
    failed = (status != "0").fill_null(value=False)
    returns = database_act & ~col("sql_command").str.contains(_WITHOUT_ROWS).fill_null(value=False)
    rows_told = pl.when(returns & ~failed).then(col("rows").cast(pl.Int64, strict=False))
    word = col("sql_command").str.to_uppercase().str.replace_all("_", " ", literal=True)
    verb = pl.when(kind == "table_access").then(event.str.to_uppercase()).when(col("sql_command") != "error").then(word)
    return rows.select(
        "position", "length", "occurred_at", "account", "database", "statement",
        action=pl.when(database_act)
        .then(pl.lit("query"))
        .when(closes)
        .then(pl.lit("logout"))
        .when(opens)
        .then(pl.lit("login"))
        .when(kind == "audit")
        .then(pl.lit("setting"))
        .otherwise(pl.lit("notice")),
        record_role=pl.Series(_roles(rows, carried)),
        outcome=pl.when(status.is_in(_PARTLY_SENT) & database_act).then(pl.lit("unknown"))
        .when(failed).then(pl.lit("failed"))
        .when(status.is_not_null() | (event == "disconnect") | (kind == "audit")).then(pl.lit("ok"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when(failed).then("status"),
        activity_key=pl.when(opens & (event == "change_user"))
        .then(connection_key("change", "connection"))
        .when(opens)
        .then(connection_key("login", "connection"))
        .when(closes)
        .then(connection_key("logout", "connection"))
        .otherwise("act"),
        client_ip="address",
        client_program="program",
        session=pl.when(col("connection") != "0").then("connection"),
        dialect=pl.when(database_act).then(pl.lit("mysql")),
        command=pl.when(database_act).then(pl.coalesce(verb, pl.when(col("statement").is_null()).then(col("command").str.to_uppercase()))),
        command_class=pl.when(kind == "table_access").then(pl.lit("TABLE")),
        object_type=pl.when(kind == "table_access").then(pl.lit("TABLE")),
        object_name=pl.when(kind == "table_access").then(pl.concat_str("table_database", "table", separator=".", ignore_nulls=True).replace("", None)),
        rows=rows_told,
        rows_kind=pl.when(database_act).then(pl.when(rows_told.is_not_null()).then(pl.lit("known")).otherwise(pl.lit("unknown"))),
        duration_seconds=pl.when(database_act).then(col("seconds").cast(pl.Float64, strict=False)),
        forgeable=col("strange"),
        detail=pl.when(~database_act & (kind != "connection"))
        .then(pl.concat_str(pl.concat_str("kind", pl.lit(" "), "event", ignore_nulls=True), "info", separator=": ", ignore_nulls=True)),
    )  # fmt: skip


def _roles(rows: pl.DataFrame, carried: dict[str, Any]) -> pl.Series:
    """One main a statement: the record of the highest rank seen so far in this stream. A preparation is a part."""
    col = pl.col
    kind, event = col("kind"), col("event")
    rank = kind.replace_strict(_RANKS, default=0, return_dtype=pl.Int64)
    best = pl.max_horizontal(rank.cum_max(), pl.lit(int(carried.get("rank", 0))))
    ends = (
        pl.when(kind == "query")
        .then(event == "query_status_end")
        .otherwise((kind == "table_access") | (event == "status"))
    )
    prepared = (kind == "general") & (col("command").str.to_lowercase() == "prepare") & (col("status") == "0")
    frame = rows.select(
        rank=rank, best=best, again=_same_statement(rows, carried),
        told=ends & ~prepared.fill_null(value=False),
    )  # fmt: skip
    carried["rank"] = int(frame["best"][-1])
    main = (col("rank") == 0) | ((col("rank") >= col("best")) & col("told") & ~col("again"))
    role = pl.when(main).then(pl.lit("main")).otherwise(pl.lit("part"))
    return frame.select(record_role=role).to_series()


def _same_statement(rows: pl.DataFrame, carried: dict[str, Any]) -> pl.Series:
    """Table accesses that belong to the statement of the table access before them."""
    table = pl.col("kind") == "table_access"
    text = pl.concat_str("connection", "stamp", "statement", separator=" ", ignore_nulls=True)
    marks = rows.select(table=table, text=pl.when(table).then(text)).with_columns(
        before=pl.col("text").forward_fill().shift(1)
    )
    again = marks.select(again=(pl.col("text") == pl.col("before")).fill_null(value=False)).to_series()
    places = marks["table"].arg_true()
    if not places.len():
        return again
    first, last = int(places[0]), int(places[-1])
    if _digest(marks["text"][first]) == carried.get("table"):
        again[first] = True
    carried["table"] = _digest(marks["text"][last])
    return again


def _digest(text: str) -> str:
    return xxh3_64_hexdigest(text.encode())  # carried on in clear: the statement must not show in it
