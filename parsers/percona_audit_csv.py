"""Percona audit_log plugin in CSV: every field quoted but the numeric status, `"` doubled, line breaks raw.

Query and connection records have 12 columns each, with other meanings; column 1 tells which. A record ends at the first
line break outside quotes. Inside a field every quote is doubled, so no text of a client can look like the beginning of
a record (a quoted name, a record id and a time).
Source: Percona Server manual, "Audit Log Plugin", audit_log_format=CSV.
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers import mysql_audit_framing as document
from parsers.events import Origin
from parsers.mysql_audit_records import FIELDS, SKIPS, assemble, named
from parsers.registry import Carry, Parsed, parser

_FIELD = rb'(?:"(?:[^"]++|"")*+"|-?+[0-9]*+)'
_HEAD = rb'"[A-Za-z][A-Za-z ]*+","[0-9]++_[0-9T:-]++","[0-9]{4}-[0-9T:. -]++(?:UTC)?+"'
_GRAMMAR = document.Grammar(
    record=re.compile(_HEAD + rb"(?:," + _FIELD + rb")*+\r?+\n"),
    begin=re.compile(rb'"[A-Za-z]'),
    head=re.compile(rb"\n()" + _HEAD),
    between=re.compile(rb"[ \t\r]*+\n"),
    blank=re.compile(rb"[ \t\r]*+"),
)
_CONNECTIONS = ("connect", "quit", "change user", "disconnect")
_COLUMNS = {  # of 12, after name, record id and time
    "query": ("sql_command", "connection", "status", "statement", "login", "host", "os", "ip", "database"),
    "connection": ("connection", "status", "login", "priv", "os", "proxy", "host", "ip", "database"),
    "audit": ("version", "info", "system"),
}
_COUNTS = {"query": 12, "connection": 12, "audit": 6}


def framing(buffer: bytes, *, final: bool) -> int:
    return document.framing(_GRAMMAR, buffer, final=final)


@parser(
    "percona_audit_csv",
    reference="Percona Server manual, Audit Log Plugin, audit_log_format=CSV",
    framing=framing,
    dialect="mysql",
    skips={name: SKIPS[name] for name in ("structure", "command_phase", "protocol_command")},
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:  # noqa: ARG001 the times are UTC
    """Read whole records. Times are UTC: `zone` is not used.

    Rejects: not_a_record (a line that begins none), broken_record (quotes that never close, or torn), bad_columns,
    bad_timestamp.
    """
    # a last record without its line break is whole if its quotes are
    closed = chunk if chunk.endswith(b"\n") else chunk + b"\n"
    found = [(start, min(end, len(chunk)), kind) for start, end, kind in _pieces(closed, carry) if start < len(chunk)]
    spans = [piece for piece in found if piece[2] == document.RECORD]
    texts = document.texts(chunk, spans).str.strip_chars_end("\r\n")
    frame = pl.DataFrame(
        {
            "position": pl.Series([start + origin.position for start, _, _ in spans], dtype=pl.UInt64),
            "length": pl.Series([end - start for start, end, _ in spans], dtype=pl.UInt32),
            "text": texts,
        }
    )
    frame = frame.with_columns(
        cells=pl.col("text").str.extract_all(r'(?:^|,)(?:"(?:[^"]|"")*"|[^",]*)'),
        name=pl.col("text").str.extract(r'^"([A-Za-z ]+)"').str.to_lowercase(),
    )
    frame = frame.with_columns(
        form=pl.when(pl.col("name").is_in(_CONNECTIONS)).then(pl.lit("connection"))
        .when(pl.col("cells").list.len() == _COUNTS["audit"]).then(pl.lit("audit")).otherwise(pl.lit("query"))
    )  # fmt: skip
    frame = frame.with_columns(
        good=pl.col("cells").list.len() == pl.col("form").replace_strict(_COUNTS, default=0, return_dtype=pl.UInt32)
    )
    rejects = document.rejects_of(chunk, found, origin)
    unread = frame.filter(~pl.col("good")).select("position", "length", "text").rows()
    rejects += [document.bad(position, length, "bad_columns", text) for position, length, text in unread]
    good = frame.filter("good")
    parts = [_fields(part, form) for form in _COLUMNS if (part := good.filter(pl.col("form") == form)).height]
    records = pl.concat(parts).sort("position") if parts else good
    carried: dict[str, Any] = {**carry, "torn": document.still_torn(chunk, found)}
    return assemble(records, rejects, dict(document.structure_skips(found)), origin, None, carried)


def _pieces(chunk: bytes, carry: Carry) -> list[document.Piece]:
    return document.pieces(_GRAMMAR, chunk, final=True, torn=bool(carry.get("torn")))


def _fields(frame: pl.DataFrame, form: str) -> pl.DataFrame:
    cells = {"command": 0, "stamp": 2} | {name: 3 + at for at, name in enumerate(_COLUMNS[form])}
    found = frame.select(
        "position", "length", "text", odd=pl.lit(value=False),
        **{name: _value(pl.col("cells").list.get(at)) for name, at in cells.items()},
    )  # fmt: skip
    missing = {name: pl.lit(None, pl.String) for name in FIELDS if name not in cells and name not in {"class", "event"}}
    found = found.with_columns(**missing).with_columns(**named(pl.col("command"), pl.col("connection")))
    return found.select("position", "length", "text", "odd", *FIELDS)


def _value(cell: pl.Expr) -> pl.Expr:
    bare = cell.str.strip_prefix(",")
    quoted = bare.str.slice(1, bare.str.len_chars().cast(pl.Int64) - 2).str.replace_all('""', '"', literal=True)
    return pl.when(bare.str.starts_with('"')).then(quoted).otherwise(bare)
