"""Identity of a file's content: which bytes have been read, provable after a restart, a rename or a copy.

A *generation* is one life of a file's content. Its identity is device + inode, the hash of its head (cheap), the hash
of the bytes just before the position (cheap, looked at on every read) and a chain over everything read (the proof,
used before a position is adopted by a copy). Nothing of the content itself is kept: logs hold patient data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Literal

BLOCK = 1 << 20  # bytes of one link of the prefix chain
HEAD = 1024
TAIL = 256

State = Literal[
    "open",  # read as it grows
    "done",  # rotated away and read to its end; the row stays, since the file may come back
    "copy",  # a copy of another generation: what was equal is not stored twice
]


@dataclass(frozen=True, slots=True)
class Position:
    """The row that says how far a generation has been read; stored in the transaction of the events it accounts for."""

    source: str
    generation: str  # 16 hex digits
    file: str  # path last seen, escaped: never opened again, files are found by identity
    device: int
    inode: int
    head_length: int
    head: str  # SHA-256 of the first `head_length` bytes
    tail_length: int
    tail: str  # SHA-256 of the `tail_length` bytes before `position`
    chain: str  # SHA-256 chain over the whole blocks of 1 MiB before `position`
    rest: str  # SHA-256 of the bytes after the last whole block
    position: int  # first byte that is not accounted for: always the start of a record
    state: State
    seen_at: datetime  # UTC; when the file was last seen on disk


class Prefix:
    """Running proof of bytes [0, length): a chain over whole blocks, and the hash of the unfinished block."""

    __slots__ = ("_link", "_open", "length")

    def __init__(self, link: bytes = b"", length: int = 0) -> None:
        """`link` and `length`: of a chain of whole blocks to go on from."""
        self._link = link
        self._open = sha256()
        self.length = length

    def feed(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            room = BLOCK - self.length % BLOCK
            part = view[:room]
            self._open.update(part)
            self.length += len(part)
            if self.length % BLOCK == 0:
                self._link = sha256(self._link + self._open.digest()).digest()
                self._open = sha256()
            view = view[room:]

    @property
    def chain(self) -> str:
        return self._link.hex()

    @property
    def rest(self) -> str:
        return self._open.copy().hexdigest()

    def copy(self) -> Prefix:
        other = Prefix(self._link, self.length)
        other._open = self._open.copy()
        return other

    @classmethod
    def resumed(cls, descriptor: int, position: Position) -> Prefix | None:
        """The proof up to a stored position, its last block read again; None where that block is not the same any more."""
        start = position.position - position.position % BLOCK
        prefix = cls(bytes.fromhex(position.chain), start)
        prefix.feed(read_at(descriptor, start, position.position - start))
        return prefix if prefix.length == position.position and prefix.rest == position.rest else None

    @classmethod
    def of(cls, descriptor: int, length: int) -> Prefix:
        """The proof of a file's first `length` bytes (fewer where the file is shorter)."""
        prefix = cls()
        while prefix.length < length:
            block = read_at(descriptor, prefix.length, min(BLOCK, length - prefix.length))
            if not block:
                break
            prefix.feed(block)
        return prefix

    def proves(self, position: Position) -> bool:
        return self.length == position.position and (self.chain, self.rest) == (position.chain, position.rest)


def read_at(descriptor: int, start: int, length: int) -> bytes:
    """Up to `length` bytes from `start`; shorter only at the end of the file."""
    parts = []
    while length > 0:
        part = os.pread(descriptor, length, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def digest(data: bytes | memoryview) -> str:
    return sha256(data).hexdigest()


def same_head(descriptor: int, length: int, head: str) -> bool:
    return digest(read_at(descriptor, 0, length)) == head


def same_content(descriptor: int, position: Position) -> bool:
    """The cheap test: head and tail are what they were."""
    start = position.position - position.tail_length
    return (
        same_head(descriptor, position.head_length, position.head)
        and digest(read_at(descriptor, start, position.tail_length)) == position.tail
    )


def same_prefix(descriptor: int, position: Position) -> bool:
    """The full proof: every byte before the position is what it was. Reads all of them."""
    return same_content(descriptor, position) and Prefix.of(descriptor, position.position).proves(position)


def generation_name(source: str, file: str, device: int, inode: int, head: str, known: Container[str]) -> str:
    """16 hex digits, the same for the same file found again before anything of it was stored; unlike all `known` ones."""
    number = 0
    while True:
        text = "\0".join((source, file, str(device), str(inode), head, str(number)))
        name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        if name not in known:
            return name
        number += 1


COMPRESSED = (".gz", ".xz", ".zst", ".bz2")
_ROTATED = re.compile(
    r"""(?x)
    (?: [._-] \d{1,3}                                              # app.log.1
      | [._-]? \d{4} [._-]? \d{2} [._-]? \d{2} (?:[T_.-]? \d{2,10})?   # app.log-20261118, pg-2026-11-18_000000
      | [._-] (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)                           # postgresql-Mon.log
      | \. (?:old|bak|orig|save|copy)
      | ~
    )
    (?= \. [A-Za-z]{1,8} \Z | \Z )                                  # at the end, or before one extension
    """
)


def log_of(source: str, file: str) -> str:
    """The log that a file is a piece of: its rotated files are one stream, two logs of one source are not."""
    folder, _, name = file.rpartition("/")
    return f"{source}:{folder}/{family(name)}"


def family(name: str) -> str:
    """What the names of one log's rotated files have in common (the directory is compared apart).

    Only says which files are worth comparing; the bytes decide.
    """
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    for _ in range(4):
        shorter = _ROTATED.sub("", name)
        if shorter == name or not shorter:
            break
        name = shorter
    return name
