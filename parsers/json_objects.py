"""Texts that should be JSON objects to columns, whatever some of them are.

One reader makes all values, so that a text means the same whatever stands beside it. It takes fewer texts than Python's
`json` (no numbers beyond a float, no NaN, 1024 levels) and none that `json` refuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isinf
from typing import Any

import polars as pl

Schema = Mapping[str, Any]  # name -> type of Polars


def read_objects(texts: pl.Series, schema: Schema) -> pl.DataFrame:
    """One row a text: the keys of `schema`, and `good_`, whether it was an object. Of a lone surrogate becomes NUL."""
    frame = _at_once(texts, schema)
    if frame is not None:
        return frame
    likely = pl.Series([_may_be_object(text) for text in texts], dtype=pl.Boolean)
    rows = _halved(texts.filter(likely), schema)
    if likely.all():
        return rows
    places = rows.with_columns(place=likely.arg_true())
    every = pl.DataFrame({"place": pl.Series(range(len(texts)), dtype=pl.UInt32)})
    found = every.join(places, on="place", how="left", maintain_order="left")
    return found.select(*schema, pl.col("good_").fill_null(value=False))


def _at_once(texts: pl.Series, schema: Schema) -> pl.DataFrame | None:
    """None where the reader refuses one of them, or sees other objects than one a text."""
    if not len(texts) or texts.null_count():
        return None
    joined = bytes(texts.str.join("\n").cast(pl.Binary).item())
    try:
        frame = pl.read_ndjson(joined, schema=dict(schema))
    except pl.exceptions.PolarsError:
        return None
    return frame.with_columns(good_=pl.lit(value=True)) if frame.height == len(texts) else None


def _may_be_object(text: str | None) -> bool:
    """Quick and sure against hostile input: what is refused here need not be isolated by halving, a thousand times as slow."""
    try:
        return isinstance(_strict.decode(text or ""), dict)
    except RecursionError:  # how deep depends on who calls: the reader has a limit of its own
        return True
    except ValueError:
        return False


def _number(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise ValueError
    return value


def _constant(name: str) -> float:
    raise ValueError(name)


_strict = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_constant)


def _halved(texts: pl.Series, schema: Schema) -> pl.DataFrame:
    frame = _at_once(texts, schema)
    if frame is not None:
        return frame
    if len(texts) <= 1:
        nothing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items()]
        return pl.select(pl.repeat(value=False, n=len(texts), dtype=pl.Boolean).alias("good_")).select(
            *nothing, "good_"
        )
    half = len(texts) // 2
    return pl.concat([_halved(texts[:half], schema), _halved(texts[half:], schema)])
