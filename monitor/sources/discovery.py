"""Which files a source has: globs, allowed roots, and nothing but regular files."""

# ruff: noqa: PTH118, PTH120, PTH207 - paths may hold bytes that are no text, and there may be 10,000 of them
from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from monitor.sources.generations import COMPRESSED

_MAGIC = re.compile(r"[*?\[]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file inside the allowed roots."""

    path: str
    device: int
    inode: int
    size: int
    modified_at: float  # seconds since the epoch

    @property
    def identity(self) -> tuple[int, int]:
        return self.device, self.inode


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person may have to know of; no content, only the place. `reason` is from a closed list:

    symlink, not_regular, outside_roots, compressed, too_many_files, unreadable, oversize, duplicate_copy.
    """

    reason: str
    file: str  # escaped
    detail: str = ""  # errno's name, where one is at the bottom of it


def escape(path: str) -> str:
    """A path as it may be shown and stored: controls, bidi marks and undecodable bytes as escapes."""
    return _UNSAFE.sub(_escaped, path.replace("\\", "\\\\"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode hands it over
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def fixed_part(pattern: str) -> str:
    """The directory of a glob before its first wildcard."""
    found = _MAGIC.search(pattern)
    return os.path.dirname(pattern if found is None else pattern[: found.start()])


class Discovery:
    """Looks at the directories of one source. Remembers only what it has already complained of."""

    def __init__(self, patterns: Iterable[str], roots: Iterable[str], max_files: int) -> None:
        self._patterns = tuple(patterns)
        self._roots = tuple(os.path.realpath(root) for root in roots) or tuple(
            os.path.realpath(fixed_part(pattern)) for pattern in self._patterns
        )
        self._max_files = max_files
        self._told: set[tuple[str, str]] = set()
        self.notices: list[Notice] = []

    def entries(self) -> list[Entry]:
        """The files that the globs name now; hard links of one file count once."""
        paths = list(islice(self._paths(), self._max_files + 1))
        if len(paths) > self._max_files:
            self.tell("too_many_files", paths.pop())
        found: dict[tuple[int, int], Entry] = {}
        for path in paths:
            entry = self.look(path)
            if entry is not None:
                found.setdefault(entry.identity, entry)
        return list(found.values())

    def siblings(self) -> list[Entry]:
        """Every regular file beside the source's files, whether or not a glob names it: rotated files and copies."""
        found: dict[tuple[int, int], Entry] = {}
        for directory in sorted(
            {os.path.dirname(path) for path in self._paths()} | {fixed_part(p) for p in self._patterns}
        ):
            for name in self._names(directory):
                if not name.endswith(COMPRESSED):
                    entry = self.look(os.path.join(directory, name), quiet=True)
                    if entry is not None:
                        found.setdefault(entry.identity, entry)
        return list(found.values())

    def look(self, path: str, *, quiet: bool = False) -> Entry | None:
        """The file at a path, or None where there is none that may be read."""
        try:
            status = os.lstat(path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError) and not quiet:
                self.tell("unreadable", path, error)
            return None
        refused = self._refused(path, status)
        if refused:
            if not quiet:
                self.tell(refused, path)
            return None
        return Entry(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime)

    def tell(self, reason: str, path: str, error: OSError | None = None) -> None:
        """Say a thing once a path."""
        if (reason, path) not in self._told and len(self._told) < 10_000:
            self._told.add((reason, path))
            self.notices.append(Notice(reason, escape(path), error_name(error)))

    def forget(self, reason: str, path: str) -> None:
        """It is mended; say it again if it comes back."""
        self._told.discard((reason, path))

    def _refused(self, path: str, status: os.stat_result) -> str | None:
        if stat.S_ISLNK(status.st_mode):
            return "symlink"
        if not stat.S_ISREG(status.st_mode):
            return "not_regular"
        real = os.path.realpath(os.path.dirname(path))
        if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in self._roots):
            return "outside_roots"
        return "compressed" if path.endswith(COMPRESSED) else None

    def _paths(self) -> Iterator[str]:
        seen: set[str] = set()
        for pattern in self._patterns:
            found = glob.iglob(pattern, recursive=True) if _MAGIC.search(pattern) else iter([pattern])
            for path in found:
                if path not in seen:
                    seen.add(path)
                    yield path

    def _names(self, directory: str) -> list[str]:
        try:
            with os.scandir(directory) as names:
                return [entry.name for entry in islice(names, self._max_files)]
        except OSError:
            return []


def error_name(error: OSError | None) -> str:
    return "" if error is None else errno.errorcode.get(error.errno or 0, "unknown")


def open_regular(path: str) -> int:
    """A descriptor of a regular file, or OSError. Never follows a link in the last place, never blocks on a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor
