"""A receiver over real sockets and a real spool; `stop` takes what was sent, so nothing has to be waited for."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from config.settings import Listener
from monitor.sources.listener import Plan, Receiver, Report
from monitor.sources.routing import Wanted
from monitor.sources.spool import Spool

LINE = re.compile(rb"@[0-9T:.-]{26}Z ([^ ]+) (.*)", re.DOTALL)


@dataclass
class Receiving:
    receiver: Receiver
    spools: dict[str, Spool]
    reports: SimpleQueue[Report]
    sockets: list[socket.socket] = field(default_factory=list)
    told: Report = field(default_factory=Report)

    def udp(self, *messages: bytes, listener: str = "main") -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for message in messages:
                sock.sendto(message, ("127.0.0.1", self.receiver.ports[listener]))

    def connect(self, listener: str = "main") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.receiver.ports[listener]), timeout=20)
        self.sockets.append(sock)
        return sock

    def tcp(self, data: bytes, listener: str = "main") -> None:
        with self.connect(listener) as sock:
            sock.sendall(data)

    def until(self, true: Callable[[Report], bool]) -> Report:
        """Add up reports until it is so. A report comes once a second."""
        while not true(self.told):
            self._add(self.reports.get(timeout=30))
        return self.told

    def end(self) -> Report:
        """Stop, and everything that was told."""
        self.receiver.stop()
        for spool in self.spools.values():
            spool.close()
        while not self.reports.empty():
            self._add(self.reports.get())
        return self.told

    def _add(self, report: Report) -> None:
        for name in ("received", "dropped", "truncated", "ended"):
            getattr(self.told, name).update(getattr(report, name))
        self.told.waiting, self.told.connections = report.waiting, report.connections
        self.told.failed = report.failed
        self.told.faults += report.faults

    def lines(self, source: str = "files") -> list[bytes]:
        files = sorted(self.spools[source].folder.glob("*.log"))
        data = b"".join(file.read_bytes() for file in files)
        assert not data or data.endswith(b"\n")
        return data.split(b"\n")[:-1]

    def messages(self, source: str = "files") -> list[bytes]:
        found = [LINE.fullmatch(line) for line in self.lines(source)]
        assert all(one is not None and one[1] == b"127.0.0.1" for one in found)
        return [one[2] for one in found if one]


@contextmanager
def receiving(
    folder: Path,
    *wanted: Wanted,
    protocol: str = "udp",
    limit: int = 1 << 30,
    listeners: dict[str, Listener] | None = None,
    **settings: object,
) -> Iterator[Receiving]:
    listeners = listeners or {"main": listener(protocol, **settings)}
    wanted = wanted or (Wanted("files"),)
    spools = {one.source: Spool(folder / one.source, limit) for one in wanted}
    reports: SimpleQueue[Report] = SimpleQueue()
    receiver = Receiver(reports.put)
    receiver.open(Plan(listeners, dict.fromkeys(listeners, wanted), spools))
    receiver.start()
    made = Receiving(receiver, spools, reports)
    try:
        yield made
    finally:
        if not receiver.stopped:
            made.end()
        for sock in made.sockets:
            sock.close()


def listener(protocol: str = "udp", **settings: object) -> Listener:
    """On a free port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    return Listener.model_validate({"protocol": protocol, "listen": f"127.0.0.1:{port}", **settings})


def total(counts: Counter[tuple[str, str]], reason: str) -> int:
    return sum(count for (_, why), count in counts.items() if why == reason)
