r"""Names in web logs: the escapes of the log are undone once, then the percent signs of the URL, then bytes are decoded.

nginx writes ``"``, ``\`` and every byte outside printable ASCII as ``\xHH``; Apache writes ``\"``, ``\\``, ``\n``, ``\xhh``.
What a URL holds behind its percent signs may be UTF-8, GBK or neither.
"""

from __future__ import annotations

import polars as pl

from parsers.decoding import decode_series

# A byte in hexadecimal and a blank: with the blank no pattern can begin in the middle of a byte.
_DIGITS = "0123456789abcdefABCDEF"


def _coded(text: str) -> str:
    return "".join(f"{byte:02x} " for byte in text.encode())


def _numbered(sign: str) -> dict[str, str]:
    return {_coded(f"{sign}{high}{low}"): f"{high}{low} ".lower() for high in _DIGITS for low in _DIGITS}


_LETTERS = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r", "b": "\b", "v": "\v", "f": "\f"}
_LOG = _numbered("\\x") | {_coded("\\" + letter): _coded(plain) for letter, plain in _LETTERS.items()}
_URL = _numbered("%")


def log_text(texts: pl.Series) -> pl.Series:
    """Undo the escapes of the log."""
    return _undone(texts, "\\", _LOG)


def url_text(texts: pl.Series) -> pl.Series:
    """Undo the percent signs of a URL (`+` is a plus in a path)."""
    return _undone(texts, "%", _URL)


def log_url_text(texts: pl.Series) -> pl.Series:
    """Both, the bytes decoded only at the end: half a character may stand raw, half behind a percent sign."""
    return _undone(texts, "\\", _LOG, _URL)


def _undone(texts: pl.Series, sign: str, *steps: dict[str, str]) -> pl.Series:
    signs = [sign, "%"] if len(steps) > 1 else [sign]
    escaped = texts.str.contains_any(signs).fill_null(value=False)
    if not escaped.any():
        return texts
    unique = texts.filter(escaped).unique()
    coded = unique.str.encode("hex").str.replace_all("(..)", "${1} ")
    for step in steps:
        coded = coded.str.replace_many(list(step), list(step.values()), leftmost=True)
    plain = decode_series(coded.str.replace_all(" ", "", literal=True).str.decode("hex"))
    return texts.replace(unique, plain)
