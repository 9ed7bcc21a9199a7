"""Old logs read once: the chunks of given files, for `scan`, `events` and the benchmarks. The daemon tails instead."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from config.settings import Settings
from monitor.errors import StartError
from monitor.sources.reading import Gap
from parsers.events import Origin
from parsers.registry import Parser

BLOCK_BYTES = 4 * 1024 * 1024
HEAD_BYTES = 1024
_COMPRESSED = {
    b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd", b"BZh": "bzip2", b"PK\x03\x04": "zip",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """What is known of the files of one source before they are opened."""

    site: str
    system: str
    source: str
    format: str


@dataclass(frozen=True, slots=True)
class ReplayChunk:
    data: bytes
    origin: Origin
    gaps: tuple[Gap, ...] = ()


def shown(path: Path) -> str:
    """A path as it may be shown and stored: control and undecodable characters escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def chunks(path: Path, named: Named, parser: Parser, received_at: datetime) -> Iterator[ReplayChunk]:
    """Whole records of a file, some megabytes at a time. Raises StartError when the file cannot be read."""
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        head = os.pread(descriptor, HEAD_BYTES, 0)
        refuse_compressed(path, head)
        generation = blake2b(head + b"\0" + os.fsencode(path.resolve()), digest_size=8).hexdigest()
        reference = datetime.fromtimestamp(status.st_mtime, UTC)

        def chunk(data: bytes, position: int) -> ReplayChunk:
            origin = Origin(
                named.site, named.system, named.source, shown(path), named.format, generation, position, received_at,
                reference, replay=True,
            )  # fmt: skip
            return ReplayChunk(data, origin)

        buffer, position = b"", 0
        while True:
            try:
                block = file.read(BLOCK_BYTES)
            except OSError as error:
                raise StartError(f"{shown(path)}: {error.strerror}") from error
            buffer += block
            whole = parser.framing(buffer, final=not block)
            if whole:
                yield chunk(buffer[:whole], position)
                buffer, position = buffer[whole:], position + whole
            if not block:
                return


def refuse_unreadable(path: Path) -> None:
    """Raises StartError where a file cannot be opened or is an archive."""
    with os.fdopen(open_regular(path), "rb", buffering=0) as file:
        refuse_compressed(path, file.read(HEAD_BYTES))


def refuse_compressed(path: Path, head: bytes) -> None:
    """Raises StartError where a file begins as an archive does: nothing in it is a record."""
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise StartError(f"{shown(path)}: compressed ({name}); unpack it first")


def open_regular(path: Path) -> int:
    """A descriptor of a regular file; neither a pipe nor a device holds us up. Raises StartError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StartError(f"{shown(path)}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StartError(f"{shown(path)}: not a regular file")
    return descriptor


def source_of(path: Path, settings: Settings) -> str | None:
    """The first source whose glob matches the file."""
    full = str(path.resolve())
    for name, source in settings.sources.items():
        if source.path is None:
            continue
        if _matches(full, source.path) or _matches(full, str(Path(source.path).resolve())):
            return name
    return None


def _matches(path: str, glob: str) -> bool:
    """Like a shell: `*` stays inside a folder, `**` crosses them."""
    parts, pattern = Path(path).parts, Path(glob).parts
    return _parts_match(parts, pattern)


def _parts_match(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_parts_match(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _parts_match(parts[1:], pattern[1:])


def plan(settings: Settings, files: Iterable[Path], source: str | None = None) -> list[tuple[Path, str]]:
    """Which source each file belongs to; without files, every file that the sources' globs name, oldest name first.

    Raises StartError naming every file that belongs to no source or cannot be read, before any is.
    """
    if source is not None and source not in settings.sources:
        raise StartError(f"no source is called {source}; known: {', '.join(settings.sources)}")
    given = list(files)
    if not given:
        return _configured(settings, source)
    planned, faults = [], []
    for path in given:
        name = source or source_of(path, settings)
        if name is None:
            faults.append(f"{shown(path)}: belongs to no source of the configuration; name one with --source")
        else:
            planned.append((path, name))
            faults += _unreadable(path)
    if faults:
        raise StartError("\n".join(faults))
    return planned


def _unreadable(path: Path) -> list[str]:
    try:
        os.close(open_regular(path))
    except StartError as error:
        return [str(error)]
    return []


def _configured(settings: Settings, source: str | None) -> list[tuple[Path, str]]:
    found: dict[Path, str] = {}
    for name, one in settings.sources.items():
        if one.path is not None and source in (None, name):
            anchor = Path(one.path).anchor
            for path in sorted(Path(anchor).glob(str(Path(one.path).relative_to(anchor)))):
                if path.is_file():
                    found.setdefault(path, name)
    return list(found.items())
