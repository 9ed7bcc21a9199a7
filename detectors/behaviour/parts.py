"""What an item is made of: columns, and readings of columns under which what is the same looks the same."""

from __future__ import annotations

import polars as pl

from detectors.behaviour.blocks import LISTS, Part

_VERSION = r"[0-9]+(?:[._][0-9]+)*"  # of a program; numbers of temporary and partitioned tables


def part(name: Part) -> pl.Expr:
    """Text, or a list of texts where an event has several; null: nothing that could be new."""
    return _READINGS.get(name, pl.col(name))


def is_list(name: Part) -> bool:
    return name in LISTS


def columns_of(name: Part) -> tuple[str, ...]:
    """The columns that a part is read from."""
    return _COLUMNS.get(name, (name,))


def _plain(column: pl.Expr) -> pl.Expr:
    return column.str.to_lowercase().str.replace_all(_VERSION, "#")


def _hours(mark: pl.Expr) -> pl.Expr:
    """The local hour and those beside it: three of them are new only where nothing was near."""
    hour = pl.col("_hour").cast(pl.Int32)
    near = (((hour + step) % 24).cast(pl.String).str.zfill(2) + ":00" for step in (23, 0, 1))
    return pl.concat_list(one + mark for one in near)


_READINGS: dict[str, pl.Expr] = {
    # a new release is the same program, the table of a month the same table
    "program": _plain(pl.col("client_program")),
    "table": pl.col("_objects").list.eval(_plain(pl.element())).list.unique(),
    "read_table": pl.col("reads").list.eval(_plain(pl.element())).list.unique(),
    "hours": _hours(pl.lit("")),
    "day_hours": _hours(pl.when(pl.col("working_day").fill_null(value=True)).then(pl.lit("")).otherwise(pl.lit("*"))),
    "network": pl.col("client_ip").str.replace(r"^(\d+\.\d+\.\d+)\.\d+$", "$1.0/24"),
    "folder": pl.col("path").str.replace(r"[^/\\]*$", "").str.to_lowercase().str.replace_all(_VERSION, "#"),
}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "program": ("client_program",), "table": ("_objects",), "read_table": ("reads",), "hours": ("_hour",),
    "day_hours": ("_hour", "working_day"), "network": ("client_ip",), "folder": ("path",),
}  # fmt: skip
