"""Any log of separated values: a header line or named columns, quotes doubled inside quotes, line breaks inside quotes.

    sources: {mail: {format: csv_lines, options: {columns: [date-time, client-ip, …], comment: "#", fields: {…}}}}

A record ends at the first line break outside quotes. A quote that never closes spoils its line alone: the search goes on
at the next line. CSV: RFC 4180.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Self
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, model_validator

from parsers.accounting import too_long
from parsers.decoding import decode
from parsers.events import UTC, Origin
from parsers.framing import MAX_RECORD
from parsers.generic import SKIPS, column, parsed
from parsers.generic_guess import mapping
from parsers.generic_options import Character, GenericOptions, escaped, unknown
from parsers.registry import Carry, Parsed, parser

_HEAD_RECORDS = 50
_DELIMITERS = ",;\t|"
_LF = 0x0A


class CsvOptions(GenericOptions):
    """How the values are separated."""

    delimiter: Character = Field(",", description="between the values; one character, or tab")
    quote: Character = Field('"', description="around values that hold delimiters, line breaks or (doubled) itself")
    columns: tuple[str, ...] | None = Field(
        None, description="names of the columns; without them the first line of the file is the header"
    )
    comment: str | None = Field(None, min_length=1, description="lines that begin so are counted and not read")

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("columns"), list):
            return {**data, "columns": tuple(data["columns"])}
        return data

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote are the same character")
        if self.columns is not None:
            if len(set(self.columns)) < len(self.columns):
                raise ValueError("columns: a name is there twice")
            for name in self.names:
                if name not in self.columns:
                    raise unknown("fields: column of the log", name, self.columns)
        return self


@lru_cache(maxsize=64)
def _record(delimiter: str, quote: str) -> re.Pattern[bytes]:
    apart, mark = escaped(delimiter).encode(), escaped(quote).encode()
    plain = rb"[^" + apart + rb"\n]*+"
    quoted = mark + rb"(?:[^" + mark + rb"]++|" + mark + mark + rb")*+" + mark + plain
    begun = rb"[^" + apart + mark + rb"\n]" + plain
    value = rb"(?:" + quoted + rb"|" + begun + rb")?+"
    return re.compile(value + rb"(?:" + apart + value + rb")*+\n")


def framing(buffer: bytes, *, final: bool, options: CsvOptions) -> int:
    if final:
        return len(buffer)
    end = 0
    for _, end, _ in _pieces(buffer, options, final=False):  # noqa: B007 the last end counts
        pass
    return end


def _pieces(
    chunk: bytes, options: CsvOptions, *, final: bool, torn: bool = False
) -> Iterator[tuple[int, int, str | None]]:
    """Consecutive (start, end, reason); a comment is one line whatever quotes it has."""
    match = _record(options.delimiter, options.quote).match
    comment = options.comment.encode() if options.comment else None
    closed = chunk if not final or chunk.endswith(b"\n") else chunk + b"\n"
    position = 0
    while position < len(chunk):
        limit = position + MAX_RECORD
        reason = None
        if torn:
            end, reason = closed.find(b"\n", position, limit) + 1, "broken_record"
        elif comment and closed.startswith((comment, b"\xef\xbb\xbf" + comment), position):
            end = closed.find(b"\n", position, limit) + 1
        else:
            found = match(closed, position, limit)
            end = found.end() if found else 0
            if not found and (final or len(chunk) >= limit):
                end, reason = closed.find(b"\n", position, limit) + 1, "broken_record"
        if not end:
            if not final and len(chunk) < limit:
                return
            end, reason = min(limit, len(chunk)), "broken_record"
        end = min(end, len(chunk))
        torn = end - position >= MAX_RECORD and chunk[end - 1] != _LF
        yield position, end, reason
        position = end


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """A header line of names, and a mapping of those that are well known."""
    text = decode(head).lstrip("\ufeff")
    for delimiter in _DELIMITERS:
        try:
            rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), _HEAD_RECORDS))
        except csv.Error:
            continue
        if len(rows) < 2 or len(rows[0]) < 3:
            continue
        whole = [row for row in rows[1:] if len(row) == len(rows[0])]
        samples = {name.strip("\r"): [row[at].strip("\r") for row in whole] for at, name in enumerate(rows[0])}
        proposed = mapping(samples)
        if proposed:
            yield proposed | ({"delimiter": delimiter} if delimiter != "," else {})


@parser(
    "csv_lines",
    reference="RFC 4180 (CSV); the columns are named by the source's options or the file's header",
    framing=framing,
    skips=SKIPS
    | {
        "header": "the line that names the columns",
        "comment": "a line that begins as the source says that comments begin, or an empty one",
    },
    options=CsvOptions,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: CsvOptions) -> Parsed:
    """Read whole records.

    `zone` counts for times without one. Rejects: broken_record (a quote that never closes, or a line that is too long),
    bad_columns (more or fewer values than columns, or no header was seen), too_long, unknown_action, bad_timestamp.
    """
    if not chunk:
        return Parsed(carry=carry)
    found = list(_pieces(chunk, options, final=True, torn=bool(carry.get("torn"))))
    lines = pl.DataFrame(
        {
            "position": pl.Series([origin.position + start for start, _, _ in found], dtype=pl.UInt64),
            "length": pl.Series([end - start for start, end, _ in found], dtype=pl.UInt32),
            "text": pl.Series([decode(chunk[start:end]) for start, end, _ in found], dtype=pl.String),
            "reject": pl.Series([reason for _, _, reason in found], dtype=pl.String),
        }
    )
    lines = lines.with_columns(pl.col("text").str.strip_chars_end("\r\n").str.strip_prefix("\ufeff"))
    lines = _cells(lines, options)
    columns = list(options.columns or carry.get("columns", ()))
    lines, columns = _headed(lines, options, columns)
    empty = pl.col("text").str.strip_chars() == ""
    comment = pl.col("text").str.starts_with(options.comment) if options.comment else pl.lit(value=False)
    told = lines.with_columns(
        skip=pl.when("header").then(pl.lit("header")).when(empty | comment).then(pl.lit("comment")),
        forgeable=pl.lit(value=False),
        told_at=pl.lit(None, UTC),
    ).with_columns(
        reject=pl.when(too_long()).then(pl.coalesce("reject", pl.lit("too_long")))
        .when(pl.col("skip").is_null() & (pl.col("cells").list.len() != len(columns)))
        .then(pl.coalesce("reject", pl.lit("bad_columns"))).otherwise("reject")
    )  # fmt: skip
    told = told.with_columns(
        _cell(columns.index(name), options).alias(column(name))
        if name in columns
        else pl.lit(None, pl.String).alias(column(name))
        for name in options.names
    )
    last = found[-1]
    torn = last[1] - last[0] >= MAX_RECORD and not chunk.endswith(b"\n")
    kept = {"torn": torn} | ({"columns": columns} if options.columns is None and columns else {})
    return parsed(told, options, origin, zone, kept)


def _cells(lines: pl.DataFrame, options: CsvOptions) -> pl.DataFrame:
    """The values of each record, quotes kept. Most records have no quotes: those are only split."""
    apart, mark = escaped(options.delimiter), escaped(options.quote)
    value = rf"{apart}(?:{mark}(?:[^{mark}]|{mark}{mark})*{mark}[^{apart}]*|[^{apart}]*)"
    quoted = pl.col("text").str.contains(options.quote, literal=True)
    text = pl.when(quoted).then(pl.lit(options.delimiter) + pl.col("text"))
    plain = pl.when(~quoted).then("text")
    return lines.with_columns(cells=pl.coalesce(plain.str.split(options.delimiter), text.str.extract_all(value)))


def _cell(at: int, options: CsvOptions) -> pl.Expr:
    bare = pl.col("cells").list.get(at, null_on_oob=True).str.strip_prefix(options.delimiter)
    mark = options.quote
    inner = bare.str.slice(1).str.replace(rf"(?s)^(.*){escaped(mark)}[^{escaped(mark)}]*$", "$1")
    quoted = inner.str.replace_all(mark * 2, mark, literal=True)
    return pl.when(bare.str.starts_with(mark)).then(quoted).otherwise(bare)


def _headed(lines: pl.DataFrame, options: CsvOptions, columns: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """Mark the header: the first record that names every used column, and any line like it. None is read before it."""
    if options.columns is not None:
        names = pl.lit(options.delimiter.join(options.columns))
        return lines.with_columns(header=pl.col("text") == names), columns
    first = 0
    if not columns:
        columns, first = _header(lines, options)
        if not columns:
            return lines.with_columns(header=pl.lit(value=False)), columns
    cells = [_cell(at, options).str.strip_chars() for at in range(len(columns))]
    same = pl.all_horizontal(cell == name for cell, name in zip(cells, columns, strict=True)).fill_null(value=False)
    lines = lines.with_columns(header=same & (pl.col("cells").list.len() == len(columns)))
    early = pl.int_range(pl.len()) < first
    return lines.with_columns(
        reject=pl.when(early).then(pl.coalesce("reject", pl.lit("bad_columns"))).otherwise("reject")
    ), columns


def _header(lines: pl.DataFrame, options: CsvOptions) -> tuple[list[str], int]:
    """Names of the columns and the index of the record that tells them; none, 0 where there is none."""
    likely = pl.all_horizontal(pl.col("text").str.contains(name, literal=True) for name in options.names)
    if options.comment:
        likely &= ~pl.col("text").str.starts_with(options.comment)
    at = lines.select(likely.fill_null(value=False)).to_series().arg_true()
    for index in at.to_list():
        cells = len(lines["cells"][index])
        row = (
            lines[index]
            .select(_cell(place, options).str.strip_chars().alias(str(place)) for place in range(cells))
            .row(0)
        )
        if set(options.names) <= set(row):
            return [str(name) for name in row], index
    return [], 0
