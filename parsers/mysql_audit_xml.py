r"""MySQL Enterprise Audit and Percona audit in XML, NEW (child elements) and OLD (attributes), closed or still open.

    <AUDIT_RECORD><TIMESTAMP>2026-11-11T01:06:11 UTC</TIMESTAMP><NAME>Query</NAME>…</AUDIT_RECORD>
    <AUDIT_RECORD TIMESTAMP="2026-11-11T01:06:11 UTC" NAME="Query" …/>

No XML library reads this: the text is hostile, the document has no end, and entities that a document declares must not
be expanded. A record is what stands between its tags; `<` is escaped in every value, so `<AUDIT_RECORD` inside a record
is the beginning of another. Only the five named entities and character references are decoded, once, from left to right.
Sources: MySQL 8.0 reference manual, "New-Style/Old-Style XML Audit Log File Format"; Percona Server manual, "Audit Log
Filter file format - XML" and "Audit Log Plugin".
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field

from config.values import Model
from parsers import mysql_audit_framing as document
from parsers.decoding import clean
from parsers.events import Origin
from parsers.mysql_audit_records import FIELDS, SKIPS, assemble, named
from parsers.registry import Carry, Parsed, parser

_HEADER = rb"(?:[ \t\r]|\xef\xbb\xbf|<\?xml[^<>\n]*+>|<AUDIT>|</AUDIT>)*+"
_NEW = rb"<AUDIT_RECORD>(?:[^<]++|</?(?:A[^U<]|[^A/<]))*+</AUDIT_RECORD>"
_OLD = rb'<AUDIT_RECORD(?:\s++[A-Za-z_]++="[^"<]*+")*+\s*+/>'
_GRAMMAR = document.Grammar(
    record=re.compile(_HEADER + rb"(?:" + _NEW + rb"|" + _OLD + rb")"),
    begin=re.compile(_HEADER + rb"<AUDIT_RECORD[\s>]"),
    head=re.compile(rb"()<AUDIT_RECORD[\s>]"),
    between=re.compile(_HEADER + rb"\n"),
    blank=re.compile(_HEADER),
)
_NAMES = {
    "name": "NAME", "stamp": "TIMESTAMP", "connection": "CONNECTION_ID", "status": "STATUS", "login": "USER",
    "host": "HOST", "ip": "IP", "database": "DB", "statement": "SQLTEXT", "sql_command": "COMMAND_CLASS",
    "table": "TABLE", "info": "STARTUP_OPTIONS", "priv": "PRIV_USER",
}  # fmt: skip
_NAMED = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_REFERENCES = {"&#10;": "\n", "&#13;": "\r", "&#9;": "\t", "&#34;": '"', "&#39;": "'", "&#60;": "<", "&#62;": ">"}
_LAST = re.compile(r"&(?:amp|#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7}));")


class XmlOptions(Model):
    """What the log does not tell of itself."""

    local_time: bool = Field(
        default=False,
        description="times without UTC are the server's local time, in the source's zone (Percona 8.4.8); else UTC",
    )


def framing(buffer: bytes, *, final: bool) -> int:
    return document.framing(_GRAMMAR, buffer, final=final)


@parser(
    "mysql_audit_xml",
    reference="MySQL 8.0 reference manual, Audit Log File Formats (XML); Percona Server manual, Audit Log Filter, Audit Log Plugin",
    framing=framing,
    dialect="mysql",
    skips=SKIPS,
    options=XmlOptions,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: XmlOptions) -> Parsed:
    """Read whole records of both styles.

    `zone` counts for stamps without UTC where the option `local_time` is set. Rejects: not_a_record (text where a
    record must begin), broken_record (one that does not end, or in which another begins), unknown_form, bad_timestamp.
    """
    found = document.pieces(_GRAMMAR, chunk, final=True, torn=bool(carry.get("torn")))
    spans = [piece for piece in found if piece[2] == document.RECORD]
    texts = document.texts(chunk, spans)
    new = texts.str.contains("<AUDIT_RECORD>", literal=True)
    frame = pl.DataFrame(
        {
            "position": pl.Series([start + origin.position for start, _, _ in spans], dtype=pl.UInt64),
            "length": pl.Series([end - start for start, end, _ in spans], dtype=pl.UInt32),
            "text": texts,
            # no writer puts two records on a line: such a one may be text that was not escaped
            "odd": pl.Series([_glued(chunk, start, carry) for start, _, _ in spans], dtype=pl.Boolean),
        }
    )
    parts = [_fields(part, new=style) for style in (True, False) if (part := frame.filter(new == style)).height]
    records = pl.concat(parts).sort("position") if parts else frame
    carried: dict[str, Any] = {**carry, "torn": document.still_torn(chunk, found)}
    if chunk:
        carried["glued"] = chunk.endswith(b">")
    skips = dict(document.structure_skips(found))
    rejects = document.rejects_of(chunk, found, origin)
    return assemble(records, rejects, skips, origin, zone if options.local_time else None, carried)


def _glued(chunk: bytes, start: int, carry: Carry) -> bool:
    return chunk[start - 1] == ord(">") if start else bool(carry.get("glued"))


def _fields(frame: pl.DataFrame, *, new: bool) -> pl.DataFrame:
    """The FIELDS of records of one style. The first of two equal names counts."""
    text, program = pl.col("text"), pl.lit(None, pl.String)
    if new:
        # the attributes have NAME elements of their own
        bare = text.str.replace(r"(?s)<CONNECTION_ATTRIBUTES>.*</CONNECTION_ATTRIBUTES>", "")
        attribute = r"<NAME>{}</NAME>\s*<VALUE>([^<]*)</VALUE>"
        program = pl.coalesce(text.str.extract(attribute.format(name)) for name in ("program_name", "_client_name"))
        found = frame.with_columns(
            bare=bare, program=pl.when(text.str.contains("<CONNECTION_ATTRIBUTES>", literal=True)).then(program)
        )
        patterns = {column: rf"<{name}>([^<]*)</{name}>" for column, name in _NAMES.items()}
    else:
        found = frame.with_columns(bare=text, program=program)
        patterns = {column: rf'\s{name}="([^"]*)"' for column, name in _NAMES.items()}
    found = found.with_columns(pl.col("bare").str.extract(pattern).alias(name) for name, pattern in patterns.items())
    found = found.with_columns(_decoded(found[name]) for name in (*patterns, "program"))
    found = found.with_columns(connection=pl.col("connection").replace("", None))
    by_name = named(pl.col("name"), pl.col("connection"))
    nulls = {name: pl.lit(None, pl.String) for name in ("matched", "table_database", "rows", "seconds")}
    return found.with_columns(**by_name, **nulls).select(
        "position", "length", "text", "odd",
        *(name for name in FIELDS if name not in {"sql_command", "table_database"}),
        sql_command=pl.when(~pl.col("class").is_in(["connection", "audit"])).then("sql_command"),
        table_database=pl.when(pl.col("class") == "table_access").then("database"),
    ).select("position", "length", "text", "odd", *FIELDS)  # fmt: skip


def _decoded(values: pl.Series) -> pl.Series:
    """Entities to characters, each once: what a reference yields is never read as the beginning of another."""
    if not values.str.contains("&", literal=True).any():
        return values
    for entity, character in (_NAMED | _REFERENCES).items():
        values = values.str.replace_all(entity, character, literal=True)
    rare = values.str.contains("&#", literal=True).fill_null(value=False)
    plain = values.str.replace_all("&amp;", "&", literal=True)
    if not rare.any():
        return plain
    texts = [clean(_LAST.sub(_character, text)) if odd else text for text, odd in zip(values, rare, strict=True)]
    return plain.zip_with(~rare, pl.Series(values.name, texts, dtype=pl.String))


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else int(found[2]) if found[2] else ord("&")
    return chr(code) if code <= 0x10FFFF else found[0]
