"""Which of several records of one act stands for it (`record_role`), across the cuts of a stream.

pgaudit writes a record for each relation, for statements inside functions and triggers, and for both halves of
COPY (SELECT), EXPLAIN, EXECUTE; log_statement and the durations tell the same act once more. A record is judged by what came
before it in its session, never by what follows, so that any cut gives the same roles.

Remembered per session (`carry["sessions"]`): the last pgaudit statement and the last logged statement, as numbers and
hashes of texts, never a text. Sessions leave with their logout; of more than `SESSIONS` the longest silent leave.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from parsers.registry import Carry

SESSIONS = 1024
_NONE = 0  # in the place of a hash: that statement has ended
FLAGS = ("reads", "writes")  # pgaudit classes that this log has been seen to hold
_DML = ("INSERT", "UPDATE", "DELETE", "MERGE")
_STATE = {
    "statement_number": pl.Int64,     # of the session's last pgaudit record
    "substatement_number": pl.Int64,
    "line": pl.Int64,                 # its line in the session
    "hash": pl.UInt64,                # its statement
    "called": pl.UInt64,              # text with which the act began, where that was a function call
    "first": pl.UInt64,               # text of the act's first main record
    "logged": pl.UInt64,              # last text of log_statement
    "logged_line": pl.Int64,
}  # fmt: skip
_WANTED = {
    "session": pl.String, "kind": pl.String, "line": pl.Int64, "statement": pl.String, "statement_number": pl.Int64,
    "substatement_number": pl.Int64, "command_class": pl.String, "command": pl.String, "audit_type": pl.String,
    "tag": pl.String, "empty": pl.Boolean, "record_role": pl.String, "activity_key": pl.String, "ms": pl.String,
    "outcome": pl.String,
}  # fmt: skip


def with_roles(events: pl.DataFrame, carry: Carry) -> tuple[pl.DataFrame, dict[str, Any]]:
    """`events` in order, with record_role and activity_key filled; and the carry for the next chunk.

    Roles already set (parse and bind, lone durations, lost clients) stand.
    """
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _WANTED.items() if name not in events.columns]
    events = events.with_columns(missing)
    before = _remembered(carry)
    col = pl.col
    audit = col("kind") == "audit"
    opened = (col("kind") == "statement") & col("record_role").is_null()
    timed = opened & col("ms").is_not_null()  # told after its end, together with the time it took
    closed = col("kind").is_in(["duration", "failed"])
    rows = pl.concat(
        [
            before,
            events.select(
                *_WANTED,
                text=col("statement").fill_null("").hash(seed=20261118),
                reads=audit & (col("command_class") == "READ"),
                writes=audit & (col("command_class") == "WRITE"),
            ).drop("statement"),
        ],
        how="diagonal",
    )
    rows = rows.with_columns(
        past=col("past").fill_null(value=False),
        audit=audit.fill_null(value=False) | col("hash").is_not_null(),
        logged=pl.when(opened & ~timed).then("text").when(closed).then(pl.lit(_NONE, pl.UInt64)).otherwise("logged"),
        logged_line=pl.when(opened & ~timed).then("line").otherwise("logged_line"),
        hash=pl.when(audit).then("text").otherwise("hash"),
        last_line=pl.when(audit | col("hash").is_not_null()).then("line"),
        reads_seen=_seen("reads", carry),
        writes_seen=_seen("writes", carry),
    )
    rows = rows.with_columns(
        logged=col("logged").forward_fill().over("session"),
        told=col("logged").forward_fill().shift(1).over("session"),  # what log_statement said before this record
        logged_line=col("logged_line").forward_fill().over("session"),
        last_hash=pl.when(col("audit")).then("hash").forward_fill().over("session"),
        last_line=col("last_line").forward_fill().over("session"),
        last_number=pl.when(col("audit")).then("statement_number").forward_fill().over("session"),
    )
    rows = _audit_mains(rows)
    session, number = col("session"), col("statement_number").cast(pl.String)
    told = audit & (col("hash") == col("told"))
    repeated = timed & (col("text") == col("last_hash")) & (col("line") == col("last_line") + 1)
    ended = (col("kind") == "failed") & (col("text") == col("told"))
    roles = rows.filter(~col("past")).select(
        record_role=pl.when(audit & told & col("main"))
        .then(pl.lit("outcome"))
        .when(audit & ~col("main"))
        .then(pl.lit("part"))
        .when(repeated)
        .then(pl.lit("duplicate"))
        .when(ended & col("record_role").is_null())
        .then(pl.lit("outcome"))
        .otherwise(col("record_role").fill_null("main")),
        activity_key=pl.when((told & col("main")) | ended)
        .then(session + ":" + col("logged_line").cast(pl.String))
        .when(audit)
        .then(session + "/" + number)
        .when(repeated)
        .then(session + "/" + col("last_number").cast(pl.String))
        .otherwise("activity_key"),
    )
    return events.with_columns(roles), _carry(rows, carry)


def _audit_mains(rows: pl.DataFrame) -> pl.DataFrame:
    """`main`: this pgaudit record stands for its act.

    The first record does, except: a function call (its caller's record follows), statements inside that function,
    another relation of the same statement, views unfolded (`???`), the inner statements of a changing statement.
    """
    col = pl.col
    act = ["session", "statement_number"]
    call = ((col("command_class") == "FUNCTION") & (col("command") == "EXECUTE")).fill_null(value=False)
    inner = (
        (col("audit_type") == "SESSION") & col("tag").is_in(_DML) & (col("command") != col("tag")) & col("writes_seen")
    ).fill_null(value=False)
    call_number = (call | col("called").is_not_null()).cast(pl.UInt32).cum_sum().over(act)
    rows = rows.with_columns(
        called=pl.when(call & (call_number == 1)).then("hash").otherwise("called").forward_fill().over(act),
        fresh=pl.struct("session", "statement_number", "substatement_number").is_first_distinct(),
    )
    eligible = (
        col("audit")
        & ~col("past")
        & ~(call & col("reads_seen"))
        & ~inner
        & ~col("empty").fill_null(value=False)
        & (col("command") != "???")
        & col("fresh")
        & (col("called").is_null() | (col("called") == col("hash")))
    ).fill_null(value=False)
    rows = rows.with_columns(eligible=eligible)
    rows = rows.with_columns(
        order=(col("eligible") | col("first").is_not_null()).cast(pl.UInt32).cum_sum().over(act),
    )
    first = col("eligible") & (col("order") == 1)
    rows = rows.with_columns(first=pl.when(first).then("hash").otherwise("first").forward_fill().over(act))
    second = (
        (col("command") == col("tag"))
        & (col("command_class") != "MISC")
        & (col("hash") != col("first"))
        & col("called").is_null()
    ).fill_null(value=False)
    return rows.with_columns(main=first | (col("eligible") & second))


def _seen(flag: str, carry: Carry) -> pl.Expr:
    before = pl.col(flag).fill_null(value=False).cum_max().shift(1).fill_null(value=False)
    return before | pl.lit(bool(carry.get(flag, False)))


def _remembered(carry: Carry) -> pl.DataFrame:
    sessions = carry.get("sessions", {})
    rows = [(session, *values) for session, values in sessions.items()]
    return pl.DataFrame(rows, schema={"session": pl.String, **_STATE}, orient="row").with_columns(
        past=pl.lit(value=True)
    )


def _carry(rows: pl.DataFrame, carry: Carry) -> dict[str, Any]:
    col = pl.col
    audits = rows.filter(col("audit")).group_by("session").last()
    others = rows.filter(col("logged").is_not_null()).group_by("session").last()
    order = (
        rows.with_row_index("order_")
        .filter(col("session").is_not_null())
        .group_by("session")
        .agg(col("order_").last(), left=col("kind").last() == "logout")
    )
    state = (
        order.filter(~col("left").fill_null(value=False))
        .join(audits.select("session", *list(_STATE)[:6]), on="session", how="left")
        .join(others.select("session", "logged", "logged_line"), on="session", how="left")
        .filter(col("hash").is_not_null() | col("logged").is_not_null())
        .sort("order_")
        .tail(SESSIONS)
    )
    flags = {flag: bool(carry.get(flag, False)) or bool(rows[flag].fill_null(value=False).any()) for flag in FLAGS}
    return {**flags, "sessions": {row[0]: list(row[1:]) for row in state.select("session", *_STATE).iter_rows()}}
