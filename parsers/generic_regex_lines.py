r"""Any log of one record a line, by a regular expression with named groups that the source gives.

    sources: {fw: {format: regex_lines, options: {pattern: '(?P<at>\S+) (?P<user>\S+) got (?P<file>.*)', fields: {…}}}}

The expression must fit the whole line. It runs in Rust's engine, in time linear in the line: no look-around and no
back-references. A line is marked forgeable where the expression reads it in two ways: greedy from the left and greedy from
the right. Then a client may have written a separator into a value. Syntax: docs.rs/regex.
"""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, model_validator

from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.generic import SKIPS, column, messages, parsed
from parsers.generic_options import ENVELOPE_FIELDS, Enveloped, groups_of, unknown
from parsers.registry import Carry, Parsed, parser

_LINE = "whole_line_"  # a group around the whole expression


class RegexOptions(Enveloped):
    """The expression."""

    pattern: str = Field(description="regular expression for a whole line, with named groups such as (?P<user>[^ ]+)")
    others: Literal["reject", "skip"] = Field(
        "reject",
        description="lines that the pattern does not fit: reject them as no_match, or skip them as not_selected",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        groups = [name for name in groups_of("pattern", self.pattern) if not name.isdigit()]
        if not groups:
            raise ValueError("pattern: no named group; write (?P<user>[^ ]+) for a field user")
        for name in self.names:
            if name not in groups and name not in ENVELOPE_FIELDS:
                raise unknown("fields: group", name, groups)
        return self


@parser(
    "regex_lines",
    reference="docs.rs/regex (syntax of the expression); the fields are named by the source's options",
    framing=lines,
    skips=SKIPS,
    options=RegexOptions,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: RegexOptions) -> Parsed:
    """Read whole lines.

    `zone` counts for times without one. Rejects: no_match (the pattern does not fit the line), too_long,
    unknown_action, bad_timestamp, and no_envelope where the records come in syslog messages.
    """
    if not chunk:
        return Parsed(carry=carry)
    split = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    told, kept = messages(split, options, origin, zone, carry)
    message = told.select(pl.when(pl.col("reject").is_null()).then("message")).to_series()
    whole = rf"^(?P<{_LINE}>{options.pattern})$"
    greedy = message.str.extract_groups(whole).struct.unnest()
    fits = greedy[_LINE].is_not_null()
    other = message.str.extract_groups(rf"(?U:{whole})").struct.unnest()
    names = [name for name in options.names if name in greedy.columns]
    differs = [~greedy[name].eq_missing(other[name]) for name in names]
    told = told.with_columns(
        *(greedy[name].alias(column(name)) for name in names),
        *(_envelope_field(name, told).alias(column(name)) for name in options.names if name not in names),
        fits=fits,
        forgeable=pl.any_horizontal(*differs) if differs else pl.lit(value=False),
    ).with_columns(pl.col("forgeable") & pl.col("fits"))
    unfit = pl.col("reject").is_null() & ~pl.col("fits")
    told = told.with_columns(
        skip=pl.when(unfit & pl.lit(options.others == "skip")).then(pl.lit("not_selected")),
        reject=pl.when(unfit & pl.lit(options.others == "reject")).then(pl.lit("no_match")).otherwise("reject"),
    )
    return parsed(told, options, origin, zone, {**kept, "unfinished": unfinished(chunk)})


def _envelope_field(name: str, told: pl.DataFrame) -> pl.Expr:
    return pl.col(name) if name in told.columns else pl.lit(None, pl.String)
