"""What a parser has forgotten: of all that it keeps between chunks only the things that were named last stay.

What is known at a record must follow from the records before it, not from where a chunk began. So a limit on what the
carry holds is kept inside a chunk as well: there too a thing is forgotten once so many others have been named after it.
"""

from __future__ import annotations

import polars as pl


def forgotten(rows: pl.DataFrame, key: list[str], limit: int, *, ends: pl.Expr | None = None) -> pl.Series:
    """True where `limit` other keys have been named since this row's key was; `ends`: rows that let go of their key.

    What the carry holds stands in front of the new rows, in the order in which it was named last.
    """
    none = pl.Series("forgotten", [False]).new_from_index(0, rows.height)
    if rows.height <= limit:
        return none
    names = (
        rows.select(pl.struct(key).rank("dense").alias("key"))["key"] if len(key) > 1 else rows[key[0]].rank("dense")
    )
    place = pl.DataFrame({"key": names}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    if not place.select((pl.col("row").diff().over("key") > limit).any()).item():
        return none  # with so few rows between there cannot be more keys
    leaves = rows.select(ends.fill_null(value=False)).to_series().to_list() if ends is not None else none.to_list()
    told: list[bool] = []
    seen: set[int] = set()
    known: dict[int, None] = {}  # in the order in which they were named last
    for name, leave in zip(names.to_list(), leaves, strict=True):
        told.append(name in seen and name not in known)
        seen.add(name)
        known.pop(name, None)
        if leave:
            seen.discard(name)
        else:
            known[name] = None
            if len(known) > limit:
                del known[next(iter(known))]
    return pl.Series("forgotten", told, dtype=pl.Boolean)
