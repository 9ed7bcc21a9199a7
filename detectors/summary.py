"""Events made ready for counting, and what a group of them adds up to: one meaning for windows and behaviour."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from detectors.rules import Step
from parsers.events import KEYS_KEPT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHO = ("account", "person", "vendor", "client_ip", "source", "site", "system", "format")
SPECIAL_CLASSES = ("special",)
# The columns that the functions here look at.
ASKED = frozenset({
    *WHO, "occurred_at", "event_id", "rows", "rows_kind", "bytes", "reads", "writes", "object_name", "file_shape", "output_classes",
    "record_role", "ticket", "in_scope", "actor_kind", "approved", "outcome", "bytes_kind", "patient_key_count", "truncated",
})  # fmt: skip


def micros() -> pl.Expr:
    return pl.col("occurred_at").dt.epoch("us").alias("_micros")


def subjects() -> list[pl.Expr]:
    """Whom rules may be about beside the columns themselves."""
    return [
        pl.coalesce("person", "account").alias("who"),  # the person where the register knows one
        # as one step may write it with its schema and another without
        pl.col("writes").list.first().str.to_lowercase().str.split(".").list.last().alias("written_table"),
    ]


def stamp() -> pl.Expr:
    """Order as text: time, then id."""
    return (pl.col("_micros").cast(pl.String).str.zfill(17) + " " + pl.col("event_id")).alias("_stamp")


def timed(enriched: pl.DataFrame) -> pl.DataFrame:
    """The events that tell a time."""
    return chosen(enriched, enriched.get_column("occurred_at") >= _EPOCH)


def chosen(events: pl.DataFrame, told: pl.Series) -> pl.DataFrame:
    """The events for which `told` is true: nearly always all, which need not be copied."""
    return events if told.all(ignore_nulls=False) else events.filter(told)


def acts_of(enriched: pl.DataFrame) -> pl.DataFrame:
    """Events that tell a time, with working columns: time as number, subjects, tables."""
    return timed(enriched).with_columns(micros(), *subjects(), tables().alias("_objects"))


def tables() -> pl.Expr:
    """Tables that the statement reads, then those that it writes."""
    return pl.concat_list(pl.col("reads").fill_null([]), pl.col("writes").fill_null([]))


def values() -> dict[str, pl.Expr]:
    """What one event adds to each count and sum of `windows.Pane`; `later`: it may only tell the amount of another."""
    kind = pl.col("rows_kind")
    failed = (pl.col("outcome") == "failed").fill_null(value=False)
    named = pl.col("patient_key_count")
    ticketed = pl.col("ticket").is_not_null() & pl.col("in_scope").fill_null(value=True)
    unresolved = ((pl.col("actor_kind") == "vendor") & pl.col("ticket").is_null()) | (pl.col("actor_kind") == "unknown")
    special = pl.any_horizontal(pl.col("output_classes").list.contains(name) for name in SPECIAL_CLASSES)
    return {
        "later": (pl.col("record_role") == "outcome").fill_null(value=False),
        "rows": pl.col("rows").fill_null(0),
        "rows_told": pl.col("rows").is_not_null(),
        "rows_estimated": (kind == "estimated").fill_null(value=False),
        "rows_unknown": (kind == "unknown").fill_null(value=False) & ~failed,  # what failed gave no rows
        "bytes": pl.col("bytes").fill_null(0),
        "bytes_told": pl.col("bytes").is_not_null(),
        "bytes_estimated": (pl.col("bytes_kind") == "estimated").fill_null(value=False),
        "failed": failed,
        # more patients than the event's keys: it names more than are kept, or its text was cut
        "keys_cut": ((named > KEYS_KEPT) | (pl.col("truncated") & (named > 0))).fill_null(value=False),
        "unapproved": ~pl.col("approved").fill_null(value=False),
        "unticketed": ~ticketed,
        "unresolved": unresolved.fill_null(value=False),
        "special": special.fill_null(value=False),
    }


def sums(step: Step) -> list[pl.Expr]:
    """Counts and sums of a group, named as in `windows.Pane`. The frame is sorted by time, then id."""
    added = values()
    # an outcome that only brings the amount of an act counted already is no event more
    later = added.pop("later") & (step.amounts == "summed")
    unknown = added["rows_unknown"].cast(pl.Int64) - (later & pl.col("rows").is_not_null()).cast(pl.Int64)
    return [
        (~later).sum().cast(pl.Int64).alias("events"),
        *((unknown if name == "rows_unknown" else one.cast(pl.Int64)).sum().alias(name) for name, one in added.items()),
        pl.col("_micros").min().alias("first_at"),
        pl.col("_micros").max().alias("last_at"),
    ]


def first_who() -> pl.Expr:
    """Who and where of the earliest event: WHO."""
    return pl.concat_list(pl.col(name).first() for name in WHO).first().alias("first")


def objects() -> pl.Expr:
    """What an event is about: tables, else the object that the log names, else the kind of file."""
    return pl.when(tables().list.len() > 0).then(tables()).otherwise(
        pl.concat_list(pl.coalesce("object_name", "file_shape"))
    )  # fmt: skip
