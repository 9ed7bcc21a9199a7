r"""Bytes to text, one record at a time: a log file may hold several encodings, one per record.

UTF-8 is tried first, then GB18030 (of which GBK and GB2312 are parts), and what is neither keeps its bad bytes as
visible escapes (``\xNN``). NUL and lone surrogates are always escaped: DuckDB refuses a whole batch for one of them.
"""

from __future__ import annotations

import re

import polars as pl

_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(raw: bytes) -> str:
    """Text of one record; raises nothing."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "backslashreplace")
    return clean(text)


def clean(text: str) -> str:
    """Escape what no store takes: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text if text.isascii() else _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def decode_series(raw: pl.Series) -> pl.Series:
    """`decode` for a Binary column; null stays null. Only a column with a value that is not UTF-8 is looped over."""
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.ComputeError:  # strict=False does not help here: one bad value fails the whole column
        values = [None if value is None else decode(value) for value in raw.to_list()]
        return pl.Series(raw.name, values, dtype=pl.String)
    return text.str.replace_all("\0", "\\x00", literal=True).alias(raw.name)


def excerpt(raw: bytes, limit: int = 4096) -> str:
    """Decoded beginning of a record for the `text` of a reject: at most `limit` characters."""
    return decode(raw[: 4 * limit])[:limit]
