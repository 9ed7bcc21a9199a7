"""A source over a real directory, with a clock that the test turns and a store that is a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.sources.generations import Position
from monitor.sources.reading import Gap
from monitor.sources.tail import Chunk, Tail, TailSettings
from parsers.registry import Framing

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


def lines(buffer: bytes, *, final: bool) -> int:
    return len(buffer) if final else buffer.rfind(b"\n") + 1


def quoted(buffer: bytes, *, final: bool) -> int:
    """Records that end at a newline outside quotes."""
    if final:
        return len(buffer)
    whole, inside = 0, False
    for number, byte in enumerate(buffer):
        if byte == ord('"'):
            inside = not inside
        elif byte == ord("\n") and not inside:
            whole = number + 1
    return whole


@dataclass
class Following:
    directory: Path
    pattern: str = "*.log*"
    framing: Framing = lines
    settings: dict[str, object] = field(default_factory=dict)
    rows: dict[str, Position] = field(default_factory=dict)
    stored: list[tuple[str, int, bytes]] = field(default_factory=list)  # generation, position, bytes
    gaps: list[Gap] = field(default_factory=list)
    seconds: float = 0.0
    budget: int = 8_000_000

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is known but what was stored."""
        if hasattr(self, "tail"):
            self.tail.close()
        settings = TailSettings("audit", (str(self.directory / self.pattern),), "toy", "site", "his")
        self.tail = Tail(
            replace(settings, **self.settings),
            self.framing,
            self.rows.values(),
            now=lambda: START + timedelta(seconds=self.seconds),
            clock=lambda: self.seconds,
        )

    def look(self, *, wait: float = 6.0, final: bool = False) -> bytes:
        """Let time pass, poll, commit; the bytes that came."""
        self.seconds += wait
        chunks = self.tail.poll(self.budget, final=final)
        self.commit(chunks)
        return b"".join(chunk.data for chunk in chunks)

    def commit(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            if chunk.data:
                self.stored.append((chunk.origin.generation, chunk.origin.position, chunk.data))
            self.gaps += chunk.gaps
            self.rows[chunk.position.generation] = chunk.position
        self.tail.committed()

    def idle(self, seconds: float, step: float = 30.0) -> None:
        """Polls while nothing is written, as the daemon would."""
        for _ in range(int(seconds / step) + 1):
            self.look(wait=step)

    @property
    def records(self) -> list[bytes]:
        return b"".join(data for _, _, data in self.stored).splitlines()

    @property
    def reasons(self) -> list[str]:
        return [gap.reason for gap in self.gaps]


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"record %06d\n" % number for number in range(first, last))


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
