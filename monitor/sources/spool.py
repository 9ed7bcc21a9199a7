"""Where a listener puts what it received: files of whole lines that the ordinary `Tail` reads and this module deletes.

`state_dir/spool/<source>/<sequence>.log`, one line a message: ``@2026-11-18T09:02:03.123456Z 10.20.1.5 <86>Nov 18 …``,
when and from whom it came, then the message as it was sent. Only LF and NUL inside it are written as ``#012`` and
``#000``, as rsyslog does (a message that holds these four characters itself cannot be told from one that held the byte).
A file is deleted once its last line is committed and a newer one has followed it.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from monitor.sources.discovery import error_name, escape

MESSAGE_CAP = 65_400  # bytes: with what stands in front, a line is no longer than parsers read
SEGMENT = 16 << 20  # bytes of one file, about
WRITE_AT = 1 << 18  # bytes that are collected before they are written in the middle of a round
_PREFIX = 128  # bytes, at most, that stand in front of a message
_MODE = 0o600


def spool_folder(state_dir: Path, source: str) -> Path:
    """Where the messages of a source wait."""
    return state_dir / "spool" / source


class Spool:
    """One source's files. The receiving thread adds; `release` may be called by another."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit`: bytes of all files together. Raises OSError where the folder cannot be had."""
        self.folder = folder
        self.limit = limit
        self.failed = ""  # errno's name while writing does not work
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._current = ""
        self._pending = bytearray()
        self._dirty = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sizes = {file.name: file.stat().st_size for file in folder.glob("*.log") if file.stem.isdigit()}
        self._sequence = max((int(name.removesuffix(".log")) for name in self._sizes), default=0)
        self._mend()
        self._used = sum(self._sizes.values())

    @property
    def used(self) -> int:
        """Bytes on disk and about to be written."""
        return self._used

    @property
    def dirty(self) -> bool:
        """Something is not on the disk yet."""
        return self._dirty or bool(self._pending)

    def has_room(self, message: bytes) -> bool:
        """Whether one more message may be added."""
        if self.failed and len(self._pending) > WRITE_AT:
            return False
        return self._used + len(message) + _PREFIX <= self.limit

    def add(self, stamp: bytes, sender: bytes, message: bytes) -> bool:
        """Take one message. False: it was too long and has been cut."""
        whole = True
        if b"\n" in message or b"\0" in message:
            message = message.replace(b"\n", b"#012").replace(b"\0", b"#000")
        if len(message) > MESSAGE_CAP:
            message, whole = cut(message), False
        line = b"@%b %b %b\n" % (stamp, sender, message)
        self._pending += line
        with self._lock:
            self._used += len(line)
        if len(self._pending) >= WRITE_AT:
            self.flush()
        return whole

    def flush(self) -> None:
        """Hand over to the kernel what was added: from here on it outlives this process. Raises nothing: see `failed`."""
        if not self._pending:
            return
        try:
            while self._pending:
                if self._descriptor is None:
                    self._begin()
                assert self._descriptor is not None
                written = os.write(self._descriptor, self._pending)
                with self._lock:
                    del self._pending[:written]
                    self._sizes[self._current] += written
                self._dirty = True
            self.failed = ""
            if self._sizes[self._current] >= min(SEGMENT, max(self.limit // 8, 4096)):
                self._end()
        except (
            OSError
        ) as error:  # what is pending stays so: the next flush goes on with the byte after the last one written
            self.failed = error_name(error) or "unknown"

    def sync(self) -> None:
        """`flush`, and onto the disk: from here on it outlives the machine's power."""
        self.flush()
        try:
            if self._dirty and self._descriptor is not None:
                os.fdatasync(self._descriptor)
                self._dirty = False
            if self._used + _PREFIX > self.limit and self._sizes.get(self._current, 1):
                self._end()  # only a file that another follows can be let go, and nothing more comes into this one
                self._begin()
        except OSError as error:
            self.failed = error_name(error) or "unknown"

    def release(self, file: str) -> bool:
        """A file (its name as positions have it) was read to its end and that is durable. True: it is gone now."""
        folder, _, name = file.rpartition("/")
        if folder != escape(str(self.folder)):
            return False
        with self._lock:
            if name == self._current:
                return False
            try:
                (self.folder / name).unlink(missing_ok=True)
            except OSError as error:
                self.failed = error_name(error) or "unknown"
                return False
            self._used -= self._sizes.pop(name, 0)
        return True

    def close(self) -> None:
        self.sync()
        self._end()

    def _begin(self) -> None:
        name = f"{self._sequence + 1:012d}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.folder / name, flags, _MODE)
        with self._lock:
            self._sequence += 1
            self._descriptor, self._current = descriptor, name
            self._sizes[name] = 0
        _sync_folder(self.folder)

    def _end(self) -> None:
        if self._descriptor is None:
            return
        try:
            os.fdatasync(self._descriptor)
        finally:
            os.close(self._descriptor)
            with self._lock:
                self._descriptor, self._current, self._dirty = None, "", False

    def _mend(self) -> None:
        """A line that the death of the machine or the process cut is ended, so that the reader comes to its end."""
        for name in self._sizes:
            with (self.folder / name).open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                    file.write(b"\n")
                    self._sizes[name] += 1


def stamp_now() -> bytes:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def cut(message: bytes) -> bytes:
    """The beginning of a message that is too long, no character of UTF-8 torn."""
    begin = message[:MESSAGE_CAP]
    for back in range(1, 4):
        byte = begin[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return begin[:-back] if back < length else begin
    return begin


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
