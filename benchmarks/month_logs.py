"""Statements, log-ins and what servers say of themselves, as the database servers write them: frames of (at, line).

csvlog of PostgreSQL 15 with pgaudit (read, write, ddl, role, misc; with rows and parameters), server_audit of MariaDB, the
JSON of MySQL Enterprise Audit (one object a line). Sessions keep their numbers: process, line and statement of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from month_diary import FailedLogin
from month_work import SECOND

LINES = {"at": pl.Int64(), "line": pl.String()}
ZONE_SHIFT = 8 * 3600 * SECOND


def stamp(column: str | pl.Expr, form: str = "%Y-%m-%d %H:%M:%S%.3f", shift: int = ZONE_SHIFT) -> pl.Expr:
    micros = pl.col(column) if isinstance(column, str) else column
    return (micros + shift).cast(pl.Datetime("us")).dt.strftime(form)


class Numbers:
    """Connection numbers of one server, counted through the month."""

    def __init__(self, first: int) -> None:
        self.next = first

    def sessions(self, statements: pl.DataFrame) -> pl.DataFrame:
        """A row per session in the order of their begin: `number`, `begin`, `end`, `of` (statements)."""
        found = (
            statements.group_by("session")
            .agg(
                pl.col("account", "address", "program", "database").first(),
                (pl.col("at").min() - 40_000).alias("begin"),
                (pl.col("at").max() + 400_000).alias("end"),
                pl.len().alias("of"),
            )
            .sort("begin", "session")
        )
        numbered = found.with_columns(number=pl.int_range(pl.len()) + self.next)
        self.next += found.height
        return numbered


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

_PG = {
    "at": pl.Int64(), "session": pl.String(), "place": pl.Int64(), "tag": pl.String(), "severity": pl.String(),
    "state": pl.String(), "message": pl.String(), "detail": pl.String(), "query": pl.String(), "named": pl.Boolean(),
}  # fmt: skip


def _doubled(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all('"', '""', literal=True)


def _audit(column: str) -> pl.Expr:
    """A field of pgaudit's payload: quoted only where it must be."""
    text = pl.col(column)
    quoted = pl.concat_str(pl.lit('"'), _doubled(text), pl.lit('"'))
    return pl.when(text.str.contains('[",\n\r]')).then(quoted).otherwise(text)


def postgresql(statements: pl.DataFrame, failed: Sequence[FailedLogin], numbers: Numbers, notes: Sequence[tuple[int, str]] = (), skew: pl.Expr | None = None) -> pl.DataFrame:  # fmt: skip
    """LINES of a day in the order they are written. `notes`: what the server itself says. `skew`: microseconds its clock is off."""
    tries = _tries(failed)
    sessions = numbers.sessions(pl.concat([statements.select("session", "account", "address", "program", "database", "at"), tries]))  # fmt: skip
    opened = statements.select("session").unique(maintain_order=True)
    real = sessions.join(opened, on="session", how="semi")
    records = pl.concat(
        [_opening(real), _said(statements), _closing(real), _refused(sessions.join(opened, on="session", how="anti"))]
    )
    lines = _rendered(records.join(sessions, on="session"), skew)
    told = pl.DataFrame(
        [(at, _note(at, text, place)) for place, (at, text) in enumerate(notes)], schema=LINES, orient="row"
    )
    return pl.concat([lines, told]).sort("at", maintain_order=True)


def _tries(failed: Sequence[FailedLogin]) -> pl.DataFrame:
    rows = [
        (f"try {one.at} {place}", one.seat.account, one.seat.address, one.seat.program, one.seat.database, one.at)
        for place, one in enumerate(failed)
    ]
    schema = {
        "session": pl.String(),
        "account": pl.String(),
        "address": pl.String(),
        "program": pl.String(),
        "database": pl.String(),
        "at": pl.Int64(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _record(frame: pl.DataFrame, **columns: object) -> pl.DataFrame:
    given = {"tag": "", "severity": "LOG", "state": "00000", "detail": None, "query": None, "named": True, **columns}
    made = {name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in given.items()}
    return frame.select(made.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in _PG.items())


_HOST = pl.when(pl.col("address") == "[local]").then(pl.lit("host=[local]")).otherwise(
    pl.concat_str(pl.lit("host="), "address", pl.lit(" port="), 20_000 + pl.col("number") % 40_000)
)  # fmt: skip


def _opening(sessions: pl.DataFrame) -> pl.DataFrame:
    begin = pl.col("begin")
    identity = pl.concat_str(
        pl.lit('connection authenticated: identity=""'),
        "account",
        pl.lit('"" method=scram-sha-256 (/var/lib/postgresql/15/main/pg_hba.conf:5)'),
    )
    authorized = pl.concat_str(
        pl.lit("connection authorized: user="),
        "account",
        pl.lit(" database="),
        "database",
        pl.lit(" application_name="),
        "program",
    )
    return pl.concat([
        _record(sessions, at=begin, place=0, message=pl.concat_str(pl.lit("connection received: "), _HOST), named=False),
        _record(sessions, at=begin + 9_000, place=1, tag="authentication", message=identity),
        _record(sessions, at=begin + 9_500, place=2, tag="authentication", message=authorized),
    ])  # fmt: skip


def _closing(sessions: pl.DataFrame) -> pl.DataFrame:
    took = ((pl.col("end") - pl.col("begin")) // 1000).cast(pl.Duration("ms"))
    seconds = pl.concat_str(took.dt.total_hours(), pl.lit(":"), (took.dt.total_minutes() % 60).cast(pl.String).str.zfill(2), pl.lit(":"),
                            (took.dt.total_seconds() % 60).cast(pl.String).str.zfill(2), pl.lit("."), (took.dt.total_milliseconds() % 1000).cast(pl.String).str.zfill(3))  # fmt: skip
    message = pl.concat_str(
        pl.lit("disconnection: session time: "),
        seconds,
        pl.lit(" user="),
        "account",
        pl.lit(" database="),
        "database",
        pl.lit(" "),
        _HOST,
    )
    return _record(sessions, at=pl.col("end"), place=1_000_000, tag="idle", message=message)


def _refused(tries: pl.DataFrame) -> pl.DataFrame:
    begin = pl.col("begin")
    message = pl.concat_str(pl.lit('password authentication failed for user ""'), "account", pl.lit('""'))
    detail = 'Connection matched pg_hba.conf line 5: ""host all all 0.0.0.0/0 scram-sha-256""'
    return pl.concat([
        _record(tries, at=begin, place=0, message=pl.concat_str(pl.lit("connection received: "), _HOST), named=False),
        _record(tries, at=begin + 30_000, place=1, tag="authentication", severity="FATAL", state="28P01", message=message, detail=detail),
    ])  # fmt: skip


def _said(statements: pl.DataFrame) -> pl.DataFrame:
    ordered = statements.sort("session", "at").with_columns(place=3 + pl.int_range(pl.len()).over("session"))
    done, refused = ordered.filter(pl.col("error").is_null()), ordered.filter(pl.col("error").is_not_null())
    payload = pl.concat_str(
        pl.lit("AUDIT: SESSION,"), (pl.int_range(pl.len()) + 1).over("session"), pl.lit(",1,"), "klass", pl.lit(","), "command",
        pl.lit(",,,"), _audit("statement"), pl.lit(","), _audit("parameters"), pl.lit(","), "rows",
    )  # fmt: skip
    return pl.concat([
        _record(done, tag=pl.col("command"), message=_doubled(payload)),
        _record(refused, tag=pl.col("command"), severity="ERROR", state=pl.col("error").str.head(5), message=_doubled(pl.col("error").str.slice(6)), query=_doubled(pl.col("statement"))),
    ])  # fmt: skip


def _rendered(records: pl.DataFrame, skew: pl.Expr | None) -> pl.DataFrame:
    def quoted(column: str) -> pl.Expr:
        return pl.concat_str(pl.lit('"'), column, pl.lit('"'))

    nothing = pl.lit("")
    numbered = (
        records.sort("session", "place")
        .with_columns(line_number=(pl.int_range(pl.len()) + 1).over("session"))
        .sort("at", "number", "place")
    )
    named, off = pl.col("named"), (skew if skew is not None else pl.lit(0))
    place = (
        pl.when(pl.col("address") == "[local]")
        .then(pl.lit("[local]"))
        .otherwise(pl.concat_str("address", pl.lit(":"), 20_000 + pl.col("number") % 40_000))
    )
    program = pl.when(named & (pl.col("tag") != "authentication")).then("program").otherwise(nothing)
    backend = pl.when(named).then(pl.lit("client backend")).otherwise(pl.lit("not initialized"))
    begin = pl.concat_str(stamp(pl.col("begin") + off, "%Y-%m-%d %H:%M:%S"), pl.lit(" CST"))
    identifier = pl.concat_str(
        (pl.col("begin") // SECOND).map_batches(lambda values: pl.Series([f"{value:x}" for value in values]), return_dtype=pl.String),
        pl.lit("."), pl.col("number").map_batches(lambda values: pl.Series([f"{value:x}" for value in values]), return_dtype=pl.String),
    )  # fmt: skip
    virtual = (
        pl.when(named & (pl.col("tag") != "idle"))
        .then(pl.concat_str(3 + pl.col("number") % 200, pl.lit("/"), "line_number"))
        .otherwise(nothing)
    )
    return numbered.select(
        "at",
        pl.concat_str(
            stamp(pl.col("at") + off), pl.lit(" CST,"),
            pl.when(named).then(pl.concat_str(quoted("account"), pl.lit(","), quoted("database"))).otherwise(pl.lit(",")),
            pl.lit(","), "number", pl.lit(',"'), place, pl.lit('",'), identifier, pl.lit(","), "line_number", pl.lit(',"'), "tag", pl.lit('",'),
            begin, pl.lit(","), virtual, pl.lit(",0,"), "severity", pl.lit(","), "state", pl.lit(',"'), "message", pl.lit('",'),
            pl.when(pl.col("detail").is_not_null()).then(quoted("detail")).otherwise(nothing), pl.lit(",,,,,"),
            pl.when(pl.col("query").is_not_null()).then(quoted("query")).otherwise(nothing), pl.lit(',,,"'), program, pl.lit('","'), backend, pl.lit('",,0\n'),
        ).alias("line"),
    )  # fmt: skip


def _note(at: int, text: str, place: int) -> str:
    from datetime import datetime, timedelta

    moment = datetime(1970, 1, 1) + timedelta(microseconds=at + ZONE_SHIFT)
    when = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f'{when}.{moment.microsecond // 1000:03d} CST,,,812,,68c60000.32c,{place + 1},,{when} CST,,0,LOG,00000,"{text}",,,,,,,,,"","postmaster",,0\n'


# --- MariaDB ----------------------------------------------------------------------------------------------------------


def mariadb(statements: pl.DataFrame, failed: Sequence[FailedLogin], numbers: Numbers, skew: pl.Expr | None = None) -> pl.DataFrame:  # fmt: skip
    """LINES of server_audit with the events CONNECT and QUERY."""
    sessions = numbers.sessions(statements)
    host = "hisdb02"
    head = [pl.lit(f",{host},"), pl.col("account"), pl.lit(","), pl.col("address"), pl.lit(","), pl.col("number")]
    said = (
        statements.join(sessions.select("session", "number"), on="session")
        .sort("at")
        .with_columns(query=pl.int_range(pl.len()) + numbers.next * 40)
    )
    text = pl.col("statement").str.replace_all("\\", "\\\\", literal=True).str.replace_all("'", "\\'", literal=True)
    code = pl.when(pl.col("error").is_null()).then(pl.lit("0")).otherwise(pl.lit("1205"))
    opened = [(pl.col("begin"), "CONNECT"), (pl.col("end"), "DISCONNECT")]
    frames = [
        said.select("at", rest=pl.concat_str(*head, pl.lit(","), "query", pl.lit(",QUERY,"), "database", pl.lit(",'"), text, pl.lit("',"), code)),
        *(sessions.select(at=at, rest=pl.concat_str(*head, pl.lit(f",0,{name},"), "database", pl.lit(",,0"))) for at, name in opened),
    ]  # fmt: skip
    for one in failed:
        number = numbers.next
        numbers.next += 1
        seat = one.seat
        for name, ending in (("FAILED_CONNECT", ",,1045"), ("DISCONNECT", ",,0")):
            rest = f",{host},{seat.account},{seat.address},{number},0,{name},{ending}"
            frames.append(pl.DataFrame({"at": [one.at], "rest": [rest]}))
    off = skew if skew is not None else pl.lit(0)
    written = pl.concat_str(stamp(pl.col("at") + off, "%Y%m%d %H:%M:%S"), "rest", pl.lit("\n"))
    return pl.concat(frames).sort("at", maintain_order=True).select("at", line=written)


# --- MySQL ------------------------------------------------------------------------------------------------------------


def mysql(statements: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
    sessions = numbers.sessions(statements)
    who = [
        pl.lit('"account": {"user": "'), pl.col("account"), pl.lit('", "host": "'), pl.col("address"), pl.lit('"}, "login": {"user": "'), pl.col("account"),
        pl.lit('", "os": "", "ip": "'), pl.col("address"), pl.lit('", "proxy": ""}'),
    ]  # fmt: skip
    connection = [pl.lit('"connection_id": '), pl.col("number"), pl.lit(", ")]
    attributes = [pl.lit('"connection_data": {"connection_type": "ssl", "status": 0, "db": "'), pl.col("database"),
                  pl.lit('", "connection_attributes": {"_client_name": "'), pl.col("program"), pl.lit('"}}')]  # fmt: skip
    text = pl.col("statement").str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    query = [
        pl.lit('"general_data": {"command": "Query", "sql_command": "'), pl.col("command").str.to_lowercase(), pl.lit('", "query": "'), text,
        pl.lit('", "status": 0}, "query_statistics": {"query_time": 0.0012, "rows_sent": '), pl.when(pl.col("command") == "SELECT").then("rows").otherwise(0), pl.lit("}"),
    ]  # fmt: skip

    def record(frame: pl.DataFrame, at: str, kind: str, event: str, *rest: pl.Expr) -> pl.DataFrame:
        head = f', "class": "{kind}", "event": "{event}", '
        return frame.select(at=pl.col(at), rest=pl.concat_str(pl.lit(head), *connection, *who, *rest))

    comma = pl.lit(", ")
    said = statements.join(sessions.select("session", "number"), on="session")
    frames = [
        record(sessions, "begin", "connection", "connect", comma, *attributes),
        record(said, "at", "general", "status", comma, *query),
        record(
            sessions, "end", "connection", "disconnect", comma, pl.lit('"connection_data": {"connection_type": "ssl"}')
        ),
    ]
    # MySQL writes UTC, whole seconds, and tells records of one second apart by a number
    ordered = pl.concat(frames).sort("at", maintain_order=True).with_columns(second=pl.col("at") // SECOND)
    ordered = ordered.with_columns(id=pl.int_range(pl.len()).over("second"))
    written = pl.concat_str(
        pl.lit('{"timestamp": "'),
        stamp("at", "%Y-%m-%d %H:%M:%S", 0),
        pl.lit('", "id": '),
        "id",
        "rest",
        pl.lit("},\n"),
    )
    return ordered.select("at", line=written)
