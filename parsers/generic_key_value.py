r"""Any log of `key=value` pairs: `time=… user=zhang sql="SELECT \"a\""`, or with `;`, `|` or TAB between the pairs.

    sources: {audit: {format: key_value, options: {separator: "|", rest: 语句, fields: {occurred_at: 时间, …}}}}

Pairs are read from the left, quoted values whole, so a key inside a quoted value is none. A value that is not quoted ends at
the separator: where clients choose such a value they can add pairs. The first of two equal keys counts, and the record is
marked forgeable. logfmt has no standard; this reads what its writers in Go and Python write.
"""

from __future__ import annotations

from typing import Self
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, model_validator

from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.generic import SKIPS, column, messages, parsed
from parsers.generic_options import ENVELOPE_FIELDS, Character, Enveloped, escaped
from parsers.registry import Carry, Parsed, parser


class KeyValueOptions(Enveloped):
    """How the pairs are written."""

    separator: Character = Field(" ", description="between pairs; one character, or tab or blank")
    equals: Character = Field("=", description="between key and value")
    quote: Character = Field('"', description="around values that hold separators; a backslash escapes it inside")
    rest: str | None = Field(
        None, description="a field whose value goes on to the end of the record, separators and quotes included"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if len({self.separator, self.equals, self.quote}) < 3:
            raise ValueError("separator, equals and quote must be three different characters")
        return self


@parser(
    "key_value",
    reference="logfmt (key=value pairs, quotes escaped by a backslash); the fields are named by the source's options",
    framing=lines,
    skips=SKIPS,
    options=KeyValueOptions,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: KeyValueOptions) -> Parsed:
    """Read whole lines.

    `zone` counts for times without one. Rejects: no_match (none of the fields is in the line), too_long,
    unknown_action, bad_timestamp, and no_envelope where the records come in syslog messages.
    """
    if not chunk:
        return Parsed(carry=carry)
    split = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    told, kept = messages(split, options, origin, zone, carry)
    told = _values(told, options)
    names = [column(name) for name in options.names if name not in ENVELOPE_FIELDS]
    none = pl.all_horizontal(pl.col(name).is_null() for name in names) if names else pl.lit(value=False)
    told = told.with_columns(
        reject=pl.when(pl.col("reject").is_null() & none).then(pl.lit("no_match")).otherwise("reject"),
        skip=pl.lit(None, pl.String),
    )
    return parsed(told, options, origin, zone, {**kept, "unfinished": unfinished(chunk)})


def _values(told: pl.DataFrame, options: KeyValueOptions) -> pl.DataFrame:
    """A column for each used field, and `forgeable`: one of them is there twice."""
    names = [name for name in options.names if name not in ENVELOPE_FIELDS]
    apart, equals, mark = (escaped(one) for one in (options.separator, options.equals, options.quote))
    told = told.with_row_index("at")
    message: pl.Expr = pl.when(pl.col("reject").is_null()).then(pl.lit(options.separator) + pl.col("message"))
    rest: pl.Expr | None = None
    if options.rest is not None:
        plain = "".join(escaped(one) if one.isascii() and not one.isalnum() else one for one in options.rest)
        before = rf"(?s){apart}\s*{plain}\s*{equals}"
        rest = pl.when(message.str.contains(before)).then(
            message.str.replace(rf"(?s)^.*?{apart}\s*{plain}\s*{equals}\s*", "")
        )
        message = message.str.replace(before + ".*$", "")
    key = rf"[^{apart}{equals}{mark}]+"
    value = rf"(?:{mark}(?:[^{mark}\\]|\\.)*{mark}[^{apart}]*|[^{apart}]*)"
    pairs = told.select("at", pair=message.str.extract_all(rf"(?s){apart}\s*{key}{equals}{value}")).explode(
        "pair", empty_as_null=True
    )
    parts = pl.col("pair").str.slice(1).str.splitn(options.equals, 2).struct
    pairs = pairs.select(
        "at", key=parts.field("field_0").str.strip_chars(), value=parts.field("field_1").str.strip_chars()
    )
    pairs = pairs.filter(pl.col("key").is_in(names)).with_columns(value=_unquoted(pl.col("value"), options.quote))
    twice = pairs.filter(pl.struct("at", "key").is_duplicated())["at"].unique()
    for name in names:
        if name == options.rest:
            told = told.with_columns(
                rest.alias(column(name)) if rest is not None else pl.lit(None, pl.String).alias(column(name))
            )
            continue
        one = pairs.filter(pl.col("key") == name).unique("at", keep="first", maintain_order=True)
        told = told.join(
            one.select("at", pl.col("value").alias(column(name))), on="at", how="left", maintain_order="left"
        )
    for name in options.names:
        if name in ENVELOPE_FIELDS:
            source = pl.col(name) if name in told.columns else pl.lit(None, pl.String)
            told = told.with_columns(source.alias(column(name)))
    return told.with_columns(forgeable=pl.col("at").is_in(twice.implode()))


def _unquoted(value: pl.Expr, quote: str) -> pl.Expr:
    """The text between the quotes; pairs of backslashes are set aside first (no NUL is left in decoded text)."""
    mark = escaped(quote)
    inner = value.str.extract(rf"(?s)^{mark}((?:[^{mark}\\]|\\.)*){mark}")
    plain = inner.str.replace_all("\\\\", "\0", literal=True)
    for pair, character in (("\\" + quote, quote), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\0", "\\")):
        plain = plain.str.replace_all(pair, character, literal=True)
    return pl.when(inner.is_not_null()).then(plain).otherwise(value)
