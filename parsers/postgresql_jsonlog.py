"""PostgreSQL jsonlog (log_destination=jsonlog, 15 and later): one JSON object a line, always one line a record.

A key whose value is NULL is left out. Severities are English here whatever lc_messages says; texts are translated.
Bytes stand in the encoding of the session's database, so a line may be no UTF-8: each is decoded by itself.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from parsers.decoding import decode, json_text, mended
from parsers.events import Origin
from parsers.framing import MAX_RECORD, line_starts, lines, split_lines, unfinished
from parsers.json_objects import read_objects
from parsers.postgresql_records import SKIPS, assemble, interpret, rejected
from parsers.registry import Carry, Parsed, parser

# PostgreSQL manual, "Using JSON-Format Log Output": key -> field of postgresql_records
_KEYS = {
    "timestamp": "stamp", "user": "user", "dbname": "database", "remote_host": "host", "session_id": "session",
    "line_num": "line", "ps": "tag", "error_severity": "severity", "state_code": "state", "message": "message",
    "detail": "detail", "context": "context", "statement": "query", "application_name": "application",
    "backend_type": "backend",
}  # fmt: skip
_SPOILING = re.compile(rb"\\u(?:0000|[dD])")  # the reader makes NUL of these: of a lone surrogate too
_SCHEMA = {key: pl.Int64 if key == "line_num" else pl.String for key in _KEYS}


@parser(
    "postgresql_jsonlog",
    reference="PostgreSQL manual, Using JSON-Format Log Output; pgaudit README, Format",
    framing=lines,
    dialect="postgres",
    skips=SKIPS,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read whole jsonlog lines, with pgaudit messages inside.

    `zone` is the server's log_timezone. Rejects: not_json (no JSON object, too long or only a part of a line),
    bad_timestamp (no time or no session: not a record of PostgreSQL), bad_audit_payload.
    """
    if not chunk:
        return Parsed(carry=carry)
    cut = {"unfinished": unfinished(chunk)}
    records = None if carry.get("unfinished") else _all_lines(chunk, origin.position)
    broken: list[tuple[int, int, str, str]] = []
    if records is None:
        records, broken = _some_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    records = records.rename(_KEYS)
    read = interpret(records, origin, zone, carry)
    whole = assemble(Parsed(rejects=rejected(broken)), read)
    return Parsed(whole.events, whole.rejects, whole.skips, {**whole.carry, **cut})


def _all_lines(chunk: bytes, position: int) -> pl.DataFrame | None:
    """The whole chunk at once, lines that are not UTF-8 decoded first; None where a line is bad or too long."""
    starts = line_starts(chunk)
    lengths = np.diff(starts, append=len(chunk))
    if lengths.max() >= MAX_RECORD:
        return None
    try:
        frame = pl.read_ndjson(mended(chunk, starts + lengths, json_text), schema=_SCHEMA)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != starts.size:
        return None
    if _SPOILING.search(chunk):
        frame = frame.with_columns(pl.col(pl.String).str.replace_all("\0", "\\x00", literal=True))
    return frame.with_columns(
        pl.Series("position", starts.astype(np.uint64)) + position, pl.Series("length", lengths.astype(np.uint32))
    )


def _some_lines(
    chunk: bytes, position: int, *, continued: bool
) -> tuple[pl.DataFrame, list[tuple[int, int, str, str]]]:
    """What can be read of the chunk, line by line only in the blocks that do not parse, and rejects of the rest."""
    split = split_lines(chunk, position, continued=continued, other=json_text)
    values = read_objects(split["text"], _SCHEMA)
    values = values.with_columns(pl.col(pl.String).str.replace_all("\0", "\\x00", literal=True))
    good = values["good_"]
    records = pl.concat([split.drop("text"), values.drop("good_")], how="horizontal").filter(good)
    bad = split.filter(~good)
    offsets = (bad["position"] - position).to_list()
    rejects = [
        (start + position, length, "not_json", decode(chunk[start : start + min(length, 16384)])[:4096])
        for start, length in zip(offsets, bad["length"].to_list(), strict=True)
    ]
    return records, rejects
