"""The thread that receives syslog and writes it to spools: datagrams, connections, their limits.

Nothing is decided about a message but whose it is: parsing comes behind the spool. No message is held back longer than a
round; the spools are flushed at the end of each and synced every 100 ms. A connection whose next message has no room is
not read from until it has, so its sender waits; a datagram without room is dropped and counted.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from config.listening import tls_context
from config.settings import Listener
from monitor.sources.connections import CannotListen, Connection, Endpoint, open_endpoint, sender_of
from monitor.sources.routing import Router, Wanted
from monitor.sources.spool import Spool, stamp_now

SYNC_SECONDS = 0.1
RETRY_SECONDS = 0.2  # how often a full spool is tried again
TICK_SECONDS = 1.0
REOPEN_SECONDS = 5.0
DRAIN_SECONDS = 2.0
DATAGRAMS = 2000  # of one socket before another gets its turn


@dataclass(frozen=True, slots=True)
class Plan:
    """What to receive, whose it is, and where it goes."""

    listeners: Mapping[str, Listener]
    routes: Mapping[str, tuple[Wanted, ...]]  # by listener
    spools: Mapping[str, Spool]  # by source


@dataclass(slots=True)
class Report:
    """What happened since the last one, and how it stands."""

    received: Counter[tuple[str, str]] = field(default_factory=Counter)  # listener, source
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # listener, reason
    truncated: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)  # listener, reason
    connections: dict[str, int] = field(default_factory=dict)
    waiting: int = 0  # connections that are not read from because a spool is full
    failed: dict[str, str] = field(default_factory=dict)  # listener -> reason
    faults: int = 0


class Receiver:
    """`apply` before `start` opens the ports in the caller's thread and raises; later it is done by the thread itself."""

    def __init__(self, report: Callable[[Report], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._report_to = report
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._awake)
        self._orders: SimpleQueue[tuple[Plan, threading.Event]] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="syslog listener", daemon=True)
        self._plan = Plan({}, {}, {})
        self._routers: dict[str, Router] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._connections: set[Connection] = set()
        self._again: set[Connection] = set()  # may have more to read though the kernel does not say so
        self._full: set[Connection] = set()  # their next message has no room
        self._report = Report()
        self._due = dict.fromkeys(("sync", "retry", "tick", "reopen"), 0.0)

    # -- from outside ----------------------------------------------------------------------------------------------

    @property
    def ports(self) -> dict[str, int]:
        """The port that each open listener has."""
        return {name: int(one.sock.getsockname()[1]) for name, one in self._endpoints.items()}

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def open(self, plan: Plan) -> None:
        """Take the first plan. Raises CannotListen; then nothing stays open."""
        self._plan = plan
        self._routers = {name: Router(wanted) for name, wanted in plan.routes.items()}
        try:
            for name, settings in plan.listeners.items():
                self._add(open_endpoint(name, settings))
        except CannotListen:
            self.stop()
            raise

    def start(self) -> None:
        self._thread.start()

    def apply(self, plan: Plan) -> None:
        """Go on with another plan. Listeners whose settings stay keep their sockets and connections."""
        done = threading.Event()
        self._orders.put((plan, done))
        self._poke()
        done.wait(10 * DRAIN_SECONDS)

    def stop(self) -> None:
        """Take what has already come, write it, close everything (the spools are the caller's)."""
        self._stopping.set()
        if self._thread.is_alive():
            self._poke()
            self._thread.join()
        else:
            self._shut()

    def _poke(self) -> None:
        with suppress(OSError):
            self._wake.send(b"\0")

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except Exception:  # noqa: BLE001 - a fault of ours over one message must not end the receiving of others
                self._report.faults += 1
                time.sleep(RETRY_SECONDS)
        self._shut()

    def _round(self) -> None:
        for key, _ in self._selector.select(0.0 if self._again else SYNC_SECONDS if not self._idle() else TICK_SECONDS):
            self._handle(key.data)
        again, self._again = self._again, set()
        for connection in again:
            self._handle(connection)
        now = self._clock()
        if self._full and self._is_due("retry", now, RETRY_SECONDS):
            for connection in list(self._full):
                self._handle(connection)
        self._written()
        if self._is_due("tick", now, TICK_SECONDS):
            self._tick(now)
        if self._is_due("reopen", now, REOPEN_SECONDS):
            self._reopen()
        self._take_orders()

    def _idle(self) -> bool:
        return not self._full and not any(spool.dirty for spool in self._plan.spools.values())

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self._due[what]:
            return False
        self._due[what] = now + every
        return True

    def _written(self) -> None:
        sync = self._is_due("sync", self._clock(), SYNC_SECONDS)
        for spool in self._plan.spools.values():
            if sync:
                spool.sync()
            else:
                spool.flush()

    def _handle(self, data: Any) -> None:
        if isinstance(data, Connection):
            try:
                self._serve(data)
            except Exception:  # noqa: BLE001 - as in _run; this one is over
                self._report.faults += 1
                data.pending.clear()
                data.end("fault")
                self._close(data)
        elif isinstance(data, Endpoint):
            self._receive(data) if data.settings.protocol == "udp" else self._accept(data)
        else:
            data()

    def _awake(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    # -- datagrams -------------------------------------------------------------------------------------------------

    def _receive(self, endpoint: Endpoint, limit: int = DATAGRAMS) -> bool:
        """Take some datagrams. False: there are no more at present."""
        report, name = self._report, endpoint.name
        for _ in range(limit):
            try:
                data, address = endpoint.sock.recvfrom(65_535)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:  # an ICMP answer to nothing of ours
                continue
            sender = sender_of(address)
            if not endpoint.admits(sender):
                report.dropped[name, "forbidden"] += 1
            elif (message := data.rstrip(b"\n\0")) and not self._deliver(name, sender, message, whole=True):
                report.dropped[name, "spool_full"] += 1
        return True

    def _deliver(self, listener: str, sender: str, message: bytes, *, whole: bool, force: bool = False) -> bool:
        """Into the spool of the source it belongs to. False: no room."""
        source = self._routers[listener].source(sender, message)
        if source is None:
            self._report.dropped[listener, "unrouted"] += 1
            return True
        spool = self._plan.spools[source]
        if not force and not spool.has_room(message):
            return False
        if not spool.add(stamp_now(), sender.encode(), message) or not whole:
            self._report.truncated[listener] += 1
        self._report.received[listener, source] += 1
        return True

    # -- connections -----------------------------------------------------------------------------------------------

    def _accept(self, endpoint: Endpoint) -> None:
        for _ in range(100):
            try:
                sock, address = endpoint.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # no descriptors left, or the peer is gone already
                time.sleep(0.01)
                return
            sender = sender_of(address)
            refused = (
                "forbidden" if not endpoint.admits(sender)
                else "too_many" if endpoint.connections >= endpoint.settings.max_connections
                else ""
            )  # fmt: skip
            if refused:
                self._report.ended[endpoint.name, refused] += 1
                sock.close()
                continue
            try:
                connection = Connection(endpoint, sock, sender, self._clock())
                self._selector.register(connection.sock, selectors.EVENT_READ, connection)
            except (OSError, ValueError):
                self._report.ended[endpoint.name, "reset"] += 1
                sock.close()
                continue
            endpoint.connections += 1
            self._connections.add(connection)

    def _serve(self, connection: Connection, *, force: bool = False) -> bool:
        """Deliver what waits, then read on. True: there may be more at once."""
        if not self._hand_over(connection, force=force):
            self._halt(connection)
            return False
        more = False
        if not connection.ended:
            more = connection.read(self._clock())
            if not self._hand_over(connection, force=force):
                self._halt(connection)
                return False
        if connection.ended:
            self._close(connection)
            return False
        self._watch(connection)
        if more:
            self._again.add(connection)
        return more

    def _hand_over(self, connection: Connection, *, force: bool) -> bool:
        pending, name = connection.pending, connection.endpoint.name
        while pending:
            message, whole = pending[0]
            if message and not self._deliver(name, connection.sender, message, whole=whole, force=force):
                return False
            pending.popleft()
        return True

    def _halt(self, connection: Connection) -> None:
        """Do not read from it until there is room: its sender waits."""
        if connection not in self._full:
            self._full.add(connection)
            with suppress(KeyError, ValueError):
                self._selector.unregister(connection.sock)

    def _watch(self, connection: Connection) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_write else 0)
        if connection in self._full:
            self._full.discard(connection)
            connection.resumed(self._clock())
            self._selector.register(connection.sock, events, connection)
            self._again.add(connection)  # TLS may hold bytes that the kernel does not know of
        elif self._selector.get_key(connection.sock).events != events:
            self._selector.modify(connection.sock, events, connection)

    def _close(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._full.discard(connection)
        self._again.discard(connection)
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        connection.close()
        connection.endpoint.connections -= 1
        self._report.ended[connection.endpoint.name, connection.ended] += 1

    # -- now and then ----------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        for connection in self._connections - self._full:
            if reason := connection.overdue(now):
                connection.end(reason)
                self._handle(connection)
        for endpoint in self._endpoints.values():
            self._count_drops(endpoint)
        self._tell()

    def _count_drops(self, endpoint: Endpoint) -> None:
        if lost := endpoint.new_drops():
            self._report.dropped[endpoint.name, "kernel"] += lost

    def _tell(self) -> None:
        report, self._report = self._report, Report()
        report.connections = {name: one.connections for name, one in self._endpoints.items()}
        report.waiting = len(self._full)
        if not self._stopping.is_set():
            report.failed = {name: "port" for name in self._plan.listeners if name not in self._endpoints}
        self._report_to(report)

    def _take_orders(self) -> None:
        with suppress(Empty):
            while True:
                plan, done = self._orders.get_nowait()
                try:
                    self._change(plan)
                finally:
                    done.set()

    def _change(self, plan: Plan) -> None:
        kept = {name for name, one in self._endpoints.items() if plan.listeners.get(name) == one.settings}
        gone = [one for name, one in self._endpoints.items() if name not in kept]
        self._drain(gone)  # what these have received still goes by the old plan
        self._plan = plan
        self._routers = {name: Router(wanted) for name, wanted in plan.routes.items()}
        self._reopen()
        for name in kept:
            endpoint = self._endpoints[name]
            if endpoint.context is not None:  # a renewed certificate in the same files
                with suppress(OSError, ValueError):
                    endpoint.context = tls_context(endpoint.settings)

    def _reopen(self) -> None:
        for name, settings in self._plan.listeners.items():
            if name not in self._endpoints:
                with suppress(CannotListen):
                    self._add(open_endpoint(name, settings))

    def _add(self, endpoint: Endpoint) -> None:
        self._endpoints[endpoint.name] = endpoint
        self._selector.register(endpoint.sock, selectors.EVENT_READ, endpoint)

    def _drain(self, endpoints: Iterable[Endpoint]) -> None:
        """Take what these sockets have received, then close them. What has no room is written all the same."""
        gone = list(endpoints)
        until = time.monotonic() + DRAIN_SECONDS
        for endpoint in gone:
            if endpoint.settings.protocol != "udp":
                self._accept(endpoint)
            else:
                while self._receive(endpoint) and time.monotonic() < until:
                    pass
                self._count_drops(endpoint)
            with suppress(KeyError, ValueError):
                self._selector.unregister(endpoint.sock)
            endpoint.sock.close()
        for connection in [one for one in self._connections if any(one.endpoint is end for end in gone)]:
            with suppress(Exception):  # it is closed in any case
                while self._serve(connection, force=True) and time.monotonic() < until:
                    pass
                connection.end("shutdown")
                self._hand_over(connection, force=True)
            connection.end("shutdown")
            self._close(connection)
        for endpoint in gone:
            self._endpoints.pop(endpoint.name, None)
        for spool in self._plan.spools.values():
            spool.sync()

    def _shut(self) -> None:
        self._drain(list(self._endpoints.values()))
        self._tell()
        self._selector.close()
        self._wake.close()
        self._woken.close()
