"""What joins the records of one act over the logs of one MariaDB or MySQL server: audit, general, slow and error log.

The logs share the connection id and the text of a statement, but no statement number. So the key of a statement is its
connection and a digest of how its text begins, without anything that a patient's name or number could be in: literals,
comments, digits, all but printable ASCII, and everything from `;` on (further statements of a packet, which one log tells
together). Of statements about accounts it ends where a password may begin, which one log masks and the others do not.
What is left is the same in every log, and a digest of it gives nothing away. Two statements of one connection may have
the same key; whoever folds by it has to count. A statement that is padded, so that nothing of it stands at its
beginning, has no key: it must not pass for a harmless one that is padded alike.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from xxhash import xxh3_64_hexdigest

_BEGINNING = 300  # characters: no log cuts a statement before
# Leftmost first, so that a quote in a comment begins no literal.
_VALUES = (
    r"'(?:[^'\\]|\\.)*(?:'|\\?$)|\"(?:[^\"\\]|\\.)*(?:\"|\\?$)"
    r"|/\*(?:[^*]|\*+[^*/])*(?:\*+/|\**$)|--[ \t][^\n]*|#[^\n]*"
)
# What MySQL runs of a comment (/*!) is no comment, and a quote inside a quoted name is none. A group kept costs half as much
# again, so texts without these are read without it.
_KEPT = r"(?<kept>`[^`]*`|/\*M?!|\*/)"
_WITH_KEPT = ["`", "/*!", "/*M!"]
# letters and signs stay; digits, `?`, white space and all but printable ASCII are blanks
_BLANKED = bytes(byte if 32 < byte < 127 and byte not in b"0123456789?" else 32 * bool(byte) for byte in range(256))
_ABOUT_ACCOUNTS = ("CREATE", "ALTER", "GRANT", "SET", "CHANGE")
_MASKED_FROM = r"(?is)(?:identified|password).*"
_LITTLE = 30  # characters: where no more is left of a whole beginning, it was padded
_LONG_VALUES = ("INSERT", "UPDATE", "REPLACE")  # notes of a hundred words are their daily bread
_BEFORE_COMMAND = r"^(?:[\s(;]|/\*(?:[^*]|\*[^/])*\*/|(?:--|#)[^\n]*\n)+"
_WORD = r"^([A-Za-z_]+)"


def statement_key(connection: str, statement: str, command: str) -> pl.Expr:
    """`activity_key` of statements; all three are names of text columns, the last made by `command_of`. Null where there is no statement."""
    digest = pl.struct(statement, command).map_batches(
        lambda rows: _statement_digests(rows.struct[0], rows.struct[1]), return_dtype=pl.String
    )
    return pl.lit("q:") + pl.col(connection) + ":" + digest


def _statement_digests(statements: pl.Series, first: pl.Series) -> pl.Series:
    # step by step: as one expression the patterns would run once for every place where their outcome is used
    raw = statements.str.strip_chars_start().str.slice(0, _BEGINNING)
    about = first.is_in(_ABOUT_ACCOUNTS).fill_null(value=False)
    text = raw.scatter(about.arg_true(), raw.filter(about).str.replace(_MASKED_FROM, "")) if about.any() else raw
    text = _collapsed(_without_values(text).str.splitn(";", 2).struct[0])  # only the general log keeps `;`
    little = (raw.str.len_chars() == _BEGINNING) & (text.str.len_chars() < _LITTLE)
    # of a comment that fills the beginning nothing is left, whatever the command behind it
    long_values = first.is_in(_LONG_VALUES).fill_null(value=False) & (text.str.len_chars() > 0)
    padded = (little & ~long_values).fill_null(value=False)
    return _digests(text.scatter(padded.arg_true(), None) if padded.any() else text)


def _without_values(texts: pl.Series) -> pl.Series:
    """Literals and comments as blanks."""
    kept = texts.str.contains_any(_WITH_KEPT).fill_null(value=False)
    plain = texts.str.replace_all(f"(?s){_VALUES}", " ")
    if not kept.any():
        return plain
    return plain.scatter(kept.arg_true(), texts.filter(kept).str.replace_all(f"(?s){_KEPT}|{_VALUES}", "${kept} "))


def _collapsed(texts: pl.Series) -> pl.Series:
    """Runs of blanks as one, the ends stripped; all texts in one buffer, which is half the cost of a pattern."""
    untold = texts.is_null()
    if texts.str.contains("\0", literal=True).any():
        texts = texts.str.replace_all("\0", " ", literal=True)
    joined = texts.fill_null("").str.join("\0").item().encode()
    letters = np.frombuffer(joined.translate(_BLANKED), np.uint8)
    blank = letters == ord(" ")
    kept = np.ones(len(letters), np.bool_)
    np.logical_not(blank[1:] & blank[:-1], out=kept[1:])
    collapsed = letters[kept].tobytes().decode("ascii").split("\0")
    made = pl.Series(texts.name, collapsed[: len(texts)], pl.String).str.strip_chars(" ")
    return made.scatter(untold.arg_true(), None) if untold.any() else made


def _digests(texts: pl.Series) -> pl.Series:
    different = texts.unique().drop_nulls()
    if different.is_empty():
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.String)
    digests = pl.Series([xxh3_64_hexdigest(text.encode()) for text in different], dtype=pl.String)
    return texts.replace_strict(different, digests, default=None, return_dtype=pl.String)


def connection_key(act: str, connection: str) -> pl.Expr:
    """`activity_key` of a login, logout or change of user: `act` is the word for it."""
    return pl.lit(f"{act}:") + pl.col(connection)


def command_of(statement: str) -> pl.Expr:
    """First word of a statement, upper case, comments and opening brackets passed over."""
    return pl.col(statement).map_batches(_commands, return_dtype=pl.String)


def _commands(statements: pl.Series) -> pl.Series:
    words = statements.str.extract(_WORD)
    other = words.is_null() & statements.is_not_null()
    if other.any():
        words = words.scatter(
            other.arg_true(), statements.filter(other).str.replace(_BEFORE_COMMAND, "").str.extract(_WORD)
        )
    return words.str.to_uppercase()
