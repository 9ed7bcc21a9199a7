"""Records in a stream that is one long document: where they begin and end, what stands between them.

A record ends where its own grammar ends (the last brace, the closing tag, the line break outside quotes), so a document
that is still open is read like a closed one. `head` finds the certain beginning of a record: no text inside a record can
look like it. That bounds a torn record: it ends where the next one certainly begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from parsers.accounting import REJECT_TEXT
from parsers.decoding import decode, excerpt
from parsers.events import Origin
from parsers.framing import MAX_RECORD

_LF = 0x0A
_AHEAD = 256  # bytes beyond a limit in which a head that begins before it is recognised


@dataclass(frozen=True, slots=True)
class Grammar:
    """Patterns of a document, all possessive: linear in the length of the text."""

    record: re.Pattern[bytes]  # a whole record, with what stands on its line before it
    begin: re.Pattern[bytes]  # what every record begins with
    head: re.Pattern[bytes]  # group 1: the certain beginning of a record, anywhere
    between: re.Pattern[bytes]  # one line of structure, its line break included
    blank: re.Pattern[bytes]  # any structure, perhaps none


Piece = tuple[int, int, str]  # start, end, kind
RECORD, STRUCTURE = "record", "structure"
BROKEN, NONE = "broken_record", "not_a_record"


def framing(grammar: Grammar, buffer: bytes, *, final: bool) -> int:
    """Whole pieces at the start of `buffer`; a record that never ends holds back at most MAX_RECORD bytes."""
    if final:
        return len(buffer)
    found = pieces(grammar, buffer, final=False)
    return found[-1][1] if found else 0


def pieces(grammar: Grammar, chunk: bytes, *, final: bool, torn: bool = False) -> list[Piece]:
    """Consecutive pieces of `chunk`. `torn`: it begins inside a line or record that was too long."""
    found: list[Piece] = []
    position = 0
    record, between = grammar.record.match, grammar.between.match
    while position < len(chunk):
        limit = position + MAX_RECORD
        if torn:
            end, kind = _garbage_end(grammar, chunk, position, final=final), NONE
        elif whole := record(chunk, position, limit):
            end, kind = whole.end(), RECORD
        elif line := between(chunk, position, limit):
            end, kind = line.end(), STRUCTURE
        else:
            end, kind = _odd(grammar, chunk, position, final=final)
        if not end:
            break
        found.append((position, end, kind))
        torn = end - position >= MAX_RECORD and chunk[end - 1] != _LF
        position = end
    return found


def _odd(grammar: Grammar, chunk: bytes, position: int, *, final: bool) -> tuple[int, str]:
    """(end, kind) of what is neither a whole record nor a line of structure; end 0: wait for more."""
    blank = grammar.blank.match(chunk, position)
    if blank and blank.end() == len(chunk):
        return (len(chunk), STRUCTURE) if final else (0, "")
    begun = grammar.begin.match(chunk, position)
    if not begun:
        return _garbage_end(grammar, chunk, position, final=final), NONE
    limit = position + MAX_RECORD
    head = grammar.head.search(chunk, begun.end(), limit + _AHEAD)
    if head and head.start(1) <= limit:
        return head.start(1), BROKEN
    if len(chunk) >= limit + _AHEAD:
        return limit, BROKEN
    return (min(len(chunk), limit), BROKEN) if final else (0, "")


def _garbage_end(grammar: Grammar, chunk: bytes, position: int, *, final: bool) -> int:
    limit = position + MAX_RECORD
    line = chunk.find(b"\n", position, limit) + 1
    head = grammar.head.search(chunk, position, (line or limit) + _AHEAD)
    if head and position < head.start(1) < (line or limit):
        return head.start(1)
    if line:
        return line
    if len(chunk) >= limit + _AHEAD:
        return limit
    return min(len(chunk), limit) if final else 0


def still_torn(chunk: bytes, found: list[Piece]) -> bool:
    """The last piece is the beginning of something too long: what follows it may be text of a client."""
    return bool(found) and found[-1][1] - found[-1][0] >= MAX_RECORD and not chunk.endswith(b"\n")


def structure_skips(found: list[Piece]) -> Mapping[str, tuple[int, int]]:
    sizes = [end - start for start, end, kind in found if kind == STRUCTURE]
    return {STRUCTURE: (len(sizes), sum(sizes))} if sizes else {}


def rejects_of(chunk: bytes, found: list[Piece], origin: Origin) -> list[dict[str, Any]]:
    return [
        {"position": origin.position + start, "length": end - start, "reason": kind, "text": excerpt(chunk[start:end])}
        for start, end, kind in found
        if kind in {BROKEN, NONE}
    ]


def texts(chunk: bytes, spans: list[Piece]) -> pl.Series:
    """The records, each decoded by itself."""
    raws = [chunk[start:end] for start, end, _ in spans]
    try:
        values = [raw.decode() for raw in raws]
    except UnicodeDecodeError:
        values = [decode(raw) for raw in raws]
    series = pl.Series("text", values, dtype=pl.String)
    return series.str.replace_all("\0", "\\x00", literal=True)


def bad(position: int, length: int, reason: str, text: str) -> dict[str, Any]:
    return {"position": position, "length": length, "reason": reason, "text": text[:REJECT_TEXT]}
