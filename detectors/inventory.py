"""What a server has: its accounts and its code, as inventories read them; and what changed between two readings.

An inventory is a frame ACCOUNTS and a frame CODE of one system. The store keeps the state of all of them (ACCOUNTS_KEPT,
CODE_KEPT: a row for everything that was ever there) and the differences (CHANGES).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import polars as pl

from parsers.events import TEXTS, UTC

ACCOUNTS: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),  # as the log writes it
    "can_login": pl.Boolean(),
    "superuser": pl.Boolean(),  # by itself or by a role that it has
    "roles": TEXTS,  # roles and rights over the whole server, those of its roles among them; sorted
    "expires": pl.Boolean(),  # whether the server ends the account or its password by itself; null: it does not tell
    "valid_until": UTC,  # when it does; null: never, or it does not tell
    "locked": pl.Boolean(),
    "created_at": UTC,  # null: the server does not tell
    "last_login_at": UTC,  # null: never, or the server does not tell
    "password_changed_at": UTC,  # null: the server does not tell
    "audited": pl.Boolean(),  # false: the settings of the server's audit leave out what it does; null: they do not tell
}
CODE: dict[str, pl.DataType] = {
    "system": pl.String(),
    "kind": pl.String(),  # function, procedure, view, trigger, event ...
    "name": pl.String(),  # with database and schema
    "digest": pl.String(),  # of its text
}
_SEEN: dict[str, pl.DataType] = {
    "first_read_at": UTC,  # since when it is there without a break
    "read_at": UTC,  # when it was last there
    "gone_at": UTC,  # null: it is there
}
ACCOUNTS_KEPT = {**ACCOUNTS, **_SEEN}
CODE_KEPT = {**CODE, **_SEEN}
CHANGES: dict[str, pl.DataType] = {
    "read_at": UTC,
    "previous_at": UTC,  # the reading before: it changed in between
    "system": pl.String(),
    "thing": pl.String(),  # account or code
    "name": pl.String(),
    "change": pl.String(),  # new, gone, changed
    "field": pl.String(),  # what changed
    "before": pl.String(),
    "after": pl.String(),
}

ACCOUNT_KEY = ("system", "account")
CODE_KEY = ("system", "kind", "name")
_MOVING = ("last_login_at",)  # changes with every use: no difference to be told


def update(
    kept: pl.DataFrame, read: pl.DataFrame, key: Sequence[str], systems: Collection[str], now: datetime
) -> pl.DataFrame:
    """The state after a reading of `systems`: rows of other systems stay as they are."""
    others = kept.filter(~pl.col("system").is_in(list(systems)))
    known = kept.filter(pl.col("system").is_in(list(systems)))
    moment = pl.lit(now).cast(UTC)
    since = known.filter(pl.col("gone_at").is_null()).select(*key, "first_read_at")
    here = (
        read.unique(list(key), keep="first", maintain_order=True)
        .join(since, on=list(key), how="left", nulls_equal=True)
        .with_columns(pl.col("first_read_at").fill_null(moment), read_at=moment, gone_at=pl.lit(None, UTC))
    )
    left = known.join(read, on=list(key), how="anti", nulls_equal=True).with_columns(
        pl.col("gone_at").fill_null(moment)
    )
    return pl.concat([frame.select(kept.columns) for frame in (others, here, left)]).sort(list(key))


def changes(
    kept: pl.DataFrame, read: pl.DataFrame, key: Sequence[str], systems: Collection[str], now: datetime
) -> pl.DataFrame:
    """CHANGES between the state and a reading. The first reading of a system has nothing to differ from."""
    known = kept.filter(pl.col("system").is_in(list(systems)))
    previous = known.group_by("system").agg(
        previous_at=pl.max_horizontal(pl.col("read_at").max(), pl.col("gone_at").max())
    )
    old, new = _lines(known.filter(pl.col("gone_at").is_null()), key), _lines(read, key)
    both = old.join(new, on=["system", "name", "field"], how="full", coalesce=True, nulls_equal=True, suffix="_new")
    told = both.join(_names(old), on=["system", "name"], how="left").join(
        _names(new), on=["system", "name"], how="left", suffix="_new"
    )
    change = (
        pl.when(pl.col("known").is_null()).then(pl.lit("new"))
        .when(pl.col("known_new").is_null()).then(pl.lit("gone"))
        .when(pl.col("value").ne_missing(pl.col("value_new"))).then(pl.lit("changed"))
    )  # fmt: skip
    whole = pl.col("change").is_in(["new", "gone"])
    return (
        told.with_columns(change=change)
        .filter(pl.col("change").is_not_null())
        .with_columns(
            pl.when(~whole).then(pl.col(column)).alias(name)
            for name, column in (("field", "field"), ("before", "value"), ("after", "value_new"))
        )
        .unique(["system", "name", "change", "field"])
        .join(previous, on="system", how="inner")
        .with_columns(read_at=pl.lit(now).cast(UTC), thing=pl.lit("account" if "account" in key else "code"))
        .select(pl.col(name).cast(dtype) for name, dtype in CHANGES.items())
        .sort("system", "name", "field", nulls_last=True)
    )


def _names(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select("system", "name").unique().with_columns(known=pl.lit(value=True))


def _lines(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """A row for each thing and column that counts: system, name, field, value as text."""
    columns = [name for name in frame.columns if name not in (*key, *_SEEN, *_MOVING)]
    name = pl.concat_str([pl.col(part) for part in key if part != "system"], separator=" ")
    texts = [
        (pl.col(column).list.join(", ") if dtype == TEXTS else pl.col(column).cast(pl.String)).alias(column)
        for column, dtype in frame.schema.items()
        if column in columns
    ]
    return frame.select("system", name.alias("name"), *texts).unpivot(
        index=["system", "name"], variable_name="field", value_name="value"
    )


def empty(schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(schema))
