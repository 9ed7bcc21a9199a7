"""PostgreSQL csvlog (log_destination=csvlog): one CSV record per message, quoted fields keep their line breaks.

A record ends at the first LF at which its quotes are balanced, and begins with a time stamp. That is decided for the
whole chunk at once; only where the grammar breaks (a torn record, a foreign line) is the next record searched for.
No text that a client sends can look like that next record: inside a field every quote is doubled, so whatever stands
there has no field with both quotes and content, and a record without a quoted message is not taken (`_WHOLE_HEAD`).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from parsers.decoding import clean, decode, excerpt, mended, spoilt
from parsers.events import Origin
from parsers.framing import MAX_RECORD
from parsers.postgresql_records import SKIPS, assemble, interpret, rejected
from parsers.registry import Carry, Parsed, parser

Positions = npt.NDArray[np.int64]

# docs: PostgreSQL manual, "Using CSV-Format Log Output"; 23 columns to version 12, 24 in 13, 26 from 14 on
COLUMNS = (
    "log_time", "user_name", "database_name", "process_id", "connection_from", "session_id", "session_line_num",
    "command_tag", "session_start_time", "virtual_transaction_id", "transaction_id", "error_severity",
    "sql_state_code", "message", "detail", "hint", "internal_query", "internal_query_pos", "context", "query",
    "query_pos", "location", "application_name", "backend_type", "leader_pid", "query_id",
)  # fmt: skip
_COUNTS = (23, 24, 26)
_TAIL = 65536  # bytes at the end of a buffer in which its last record usually begins
_USED = {
    "log_time": "stamp", "user_name": "user", "database_name": "database", "connection_from": "host",
    "session_id": "session", "session_line_num": "line", "command_tag": "tag", "error_severity": "severity",
    "sql_state_code": "state", "message": "message", "detail": "detail", "context": "context", "query": "query",
    "application_name": "application", "backend_type": "backend",
}  # fmt: skip

_QUOTE, _COMMA, _LF, _CR = 0x22, 0x2C, 0x0A, 0x0D
_STAMP = b"dddd-dd-dd dd:dd:dd.ddd "  # d: a digit; log_time always has milliseconds
_TEXT = rb'(?:"(?:[^"]++|"")*+")?+'
_WHOLE_HEAD = re.compile(
    rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^\s,\"]{1,8},"
    + _TEXT + rb"," + _TEXT + rb",\d*+," + _TEXT  # user, database, pid, connection_from
    + rb",[0-9a-f]+\.[0-9a-f]+,\d++," + _TEXT  # session, line, tag
    + rb",[^,\"\n]*+,[^,\"\n]*+,\d*+,[^,\"\n]++,[0-9A-Z]{5},\"[^\"]",  # start, vxid, xid, severity, state, message
    re.MULTILINE,
)  # fmt: skip


csv.field_size_limit(2 * MAX_RECORD)  # a process-wide setting of the standard library; its default is 128 KiB


@dataclass(frozen=True, slots=True)
class _Regions:
    """Consecutive pieces of a chunk: records, and what is none (`reason` not empty)."""

    starts: Positions
    ends: Positions
    reasons: dict[int, str]  # index of a piece -> why it is no record

    @property
    def consumed(self) -> int:
        return int(self.ends[-1]) if self.ends.size else 0


def framing(buffer: bytes, *, final: bool) -> int:
    """Whole records at the start of `buffer`; a quote that never closes holds back at most MAX_RECORD bytes."""
    if not final and len(buffer) < MAX_RECORD and b"\n" not in buffer:
        return 0
    if final:
        return len(buffer)
    # a whole head is the beginning of a record wherever it stands, so only what follows one near the end is looked at
    head = _WHOLE_HEAD.search(buffer, len(buffer) - _TAIL) if len(buffer) > 2 * _TAIL else None
    start = head.start() if head else 0
    return start + _regions(buffer[start:], final=False).consumed


def _stamped(data: npt.NDArray[np.uint8], starts: Positions) -> npt.NDArray[np.bool_]:
    """Which of the starts begin with a time stamp."""
    good = starts + len(_STAMP) <= data.size
    at = np.where(good, starts, 0)
    if data.size < len(_STAMP):
        return good
    for offset, wanted in enumerate(_STAMP):
        byte = data[at + offset]
        good &= ((byte - 0x30) < 10) if wanted == ord("d") else (byte == wanted)  # uint8: below "0" wraps to above 9
    return np.asarray(good)


class _Grammar:
    """Where records may end and where the CSV grammar is broken, for text that starts with even or odd quotes."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._data = data
        self._quotes = np.flatnonzero(data == _QUOTE)
        self._breaks = np.flatnonzero(data == _LF)
        self.line_ends: Positions = self._breaks + 1
        line_starts = np.concatenate((np.zeros(1, np.int64), self.line_ends))
        self.stamped_lines: Positions = line_starts[_stamped(data, line_starts)]
        self._break_parity = np.searchsorted(self._quotes, self._breaks) & 1
        self._made: dict[int, tuple[Positions, Positions, Positions]] = {}

    def parity(self, position: int) -> int:
        """Whether the quotes before `position` are odd in number."""
        return int(np.searchsorted(self._quotes, position)) & 1

    def of(self, start_parity: int) -> tuple[Positions, Positions, Positions]:
        """(record ends, grammar faults, ends that no record start follows)."""
        if start_parity not in self._made:
            ends = self._breaks[self._break_parity == start_parity] + 1
            follow = ends[ends < self._data.size]
            faults = self._faults(start_parity)
            self._made[start_parity] = (ends, faults, follow[~_stamped(self._data, follow)])
        return self._made[start_parity]

    def _faults(self, start_parity: int) -> Positions:
        quotes, data = self._quotes, self._data
        if not quotes.size:
            return quotes
        opens = (np.arange(quotes.size) & 1) == start_parity
        before = data[np.maximum(quotes - 1, 0)]
        after = data[np.minimum(quotes + 1, data.size - 1)]
        fine_open = (before == _COMMA) | (before == _QUOTE) | (before == _LF) | (quotes == 0)
        fine_close = (after == _COMMA) | (after == _QUOTE) | (after == _LF) | (after == _CR) | (quotes == data.size - 1)
        return np.asarray(quotes[~np.where(opens, fine_open, fine_close)])


def _regions(chunk: bytes, *, final: bool) -> _Regions:
    data = np.frombuffer(chunk, np.uint8)
    grammar = _Grammar(data)
    starts: list[Positions] = []
    ends: list[Positions] = []
    reasons: dict[int, str] = {}
    position, count = 0, 0
    while position < len(chunk):
        run = _good_run(grammar, data, position, final=final)
        if run.size:
            starts.append(np.concatenate((np.array([position]), run[:-1])))
            ends.append(run)
            count += run.size
            position = int(run[-1])
            continue
        strays = _stray_lines(grammar, data, position, final=final)
        if strays.size:
            starts.append(np.concatenate((np.array([position]), strays[:-1])))
            ends.append(strays)
            reasons.update(dict.fromkeys(range(count, count + strays.size), "not_a_record"))
            count += strays.size
            position = int(strays[-1])
            continue
        end, reason = _bad_piece(chunk, data, position, final=final)
        if not end:
            break
        starts.append(np.array([position]))
        ends.append(np.array([end]))
        reasons[count] = reason
        count += 1
        position = end
    none = np.zeros(0, np.int64)
    return _Regions(np.concatenate(starts or [none]), np.concatenate(ends or [none]), reasons)


def _good_run(grammar: _Grammar, data: npt.NDArray[np.uint8], position: int, *, final: bool) -> Positions:
    """Ends of the well-formed records that follow one another from `position`; none where none begins there."""
    if not _stamped(data, np.array([position]))[0]:
        return np.zeros(0, np.int64)
    ends, faults, strays = grammar.of(grammar.parity(position))
    run: Positions = ends[np.searchsorted(ends, position, side="right") :]
    fault = np.searchsorted(faults, position)
    if fault < faults.size:
        run = run[: np.searchsorted(run, faults[fault], side="right")]
    stray = np.searchsorted(strays, position, side="right")
    if stray < strays.size:
        run = run[: np.searchsorted(run, strays[stray], side="right")]
    elif final and fault == faults.size and (run[-1] if run.size else position) < data.size:
        balanced = grammar.parity(data.size) == grammar.parity(position)
        if balanced:  # the last record of a file that ends without a line break
            run = np.append(run, data.size)
    long = np.flatnonzero(np.diff(run, prepend=position) > MAX_RECORD)
    return np.asarray(run[: long[0]] if long.size else run)


def _stray_lines(grammar: _Grammar, data: npt.NDArray[np.uint8], position: int, *, final: bool) -> Positions:
    """Ends of the whole lines from `position` up to the next that begins with a time stamp; quotes mean nothing there."""
    breaks = grammar.line_ends
    first = np.searchsorted(breaks, position, side="right")
    stamped = grammar.stamped_lines
    here = np.searchsorted(stamped, position)
    if here < stamped.size and stamped[here] == position:
        return breaks[:0]
    until = stamped[here] if here < stamped.size else data.size
    run = breaks[first : np.searchsorted(breaks, until, side="right")]
    if final and until == data.size and (run[-1] if run.size else position) < data.size:
        run = np.append(run, data.size)
    long = np.flatnonzero(np.diff(run, prepend=position) > MAX_RECORD)
    return np.asarray(run[: long[0]] if long.size else run)


def _bad_piece(chunk: bytes, data: npt.NDArray[np.uint8], position: int, *, final: bool) -> tuple[int, str]:
    """(end, reason) of what stands at `position` and is no record; end 0: wait for more bytes."""
    limit = min(position + MAX_RECORD, len(chunk))
    enough = final or limit == position + MAX_RECORD
    if not _stamped(data, np.array([position]))[0]:
        found = chunk.find(b"\n", position, limit) + 1
        if not found and not enough:
            return 0, ""
        return found or limit, "not_a_record"
    line = chunk.find(b"\n", position, limit) + 1
    head = _WHOLE_HEAD.search(chunk, line, min(limit + 65536, len(chunk))) if line else None
    if head and head.start() < limit:
        return head.start(), "broken_record"
    return (limit, "broken_record") if enough else (0, "")


def _column_counts(data: npt.NDArray[np.uint8], regions: _Regions) -> npt.NDArray[np.int64]:
    """Fields of each region: commas outside quotes, plus one. Meaningless for regions that are no records."""
    quote = data == _QUOTE
    inside = np.cumsum(quote, dtype=np.uint8) & 1
    commas = np.flatnonzero((data == _COMMA) & (inside == 0))
    if regions.reasons:  # quotes before a record may be unbalanced: count relative to the record's own start
        odd = np.flatnonzero((data == _COMMA) & (inside == 1))
        even_counts = np.diff(np.searchsorted(commas, np.append(regions.starts, data.size)))
        odd_counts = np.diff(np.searchsorted(odd, np.append(regions.starts, data.size)))
        at_start = np.where(regions.starts > 0, inside[np.maximum(regions.starts - 1, 0)], 0)
        return np.where(at_start == 1, odd_counts, even_counts) + 1
    return np.diff(np.searchsorted(commas, np.append(regions.starts, data.size))) + 1


@parser(
    "postgresql_csvlog",
    reference="PostgreSQL manual, Using CSV-Format Log Output; pgaudit README, Format",
    framing=framing,
    dialect="postgres",
    skips=SKIPS,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read whole csvlog records of 23, 24 or 26 columns, with pgaudit messages inside.

    `zone` is the server's log_timezone. Rejects: not_a_record (no time stamp where a record must begin),
    broken_record (quotes never close, or torn), bad_columns, bad_timestamp, bad_audit_payload.
    """
    regions = _regions(chunk, final=True)
    if not regions.starts.size:
        return Parsed(carry=carry)
    frames, reasons = _frames(chunk, regions)
    pieces = {index: (int(regions.starts[index]), int(regions.ends[index]), why) for index, why in reasons.items()}
    rejects = rejected(
        [(start + origin.position, end - start, why, excerpt(chunk[start:end])) for start, end, why in pieces.values()]
    )
    if not frames:
        return assemble(Parsed(rejects=rejects, carry=carry))
    records = pl.concat(frames) if len(frames) == 1 else pl.concat(frames).sort("position")
    records = records.with_columns(
        position=pl.col("position") + origin.position,
        host=pl.col("host").str.replace(r":\d+$", ""),  # the last colon divides, in IPv6 too
        line=pl.col("line").cast(pl.Int64, strict=False),
    )
    return assemble(Parsed(rejects=rejects), interpret(records, origin, zone, carry))


def _frames(chunk: bytes, regions: _Regions) -> tuple[list[pl.DataFrame], dict[int, str]]:
    """Records of each column count, and why the other pieces are none."""
    every = np.arange(regions.starts.size)
    bare = _bare_returns(chunk, regions) if b"\r" in chunk else []
    if (
        not regions.reasons and not bare
    ):  # the ordinary chunk: all records of the present form, which always fill the last column
        names = COLUMNS[: _COUNTS[-1]]
        frame = _read_csv(_utf8(chunk, regions.starts, regions.ends, whole=True), names, every.size)
        if frame is not None and not frame[names[-1]].null_count():
            return [_used(frame, regions.starts, regions.ends)], {}
    counts = _column_counts(np.frombuffer(chunk, np.uint8), regions)
    reasons = dict(regions.reasons)
    for index in (*np.flatnonzero(~np.isin(counts, _COUNTS)).tolist(), *bare):
        reasons.setdefault(index, "bad_columns")
    good = np.ones(regions.starts.size, np.bool_)
    good[list(reasons)] = False
    frames = []
    for columns in np.unique(counts[good]).tolist():
        frame, unreadable = _read(chunk, regions, every[good & (counts == columns)], columns)
        frames.append(frame)
        reasons.update(dict.fromkeys(unreadable, "bad_columns"))
    return frames, reasons


def _bare_returns(chunk: bytes, regions: _Regions) -> list[int]:
    """Records with a CR outside quotes and not before LF: PostgreSQL writes none, and readers differ about them."""
    data = np.frombuffer(chunk, np.uint8)
    returns = np.flatnonzero(data == _CR)
    returns = returns[data[np.minimum(returns + 1, data.size - 1)] != _LF]
    quotes = np.flatnonzero(data == _QUOTE)
    places = np.searchsorted(regions.starts, returns, side="right") - 1
    before = np.searchsorted(quotes, returns) - np.searchsorted(quotes, regions.starts[places])
    return [int(place) for place in np.unique(places[before % 2 == 0])]


def _read(chunk: bytes, regions: _Regions, chosen: Positions, columns: int) -> tuple[pl.DataFrame, list[int]]:
    """Records of one column count as a frame of the used columns; indexes of records no reader takes."""
    starts, ends = regions.starts[chosen], regions.ends[chosen]
    names = COLUMNS[:columns]
    frame = _read_csv(_utf8(chunk, starts, ends, whole=chosen.size == regions.starts.size), names, chosen.size)
    unreadable: list[int] = []
    if frame is None:
        rows: list[list[str]] = []
        for index, start, end in zip(chosen.tolist(), starts.tolist(), ends.tolist(), strict=True):
            row = _one_record(chunk[start:end], columns)
            if row is None:
                unreadable.append(index)
            else:
                rows.append(row)
        keep = ~np.isin(chosen, unreadable)
        starts, ends = starts[keep], ends[keep]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return _used(frame, starts, ends), unreadable


def _used(frame: pl.DataFrame, starts: Positions, ends: Positions) -> pl.DataFrame:
    """The columns that are read on, and where the records stand."""
    return frame.select(
        pl.Series("position", starts.astype(np.uint64)),
        pl.Series("length", (ends - starts).astype(np.uint32)),
        *((pl.col(old) if old in frame.columns else pl.lit(None, pl.String)).alias(new) for old, new in _USED.items()),
    )


def _utf8(chunk: bytes, starts: Positions, ends: Positions, *, whole: bool) -> bytes:
    """The chosen records as UTF-8 without NUL; those that are not are decoded each by itself."""
    if whole:
        text = mended(chunk, ends)
        return text if text.endswith(b"\n") else text + b"\n"
    bad = spoilt(chunk, ends)
    pieces = _slices(chunk, starts, ends)
    for index in bad:
        pieces[index] = decode(pieces[index]).encode()
    return b"".join(pieces)


def _slices(chunk: bytes, starts: Positions, ends: Positions) -> list[bytes]:
    pieces = [chunk[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if pieces and not pieces[-1].endswith(b"\n"):
        pieces[-1] += b"\n"
    return pieces


def _read_csv(text: bytes, names: tuple[str, ...], height: int) -> pl.DataFrame | None:
    """All records at once; None where the reader sees other records than the framing."""
    try:  # all columns: of a part of them the reader takes records that have more
        frame = pl.read_csv(text, has_header=False, schema=dict.fromkeys(names, pl.String))
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.height == height else None


def _one_record(raw: bytes, columns: int) -> list[str] | None:
    try:
        rows = list(csv.reader(io.StringIO(decode(raw), newline=""), strict=True))
    except csv.Error:
        return None
    return [clean(value) for value in rows[0]] if len(rows) == 1 and len(rows[0]) == columns else None
