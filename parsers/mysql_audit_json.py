r"""MySQL Enterprise Audit and Percona audit in JSON: an array of objects, open or closed, or one object a line.

* MySQL Enterprise `audit_log_format=JSON`, Percona `audit_log_filter` JSON and JSONL: `[`, objects with commas between or
  after them, and `]` only when the file is closed.
* Percona `audit_log` plugin: `{"audit_record":{…}}`, one a line. It escapes only `\`, `"`, CR and LF, so that a TAB or
  another control byte of a statement stands raw in a string, which no strict reader takes; they are read here.

A record ends where its braces are balanced outside strings. No writer leaves a raw line break in a string, so nothing
that a client sends can begin a line.
Sources: MySQL 8.0 reference manual, "JSON Audit Log File Format"; Percona Server manual, "Audit Log Filter file format - JSON".
"""

from __future__ import annotations

import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers import mysql_audit_framing as document
from parsers.decoding import clean, decode, others
from parsers.events import Origin
from parsers.json_objects import read_objects
from parsers.mysql_audit_records import FIELDS, SKIPS, assemble, named
from parsers.registry import Carry, Parsed, parser

_STRING = rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"'
_BLANK = rb"[ \t\r]*+"
_LEVELS = 6  # objects inside objects that a record may have; the deepest documented has 3


def _object() -> bytes:
    """An object, its strings whole; one inside another stands behind a colon of the same line."""
    pattern = rb""
    for _ in range(_LEVELS):
        inner = pattern + rb"|" if pattern else rb""
        value = rb"(?:" + _BLANK + rb":" + _BLANK + rb"(?:" + inner + rb'[^"{}:]++)?+)?+[^"{}:]*+'
        pattern = rb'\{[^"{}:]*+(?:' + _STRING + value + rb")*+\}"
    return pattern


_GRAMMAR = document.Grammar(
    record=re.compile(rb"(?:[ \t\r,\[\]]|\xef\xbb\xbf)*+" + _object()),
    begin=re.compile(rb"(?:[ \t\r,\[\]]|\xef\xbb\xbf)*+\{"),
    head=re.compile(rb"\n()[ \t\r,\[\]]*+\{"),
    between=re.compile(rb"(?:[ \t\r,\[\]]|\xef\xbb\xbf)*+\n"),
    blank=re.compile(rb"(?:[ \t\r,\[\]]|\xef\xbb\xbf)*+"),
)
_STRINGS = re.compile(_STRING)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

_T = pl.String()
_PERSON = pl.Struct({"user": _T, "host": _T, "ip": _T})
_ATTRIBUTES = pl.Struct({"program_name": _T, "_client_name": _T})
_PLUGIN = (
    "name", "timestamp", "command_class", "connection_id", "status", "sqltext", "user", "host", "ip", "db",
    "startup_optionsi", "startup_options",
)  # fmt: skip
_SCHEMA = {
    "timestamp": _T, "class": _T, "event": _T, "connection_id": _T,
    "account": _PERSON, "login": _PERSON,
    "connection_data": pl.Struct({"status": _T, "db": _T, "connection_attributes": _ATTRIBUTES}),
    "general_data": pl.Struct({"command": _T, "sql_command": _T, "query": _T, "status": _T}),
    "query_data": pl.Struct({"query": _T, "sql_command": _T, "status": _T}),
    "table_access_data": pl.Struct({"db": _T, "table": _T, "query": _T, "sql_command": _T}),
    "query_statistics": pl.Struct({"query_time": _T, "rows_sent": _T}),
    "startup_data": _T, "shutdown_data": _T, "message_data": _T, "authentication_data": _T,
    "audit_record": pl.Struct(dict.fromkeys(_PLUGIN, _T)),
}  # fmt: skip


def framing(buffer: bytes, *, final: bool) -> int:
    return document.framing(_GRAMMAR, buffer, final=final)


@parser(
    "mysql_audit_json",
    reference="MySQL 8.0 reference manual, JSON Audit Log File Format; Percona Server manual, Audit Log Filter, Audit Log Plugin",
    framing=framing,
    dialect="mysql",
    skips=SKIPS,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:  # noqa: ARG001 the times are UTC
    """Read whole objects, whatever stands between them. Times are UTC: `zone` is not used.

    Rejects: not_a_record (text where an object must begin), broken_record (an object that does not end or is torn),
    bad_json, unknown_form (an object that is no audit record), bad_timestamp.
    """
    found = document.pieces(_GRAMMAR, chunk, final=True, torn=bool(carry.get("torn")))
    spans = [piece for piece in found if piece[2] == document.RECORD]
    rejects = document.rejects_of(chunk, found, origin)
    texts = _normal(chunk, spans)
    frame = read_objects(texts, _SCHEMA)
    read = frame.select(*_columns(), good_="good_").with_columns(
        pl.Series("position", [start + origin.position for start, _, _ in spans], dtype=pl.UInt64),
        pl.Series("length", [end - start for start, end, _ in spans], dtype=pl.UInt32),
        text=texts.str.replace_all("\0", "\\x00", literal=True),
        odd=pl.lit(value=False),
    )
    unread = read.filter(~pl.col("good_"))
    rejects += [
        document.bad(row[0], row[1], "bad_json", row[2]) for row in unread.select("position", "length", "text").rows()
    ]
    carried: dict[str, Any] = {**carry, "torn": document.still_torn(chunk, found)}
    return assemble(read.filter("good_"), rejects, dict(document.structure_skips(found)), origin, None, carried)


def _normal(chunk: bytes, spans: list[document.Piece]) -> pl.Series:
    """Each record on one line, as strict JSON."""
    raws = [chunk[start:end].lstrip(b"\xef\xbb\xbf \t\r,[]") for start, end, _ in spans]
    plain = chunk.isascii() or _is_utf8(chunk)
    if not plain or _CONTROL.search(chunk) or b"\t" in chunk:
        raws = [_strict(raw) for raw in raws]
    if b"\n" in chunk:
        raws = [raw.replace(b"\r", b" ").replace(b"\n", b" ") for raw in raws]
    return pl.Series("text", [raw.decode("utf-8", "backslashreplace") for raw in raws], dtype=pl.String)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _strict(raw: bytes) -> bytes:
    """Control bytes escaped, text that is not UTF-8 decoded after its escapes were undone, byte by byte as they were made."""
    if not _is_utf8(raw):
        return _STRINGS.sub(_recoded, raw)
    if b"\t" in raw or _CONTROL.search(raw):
        return _STRINGS.sub(lambda found: _escaped(found[0]), raw)
    return raw


def _escaped(raw: bytes) -> bytes:
    raw = raw.replace(b"\t", b"\\t")
    return _CONTROL.sub(lambda found: b"\\u%04x" % ord(found[0]), raw)


def _recoded(found: re.Match[bytes]) -> bytes:
    raw = found[0]
    if _is_utf8(raw):
        return _escaped(raw)
    if b"\\u" in raw:
        return _escaped(decode(raw).encode())
    plain = _ESCAPE.sub(lambda escape: _PLAIN.get(escape[1], escape[1]), raw[1:-1])
    for encoding in others():
        try:
            text = clean(plain.decode(encoding))
        except UnicodeDecodeError:
            continue
        return json.dumps(text, ensure_ascii=False).encode()
    return json.dumps(decode(plain), ensure_ascii=False).encode()


def _columns() -> list[pl.Expr]:
    def of(group: str, name: str) -> pl.Expr:
        return pl.col(group).struct.field(name)

    old, attributes = pl.col("audit_record"), of("connection_data", "connection_attributes").struct
    name = old.struct.field("name")
    by_name = named(name, old.struct.field("connection_id"))
    columns = {
        "class": pl.coalesce("class", by_name["class"]),
        "event": pl.coalesce("event", by_name["event"]),
        "stamp": pl.coalesce("timestamp", of("audit_record", "timestamp")),
        "connection": pl.coalesce("connection_id", of("audit_record", "connection_id")),
        "status": pl.coalesce(
            of("connection_data", "status"), of("general_data", "status"), of("query_data", "status"), of("audit_record", "status")
        ),
        "login": pl.coalesce(of("login", "user"), of("audit_record", "user")),
        "matched": of("account", "user"),
        "host": pl.coalesce(of("account", "host"), of("audit_record", "host")),
        "ip": pl.coalesce(of("login", "ip"), of("audit_record", "ip")),
        "database": pl.coalesce(of("connection_data", "db"), of("audit_record", "db")),
        "program": pl.coalesce(attributes.field("program_name"), attributes.field("_client_name")),
        "statement": pl.coalesce(
            of("general_data", "query"), of("query_data", "query"), of("table_access_data", "query"), of("audit_record", "sqltext")
        ),
        "sql_command": pl.coalesce(
            of("general_data", "sql_command"), of("query_data", "sql_command"),
            of("table_access_data", "sql_command"), of("audit_record", "command_class"),
        ),
        "command": pl.coalesce(of("general_data", "command"), by_name["command"]),
        "table_database": of("table_access_data", "db"),
        "table": of("table_access_data", "table"),
        "rows": of("query_statistics", "rows_sent"),
        "seconds": of("query_statistics", "query_time"),
        "info": pl.coalesce(
            "startup_data", "shutdown_data", "message_data", "authentication_data",
            of("audit_record", "startup_optionsi"), of("audit_record", "startup_options"),
        ).str.slice(0, 1000),
    }  # fmt: skip
    # a lone surrogate in an escape is read as NUL, which no store takes
    return [columns[name].str.replace_all("\0", "\\x00", literal=True).alias(name) for name in FIELDS]
