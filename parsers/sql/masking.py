"""Masking that does not depend on parsing: for rejects, for messages of servers, for SQL that nobody understood.

Every quoted string and every number of six digits or more goes, credentials whatever their form. Where it cannot be told
in one pass where a string ends (backslashes, comments with quotes, dollar quotes), everything from the first quote on
goes: too much rather than too little.
"""

from __future__ import annotations

import polars as pl

STRING = "'⟦s⟧'"
NUMBER = "⟦n⟧"
CREDENTIAL = "⟦c⟧"

# Where quotes may not mean what they seem: escaped quotes, comments, tagged and alternative quoting, quotes in names.
_AMBIGUOUS = r"""\\|--|/\*|#|\$\w*\$|[qQ]'|`[^`]*['"][^`]*(?:`|\z)"""
_ALL_FROM_QUOTE = r"""(?s)['"‘’“”＇＂].*"""
_PAIRS = r"""(?s)'[^']*(?:'|\z)|"[^"]*(?:"|\z)|[‘’“”＇＂][^‘’“”＇＂]*(?:[‘’“”＇＂]|\z)"""
_DOLLARS = r"(?s)\$\w*\$.*"
_CREDENTIALS = r"(?i)\b(identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+(?:password|values))?|password|passwd|pwd)(\s*[=:(]\s*|\s+)[^\s;,)]+"
_DIGITS = r"\p{Nd}{6,}"


def mask(texts: pl.Series) -> pl.Series:
    """The same texts (String) with quoted strings, long numbers and credentials masked; null stays null. Linear."""
    frame = pl.DataFrame({"text": texts})
    text = pl.col("text")
    masked = (
        pl.when(text.str.contains(_AMBIGUOUS))
        .then(text.str.replace(_DOLLARS, STRING).str.replace(_ALL_FROM_QUOTE, STRING))
        .otherwise(text.str.replace_all(_PAIRS, STRING))
        .str.replace_all(_CREDENTIALS, "$1 " + CREDENTIAL)
        .str.replace_all(_DIGITS, NUMBER)
    )
    return frame.select(masked.alias("text"))["text"].alias(texts.name)
