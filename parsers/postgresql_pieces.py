r"""The pieces in which PostgreSQL hands a message to syslog: ``[N-M] text``, put together again.

N counts the messages of a process, M the pieces of one. A message is cut at every line break and at 900 bytes, there
preferably before a blank. With syslog_sequence_numbers=off a piece has no number; then a new head is a new message.
Pieces of different processes mix. A message has no end mark: it ends where its process begins another, or where the
stamps in front have gone on by a second or more without a further piece.
Source: PostgreSQL manual, "syslog_sequence_numbers", "syslog_split_messages"; samples from PostgreSQL 15.20.
"""

from __future__ import annotations

import re

import polars as pl

from parsers.postgresql_prefix import Prefix

LIMIT = 900  # bytes of a piece
_FULL = LIMIT - 4  # a piece as long as this was cut inside a word: a character of four bytes did not fit
_SILENT = 2  # changes of the second in the stamps: more than one whole second has gone by

_STAMP = r"(?P<second>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8})"


def numbered(lines: pl.DataFrame, ident: str, prefix: Prefix) -> pl.DataFrame:
    """Add process, number, part, body, second, and `group` to lines (text): which message each is a piece of.

    `process` is null in lines that are none of PostgreSQL's. `group` numbers messages in order of their first pieces;
    `first`: the first piece of its group here.
    """
    col = pl.col
    pattern = (
        rf"^(?:@[^ ]{{27}} [^ ]+ )?(?:<[0-9]{{1,3}}>(?:[0-9]{{1,2}} )?)?{_STAMP}[^ ]* (?P<host>(?:[^ ]+ )?){re.escape(ident)}"
        r"(?:\[(?P<pid>[0-9]{1,10})\]:| (?P<procid>[0-9]{1,10}) [^ ]+ -) {0,2}"
        r"(?:\[(?P<number>[0-9]{1,18})-(?P<part>[0-9]{1,9})\] )?"
    )
    groups = ("second", "host", "pid", "procid", "number", "part")
    found = lines.with_columns(groups=col("text").str.extract_groups(pattern.replace("^", "^(?P<lead>", 1) + ")"))
    found = found.with_columns(col("groups").struct.unnest()).drop("groups")
    found = found.with_columns(
        process=pl.coalesce("pid", "procid"),
        number=col("number").cast(pl.Int64),
        part=col("part").cast(pl.Int64),
        body=_unescaped(col("text").str.strip_prefix(col("lead"))),
        tick=(col("second").forward_fill() != col("second").forward_fill().shift(1)).fill_null(value=False).cum_sum(),
    )
    ours = found.with_row_index("row_").filter(col("process").is_not_null())
    begins = _begins(ours, prefix)
    ours = ours.with_columns(first=begins)
    over = ["host", "process"]
    ours = ours.with_columns(group=pl.when("first").then("row_").forward_fill().over(over))
    places = ours.select("row_", "first", "group")
    return (
        found.with_row_index("row_")
        .join(places, on="row_", how="left", maintain_order="left")
        .drop("row_", "lead", *(name for name in groups if name not in {"number", "part", "host"}))
    )


def _begins(ours: pl.DataFrame, prefix: Prefix) -> pl.Expr:
    """The piece is the first of a message, or of what is left of one."""
    col = pl.col
    before = {name: col(name).shift(1).over("host", "process") for name in ("number", "part", "tick")}
    bare = ours.filter(col("number").is_null())
    starts = pl.lit(value=False)
    if bare.height:
        starts = col("number").is_null() & col("body").str.head(1200).str.contains(prefix.main)
    return (
        before["tick"].is_null()
        | (col("tick") - before["tick"] >= _SILENT)
        | (col("number").is_not_null() & (col("number").ne_missing(before["number"]) | (col("part") <= before["part"])))
        | (col("number").is_null() & (before["number"].is_not_null() | starts))
    ).fill_null(value=True)


def _unescaped(body: pl.Expr) -> pl.Expr:
    """Control characters that rsyslog writes as # and three octal digits; a literal `#012` in SQL looks the same."""
    plain = body
    for escaped, character in (("#011", "\t"), ("#012", "\n"), ("#015", "\r")):
        plain = plain.str.replace_all(escaped, character, literal=True)
    return plain


def last_cut(pieces: pl.DataFrame) -> int:
    """How many of the lines hold whole messages only: none of them may go on behind, none is spread over the cut."""
    if not pieces.height:
        return 0
    col = pl.col
    row = pl.int_range(pl.len())
    reach = (
        pieces.with_columns(row_=row)
        .with_columns(
            last=pl.when(col("group").is_not_null()).then(col("row_").max().over("group")).otherwise("row_"),
            newest=(col("group") == col("group").last().over("host", "process")).fill_null(value=False),
            quiet=(col("tick").last() - col("tick").max().over("group")) >= _SILENT,
        )
        .with_columns(
            reach=pl.when(col("group").is_not_null() & col("newest") & ~col("quiet"))
            .then(pieces.height)
            .otherwise("last")
        )
    )
    whole = reach.select((col("reach").cum_max() == col("row_")).arg_true().max()).item()
    return 0 if whole is None else int(whole) + 1


def jointed(pieces: pl.DataFrame) -> pl.DataFrame:
    """Add `glue` (what stood between a piece and the one before it), `full` and `lost` (pieces are missing before it).

    `body` loses the TAB that PostgreSQL puts after a line break.
    """
    col = pl.col
    size = col("body").str.len_bytes().cast(pl.Int64)
    before = size.shift(1).over("group")
    tab = col("body").str.starts_with("\t")
    doubtful = pl.when(tab & (before + size > LIMIT)).then("body")  # else the two would have fitted into one piece
    word = 1 + doubtful.str.slice(1).str.extract(r"^([^ \t\n]*)").str.len_bytes().cast(pl.Int64)
    broken = tab & (word.is_null() | (before + word <= LIMIT))
    return pieces.with_columns(
        glue=pl.when(broken).then(pl.lit("\n")).otherwise(pl.lit("")),
        full=(before >= _FULL).fill_null(value=False),
        lost=pl.when("first")
        .then(col("part") > 1)
        .otherwise(col("part") != col("part").shift(1).over("group") + 1)
        .fill_null(value=False),
        # a message that was not split has all its line breaks inside
        body=pl.when(broken)
        .then(col("body").str.slice(1))
        .otherwise("body")
        .str.replace_all("\n\t", "\n", literal=True),
    )
