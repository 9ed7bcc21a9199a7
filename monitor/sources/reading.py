"""One generation being read: its descriptor, how far it was read, and the proof of that."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.sources.discovery import Entry, escape
from monitor.sources.generations import (
    HEAD,
    TAIL,
    Position,
    Prefix,
    State,
    digest,
    read_at,
    same_content,
    same_head,
)
from parsers.registry import Framing

NUL_RUN = 64  # so many zero bytes in a row are a hole in the file, not text
_NULS = b"\0" * NUL_RUN


class ContentChanged(Exception):
    """The bytes before the position are no longer those that were read."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of which it cannot be excluded that they were never read.

    reason: truncate (shrunk before its end was read), rewrite (overwritten in place), missing (gone while nobody
    looked), nul_run (a hole: zero bytes where records should be).
    `to_position` None: nobody knows how much.
    """

    reason: str
    file: str
    from_position: int
    to_position: int | None


@dataclass(frozen=True, slots=True)
class Piece:
    """What one look brought: bytes of whole records from `start`, or a hole that was passed."""

    start: int
    data: bytes
    gap: Gap | None = None
    forced: bool = False  # a record longer than the cap was cut


class Reading:
    """Mutable; one owner (`Tail`). `descriptor` is None while the file is not open."""

    def __init__(self, source: str, generation: str, entry: Entry, row: Position | None = None) -> None:
        self.source = source
        self.generation = generation
        self.path = entry.path
        self.file = escape(entry.path)
        self.device, self.inode = entry.identity
        self.descriptor: int | None = None
        self.size = entry.size
        self.modified_at = entry.modified_at
        self.head_length = 0  # bytes covered by `head`
        self.head = digest(b"")
        self.prefix = Prefix()
        self.tail = b""
        self.state: State = "open"
        self.looked = False  # its content was compared with the row by this process
        self.unsure = row is not None  # it may have changed while nobody looked
        self.retired_at: float | None = None  # monotonic; since when another file has its place
        self.missing_since: float | None = None
        self.ends_seen = 0  # looks in a row that found nothing more
        self.waiting: tuple[int, int] | None = None  # (position, size) that held no whole record
        self.waits: tuple[int, int] | None = None  # the same, as it was when `waits_since` was set
        self.waits_since: float | None = None  # monotonic
        self.unread_since: datetime | None = None
        self.gaps: list[Gap] = []
        self.row_due = False  # its row changed though no bytes did
        self._row = row
        self.first: Position | None = row  # where to go on from when nothing of it is stored
        self.seen_at = row.seen_at if row else None  # when a row last said that the file is there
        self.known_size = entry.size  # greatest size seen of this content
        self.verified: tuple[int, float] | None = None  # size and time at which the content was last found the same
        self.lost = False  # its content is no more

    @property
    def identity(self) -> tuple[int, int]:
        return self.device, self.inode

    @property
    def position(self) -> int:
        return self.prefix.length if self._row is None else self._row.position

    @property
    def unread(self) -> int:
        return max(0, self.size - self.position) if self.state == "open" else 0

    def row(self, seen_at: datetime) -> Position:
        if self._row is not None:  # not opened yet in this process: what was stored still holds
            kept = self._row
            fields = {name: getattr(kept, name) for name in Position.__slots__}
            fields |= {"file": self.file, "state": self.state, "seen_at": seen_at}
            fields |= {"device": self.device, "inode": self.inode}
            return Position(**fields)
        return Position(
            source=self.source,
            generation=self.generation,
            file=self.file,
            device=self.device,
            inode=self.inode,
            head_length=self.head_length,
            head=self.head,
            tail_length=len(self.tail),
            tail=digest(self.tail),
            chain=self.prefix.chain,
            rest=self.prefix.rest,
            position=self.prefix.length,
            state=self.state,
            seen_at=seen_at,
        )

    def begin(self, descriptor: int) -> None:
        """Take a file never read before, from its first byte."""
        self.descriptor = descriptor
        self.refresh()
        self._lengthen_head(min(HEAD, self.size))
        self.looked = True
        self.verified = (self.size, self.modified_at)

    def attach(self, descriptor: int) -> bool:
        """Go on in an opened file from the stored row. False (and the descriptor is closed) where it is not the same."""
        row = self._row or self.row(datetime.min.replace(tzinfo=UTC))
        prefix, tail = None, b""
        try:
            if os.fstat(descriptor).st_size >= row.position and same_content(descriptor, row):
                prefix = Prefix.resumed(descriptor, row)
                tail = read_at(descriptor, row.position - row.tail_length, row.tail_length)
        finally:
            if prefix is None or len(tail) < row.tail_length:
                os.close(descriptor)
        if prefix is None or len(tail) < row.tail_length:
            return False
        if self.descriptor is not None and self.descriptor != descriptor:
            os.close(self.descriptor)
        self.descriptor = descriptor
        self.prefix = prefix
        self.head_length, self.head = row.head_length, row.head
        self.tail = tail
        self._row = None
        self.looked = True
        self.waiting = None
        self.refresh()
        self.verified = (self.size, self.modified_at)
        return True

    def rewind(self, row: Position) -> bool:
        """Back to a row of this generation, the descriptor kept: a deleted file must not be let go."""
        self._row, self.first = row, row
        self.state = "done" if self.lost else row.state
        self.waiting, self.ends_seen = None, 0
        if self.descriptor is None:
            return True
        descriptor, self.descriptor = self.descriptor, None
        return self.attach(descriptor)

    def close(self, seen_at: datetime) -> None:
        if self.descriptor is not None:
            self._row = self.row(seen_at)
            os.close(self.descriptor)
            self.descriptor = None

    def refresh(self) -> None:
        """Look at size and time of the open descriptor."""
        assert self.descriptor is not None
        status = os.fstat(self.descriptor)
        self.size, self.modified_at = status.st_size, status.st_mtime
        self.known_size = max(self.known_size, self.size)

    @property
    def at_end(self) -> bool:
        """Nothing more can be taken now."""
        return self.size == self.position or self.waiting == (self.position, self.size)

    def is_same(self) -> bool:
        """The cheap test on the open descriptor."""
        assert self.descriptor is not None
        self.refresh()
        if self.verified == (self.size, self.modified_at):
            return True
        start = self.position - len(self.tail)
        same = (
            self.size >= self.position
            and same_head(self.descriptor, self.head_length, self.head)
            and read_at(self.descriptor, start, len(self.tail)) == self.tail
        )
        self.verified = (self.size, self.modified_at) if same else None
        return same

    def note_waiting(self, now: float) -> None:
        """Remember since when the same bytes wait for more. `now`: monotonic seconds."""
        if self.waits != self.waiting:
            self.waits, self.waits_since = self.waiting, None if self.waiting is None else now

    def read(self, limit: int, cap: int, framing: Framing, *, final: bool, settled: bool = False) -> Piece | None:
        """Whole records from the position on, at most about `limit` bytes; None: nothing whole yet.

        `final`: nothing more will come. `settled`: nothing came for a while, so lines that are whole are records.

        The tail is read and compared in the same call as the new bytes, so nothing can slip between. Raises
        ContentChanged, OSError.
        """
        assert self.descriptor is not None
        before = len(self.tail)
        whole = max(limit, cap + NUL_RUN)  # what the longest record needs
        data, piece = b"", None
        for size in dict.fromkeys((limit, whole)):
            buffer = read_at(self.descriptor, self.position - before, before + size)
            if buffer[:before] != self.tail:
                self.verified = None
                raise ContentChanged
            data = buffer[before:]
            at_end = self.position + len(data) >= os.fstat(self.descriptor).st_size
            piece = (
                self._whole(data, cap, framing, final=at_end and (final or (settled and data.endswith(b"\n"))))
                if data
                else None
            )
            if piece is not None or len(data) < size:
                break
        self.waiting = (self.position, self.position + len(data)) if piece is None else None
        return piece

    def advance(self, data: bytes) -> None:
        """These bytes are accounted for."""
        assert self.descriptor is not None
        self.prefix.feed(data)
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]
        if self.head_length < HEAD and self.prefix.length > self.head_length:
            self._lengthen_head(min(HEAD, self.prefix.length))

    def skip_to(self, position: int) -> None:
        """Account for bytes without handing them out: a hole, or what a copy has in common with its original."""
        assert self.descriptor is not None
        while self.prefix.length < position:
            data = read_at(self.descriptor, self.prefix.length, min(1 << 20, position - self.prefix.length))
            if not data:
                break
            self.advance(data)

    def _whole(self, data: bytes, cap: int, framing: Framing, *, final: bool) -> Piece | None:
        hole = data.find(_NULS)
        if hole == 0:
            return self._hole()
        text = data if hole < 0 else data[:hole]
        taken = framing(text, final=final and hole < 0)
        if taken == 0 and hole > 0 and self._data_after(self.position + hole) is not None:
            taken = hole  # torn: what stands before the hole will never be completed
        if taken > 0:
            return Piece(self.position, text[:taken])
        if len(text) >= cap:
            cut = text.rfind(b"\n", 0, cap) + 1 or cap
            return Piece(self.position, text[:cut], forced=True)
        return None

    def _hole(self) -> Piece | None:
        """Zero bytes at a record's place are passed once something follows them; until then they may yet be filled."""
        start = self.position
        behind = self._data_after(start)
        if behind is None:
            return None
        self.skip_to(behind)
        return Piece(start, b"", Gap("nul_run", self.file, start, behind))

    def _data_after(self, start: int) -> int | None:
        """First byte from `start` on that is not zero; None: only zeros to the end."""
        assert self.descriptor is not None
        while True:
            with suppress(OSError):  # no data any more, or a file system that cannot tell
                start = os.lseek(self.descriptor, start, os.SEEK_DATA)
            block = read_at(self.descriptor, start, 1 << 20)
            if not block:
                return None
            text = block.lstrip(b"\0")
            if text:
                return start + len(block) - len(text)
            start += len(block)

    def _lengthen_head(self, length: int) -> None:
        assert self.descriptor is not None
        data = read_at(self.descriptor, 0, length)
        self.head_length, self.head = len(data), digest(data)
