"""What commands of one FTP session say together: PASS belongs to USER, RNTO to RNFR, ABOR to the transfer before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from parsers.ftp_acts import activity_keys

MAX_COMMANDS = 2_000  # such commands of all sessions, after which the first of a pair is forgotten
_SECOND = 1_000_000  # microseconds
# how long the second command of a pair may come after the first; USER: twice the usual TimeoutLogin
_WITHIN = {"USER": 600 * _SECOND, "USERS": 600 * _SECOND, "RNFR": 3600 * _SECOND, "moved": 2 * _SECOND}

STATE: dict[str, pl.DataType] = {
    "key": pl.String(),
    "kind": pl.String(),
    "account": pl.String(),
    "client_ip": pl.String(),
    "path": pl.String(),
    "action": pl.String(),
    "moved": pl.Int64(),
    "at": pl.Int64(),
    "age": pl.Int64(),  # such commands since
}
State = Mapping[str, Any]  # columns of STATE as lists: the last such command of each session


def join_commands(acts: pl.DataFrame, state: State) -> pl.DataFrame:
    """Add `path2`, `role`, `of_key` (key of the act an outcome is about) and complete `account` and `path`.

    Rows of the past are put in front again, with `fresh` false. A LogFormat without %P has no sessions: there a login
    is joined by address, and only where the order leaves no doubt; a rename by address and account.
    """
    command = pl.col("command")
    kind = (
        pl.when(command.is_in(["USER", "PASS", "RNFR", "RNTO"]))
        .then(command)
        .when(pl.col("action").is_in(["upload", "download"]))
        .then(pl.lit("moved"))
        .when((command == "ABOR") & (pl.col("status") == "cancelled"))
        .then(command)
    )
    login = command.is_in(["USER", "PASS"])
    place = pl.concat_str(
        pl.lit("@"),
        "client_ip",
        pl.when(login).then(pl.lit("")).otherwise(pl.concat_str(pl.lit("/"), pl.col("account").fill_null(""))),
    )
    fresh = acts.with_columns(
        kind=kind, key=pl.coalesce("session", place), at=pl.col("occurred_at").dt.epoch("us"), fresh=pl.lit(value=True)
    )
    past = pl.DataFrame({name: state.get(name, []) for name in STATE}, schema=STATE).with_columns(
        fresh=pl.lit(value=False)
    )
    rows = pl.concat([past, fresh], how="diagonal").with_row_index("row")
    told = pl.col("kind").is_not_null() & pl.col("key").is_not_null()
    rows = rows.with_columns(
        number=pl.when("fresh").then((told & pl.col("fresh")).cum_sum()).otherwise(1 - pl.col("age"))
    )
    joined = _joined(rows.filter(pl.col("kind").is_not_null() & pl.col("key").is_not_null()))
    rows = rows.join(joined, on="row", how="left", maintain_order="left")
    is_pass, is_rnto, is_abort = (pl.col("kind") == name for name in ("PASS", "RNTO", "ABOR"))
    ended = (is_abort & pl.col("of_key").is_not_null()).fill_null(value=False)
    old = pl.coalesce("rename_from", "before_path")
    return rows.with_columns(
        kind=pl.coalesce("kind_after", "kind"),
        account=pl.when(is_pass & pl.col("account").is_null()).then("before_account").otherwise("account"),
        path2=pl.when(is_rnto).then("path"),
        path=pl.when(is_rnto).then(old).when(ended).then("before_path").otherwise("path"),
        action=pl.when(ended).then("before_action").otherwise("action"),
        outcome=pl.when(ended).then(pl.lit("failed")).otherwise("outcome"),
        skip=pl.when(~ended).then("skip"),
        role=pl.when(ended)
        .then(pl.lit("outcome"))
        .when(pl.col("part") & pl.col("kind").is_in(["RNFR", "moved"]))
        .then(pl.lit("part"))
        .otherwise(pl.lit("main")),
    )


def _joined(rows: pl.DataFrame) -> pl.DataFrame:
    """For each row what the one before it in its session says of it; column `row` and those that join_commands uses."""
    before = {
        name: pl.col(name).shift(1).over("key")
        for name in ("kind", "account", "path", "action", "moved", "at", "number")
    }
    rows = rows.with_columns(**{f"before_{name}": column for name, column in before.items()})
    limit = pl.col("before_kind").replace_strict(_WITHIN, default=0, return_dtype=pl.Int64)
    rows = rows.with_columns(
        previous=pl.when(
            (pl.col("at") - pl.col("before_at") <= limit) & (pl.col("number") - pl.col("before_number") <= MAX_COMMANDS)
        )
        .then("before_kind")
        .fill_null(""),
        process=~pl.col("key").str.starts_with("@"),
    )
    kind, previous = pl.col("kind"), pl.col("previous")
    # two names offered from one address, and no process number to tell whose password comes next
    doubtful = (kind == "USER") & previous.is_in(["USER", "USERS"]) & ~pl.col("process")
    rows = rows.with_columns(kind=pl.when(doubtful).then(pl.lit("USERS")).otherwise(kind))
    certain = pl.col("kind").shift(1).over("key") == "USER"
    rows = rows.with_columns(
        before_account=pl.when((kind == "PASS") & (previous == "USER") & certain).then("before_account"),
        before_path=pl.when(((kind == "RNTO") & (previous == "RNFR")) | (kind == "ABOR")).then("before_path"),
        aborts=(kind == "ABOR") & (previous == "moved") & pl.col("process"),
    )
    transfer = rows.select(
        "account", "client_ip", action="before_action", outcome=pl.lit(""), path="before_path", bytes="before_moved"
    )
    keys = activity_keys(transfer)
    return rows.select(
        "row",
        "before_account",
        "before_path",
        "before_action",
        kind_after="kind",
        of_key=pl.when("aborts").then(keys),
    )


def remembered(rows: pl.DataFrame) -> State:
    """The first commands of pairs whose second may come. No stamp lets go of one: stamps can be wrong."""
    last = rows.filter(pl.col("kind").is_not_null() & pl.col("key").is_not_null())
    if last.is_empty():
        return {}
    age = pl.col("number").max() - pl.col("number")
    last = last.with_columns(age=age.clip(0)).unique("key", keep="last", maintain_order=True)
    waiting = pl.col("kind").is_in(list(_WITHIN)) & (pl.col("age") < MAX_COMMANDS)
    return last.filter(waiting).select(*STATE).to_dict(as_series=False)
