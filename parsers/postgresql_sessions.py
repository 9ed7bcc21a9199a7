"""The sessions behind the lines of PostgreSQL's text logs, where the prefix does not name them.

csvlog names session, account, database and address in every record; text only what the prefix holds. The rest follows
from the process: `connection received` begins a session and has its address, `connection authorized` its account and
database, and the n-th record of a session is session_line_num n of csvlog. Remembered per process in
`carry["processes"]`, at most `PROCESSES`; the longest silent leave, and those that log out.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from parsers.postgresql_prefix import Prefix
from parsers.registry import Carry

PROCESSES = 1024
_UNSEEN = 1_000_000_000  # line numbers of a session whose beginning was not seen count from here
_RECEIVED = r"^(?:connection received|已接收到连接): host=(\S+)"
_AUTHORIZED = r"^(?:(?:replication )?connection authorized|(?:复制)?连接已授权): user=(?<user>[\s\S]*?)(?: database=(?<database>[\s\S]*?))?(?: application_name=[^\n]*)?(?: SSL enabled \([^\n]*| GSS \([^\n]*)?$"
_AUTHENTICATED = (
    r"^(?:connection authenticated|连接已通过身份认证): identity=\"([^\"]*)\" method=(?:scram-sha-256|md5|password) "
)
_ENDED = r"^[^\"=]{1,40}?\d+:\d\d:\d\d\.\d{3} user="
_NAMED = r"(?:user|用户|role|角色) \"([\s\S]*?)\"(?:$|[,， ])"
_NAMED_DATABASE = r"(?:database|数据库) \"([\s\S]*?)\"(?:$|[,， ])"
_STATE = {
    "session": pl.String, "count": pl.Int64, "user": pl.String, "database": pl.String, "host": pl.String,
    "waiting": pl.Boolean,
}  # fmt: skip


def with_sessions(records: pl.DataFrame, prefix: Prefix, carry: Carry) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Add session, line, connecting, login and waiting (not logged in yet); fill user, database, host. And the memory."""
    col = pl.col
    records = _steps(records)
    rows = pl.concat([_remembered(carry), records], how="diagonal_relaxed")
    rows = rows.with_columns(
        past=col("past").fill_null(value=False),
        connecting=col("connecting").fill_null(value=False),
        ended=col("ended").fill_null(value=False),
        count=col("count") if "count" in rows.columns else pl.lit(None, pl.Int64),
    )
    first = col("connecting") | col("ended").shift(1).over("pid").fill_null(value=False)
    rows = rows.with_columns(unit_=first.cast(pl.UInt32).cum_sum().over("pid"))
    if "session" in prefix.fields:
        unit = ["session"]
    elif "start" in prefix.fields:
        rows, unit = _named(rows, ["pid", "start_at"], col("start_at").first(), known=True), ["session"]
    else:
        unit = ["pid", "unit_"]
        rows = _named(rows, unit, col("occurred_at").drop_nulls().first(), known=False)
    number = (
        pl.when("past")
        .then("count")
        .when(~col("connecting") & (pl.int_range(pl.len()).over(unit) == 0))
        .then(_UNSEEN)
        .otherwise(1)
    )
    rows = rows.with_columns(line=number.cum_sum().over(unit))
    rows = rows.with_columns(
        *(
            (pl.coalesce(name, f"{name}_") if f"{name}_" in rows.columns else col(name))
            .forward_fill()
            .over(unit)
            .alias(name)
            for name in ("user", "database", "host")
            if name not in prefix.fields and not (name == "host" and "remote" in prefix.fields)
        ),
        waiting=pl.when("connecting")
        .then(True)
        .when("authorized")
        .then(False)
        .otherwise("waiting")
        .forward_fill()
        .over(unit),
    )
    return rows.filter(~col("past")), _kept(rows)


def _steps(records: pl.DataFrame) -> pl.DataFrame:
    """What the messages about connections say; such messages are few, so their patterns run over few texts."""
    col = pl.col
    message = pl.when(col("plain") & col("bare")).then("message")
    fatal = pl.when(col("severity") == "FATAL").then("message")
    records = records.with_columns(
        address=message.str.extract(_RECEIVED),
        groups=message.str.extract_groups(_AUTHORIZED),
        identity=message.str.extract(_AUTHENTICATED),
        ended=message.str.contains(_ENDED).fill_null(value=False),
        fatal_=fatal.str.extract(_NAMED),
        fatal_database=fatal.str.extract(_NAMED_DATABASE),
    )
    # `a@b@c`: which @ divides only the message tells, and it is the server that quotes the name there
    both = pl.concat_str("user", pl.lit("@"), "database")
    split = both.str.starts_with(col("fatal_") + "@") & (col("fatal_") != col("user"))
    if records.select(split.any()).item():
        records = records.with_columns(
            user=pl.when(split).then("fatal_").otherwise("user"),
            database=pl.when(split).then(both.str.strip_prefix(col("fatal_") + "@")).otherwise("database"),
        )
    authorized = col("groups").struct.field("user")
    return records.with_columns(
        connecting=col("address").is_not_null() & col("user").is_null(),
        authorized=authorized.is_not_null(),
        login=authorized.is_not_null()
        | message.str.contains("^(?:connection authenticated|连接已通过身份认证): ").fill_null(value=False),
        user_=pl.coalesce(authorized, "identity", "fatal_"),
        database_=pl.coalesce(col("groups").struct.field("database"), "fatal_database"),
        host_="address",
        waiting=pl.lit(None, pl.Boolean),
    ).drop("groups", "address", "identity", "fatal_", "fatal_database")


def _named(rows: pl.DataFrame, unit: list[str], start: pl.Expr, *, known: bool) -> pl.DataFrame:
    """Session ids as csvlog writes them: seconds of the start and the process, in hexadecimal digits.

    The start is that of `connection received`; where it was not seen the first record stands in, with a ~ before it.
    """
    units = rows.group_by(unit, maintain_order=True).agg(
        have=pl.col("session").first(), begins=pl.col("connecting").first(), seconds=start.dt.epoch("s")
    )
    made = [
        have or _session_id(pid, seconds, known=known or begins)
        for pid, have, begins, seconds in units.select("pid", "have", "begins", "seconds").iter_rows()
    ]
    units = units.select(*unit, session=pl.Series(made, dtype=pl.String))
    return rows.drop("session").join(units, on=unit, how="left", nulls_equal=True, maintain_order="left")


def _session_id(pid: str | None, seconds: int | None, *, known: bool) -> str | None:
    if not pid or seconds is None:
        return None
    return f"{'' if known else '~'}{seconds:x}.{int(pid):x}"


def _remembered(carry: Carry) -> pl.DataFrame:
    rows = [(pid, *values) for pid, values in carry.get("processes", {}).items()]
    return pl.DataFrame(rows, schema={"pid": pl.String, **_STATE}, orient="row").with_columns(past=pl.lit(value=True))


def _kept(rows: pl.DataFrame) -> dict[str, list[Any]]:
    col = pl.col
    last = (
        rows.with_row_index("order_")
        .group_by("pid")
        .agg(col("order_", "ended", "session", "user", "database", "host", "waiting").last(), count=col("line").last())
        .filter(~col("ended"), col("pid").is_not_null())
        .sort("order_")
        .tail(PROCESSES)
    )
    return {row[0]: list(row[1:]) for row in last.select("pid", *_STATE).iter_rows()}
