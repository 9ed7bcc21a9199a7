r"""Bytes to text, one record at a time: a log file may hold several encodings, one per record.

UTF-8 is tried first, then GB18030 (of which GBK and GB2312 are parts) or what the source names, and what is neither keeps its bad bytes as
visible escapes (``\xNN``). NUL and lone surrogates are always escaped: DuckDB refuses a whole batch for one of them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt
import polars as pl

_SURROGATE = re.compile("[\ud800-\udfff]")
_BLOCK = 1 << 17  # bytes checked at once: small enough that no new memory is taken for them


def decode(raw: bytes, other: Callable[[bytes], str] | None = None) -> str:
    """Text of one record; raises nothing. `other` reads what is not UTF-8, where a format knows better."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = (other or _not_utf8)(raw)
    return clean(text)


def _not_utf8(raw: bytes) -> str:
    for encoding in _others.get():
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "backslashreplace")


def json_text(raw: bytes) -> str:
    """A line of JSON that is not UTF-8 (for `decode`'s `other`): where bad bytes stay escapes, JSON must be able to read them."""
    for encoding in _others.get():
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _SURROGATE.sub(lambda found: f"\\\\x{ord(found[0]) - 0xDC00:02x}", raw.decode("utf-8", "surrogateescape"))


_others: ContextVar[tuple[str, ...]] = ContextVar("encodings of records that are not UTF-8", default=("gb18030",))


def others() -> tuple[str, ...]:
    """Encodings to try where UTF-8 does not fit, for formats that decode by themselves."""
    return _others.get()


@contextmanager
def not_utf8_is(encodings: Iterable[str]) -> Iterator[None]:
    """Inside, records that are not UTF-8 are read as the first of `encodings` that fits (UTF-8 itself is passed over)."""
    chosen = tuple(name for name in encodings if codecs.lookup(name).name != "utf-8")
    token = _others.set(chosen)
    try:
        yield
    finally:
        _others.reset(token)


def clean(text: str) -> str:
    """Escape what no store takes: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text if text.isascii() else _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def decode_series(raw: pl.Series, other: Callable[[bytes], str] | None = None) -> pl.Series:
    """`decode` for a Binary column; null stays null. Only a column with a value that is not UTF-8 is looped over."""
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.ComputeError:  # strict=False does not help here: one bad value fails the whole column
        values = [None if value is None else decode(value, other) for value in raw.to_list()]
        return pl.Series(raw.name, values, dtype=pl.String)
    return text.str.replace_all("\0", "\\x00", literal=True).alias(raw.name)


def is_utf8(raw: bytes) -> bool:
    """Whether `raw` is UTF-8; no text is made of it, which takes most of the time of `bytes.decode`."""
    if raw.isascii():
        return True
    try:
        pl.Series([raw], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return False
    return True


def spoilt(chunk: bytes, ends: npt.NDArray[np.int64]) -> list[int]:
    """Indexes of the records (they end at `ends`, rising) that are not UTF-8 or hold NUL; each byte is read once."""
    zeros = np.flatnonzero(np.frombuffer(chunk, np.uint8) == 0) if b"\0" in chunk else np.zeros(0, np.int64)
    found = set(np.searchsorted(ends, zeros, side="right").tolist())
    view, position = memoryview(chunk), 0
    while position < len(chunk):
        stop = chunk.find(b"\n", position + _BLOCK) + 1 or len(chunk)  # no character goes on behind a line break
        if is_utf8(chunk[position:stop]):
            position = stop
        while position < stop:
            try:
                codecs.utf_8_decode(view[position:stop], "strict", True)
            except UnicodeDecodeError as problem:
                index = int(np.searchsorted(ends, position + problem.start, side="right"))
                found.add(index)
                position = int(ends[index]) if index < ends.size else len(chunk)
            else:
                position = stop
    return sorted(index for index in found if index < ends.size)


def mended(chunk: bytes, ends: npt.NDArray[np.int64], other: Callable[[bytes], str] | None = None) -> bytes:
    """The chunk as UTF-8 without NUL: records (they end at `ends`) that are not so are decoded, each by itself."""
    pieces, done = [], 0
    for index in spoilt(chunk, ends):
        start, end = int(ends[index - 1]) if index else 0, int(ends[index])
        pieces += [chunk[done:start], decode(chunk[start:end], other).encode()]
        done = end
    return b"".join((*pieces, chunk[done:])) if pieces else chunk


def excerpt(raw: bytes, limit: int = 4096) -> str:
    """Decoded beginning of a record for the `text` of a reject: at most `limit` characters."""
    return decode(raw[: 4 * limit])[:limit]
