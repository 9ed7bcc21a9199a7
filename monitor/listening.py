"""The daemon's side of listeners: spools and routes from the settings, what was read is deleted, what happened is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from config.settings import Settings
from monitor.errors import StartError
from monitor.health import Health
from monitor.sources.connections import CannotListen
from monitor.sources.discovery import error_name
from monitor.sources.generations import Position
from monitor.sources.listener import Plan, Receiver, Report
from monitor.sources.routing import Wanted
from monitor.sources.spool import Spool, spool_folder
from monitor.telemetry import (
    ConnectionsEnded,
    ConnectionsOpen,
    ConnectionsWaiting,
    ListenerFailed,
    MessagesDropped,
    MessagesReceived,
    MessagesTruncated,
    SpoolMeasured,
    Telemetry,
)

REMEMBER_SECONDS = 300.0  # so long health says that messages were dropped
_LOST = frozenset({"kernel", "spool_full", "unrouted"})  # what a forbidden sender sent is no loss


class Listening:
    """From `start` to `stop`; over reloads it stays. Owned by the thread that polls."""

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        health: Health,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens spools and ports. Raises StartError."""
        self._telemetry = telemetry
        self._health = health
        self._clock = clock
        self._dropped_at: float | None = None
        self._spools: dict[str, Spool] = {}
        self.receiver = Receiver(self._tell)
        plan = self._plan(settings)
        try:
            self.receiver.open(plan)
        except CannotListen as error:
            raise StartError(str(error)) from error
        self._threaded = bool(plan.listeners)

    def start(self) -> None:
        if self._threaded:
            self.receiver.start()

    def adopt(self, settings: Settings) -> None:
        """Another configuration: ports whose settings stay are not touched; one that cannot be opened is tried again."""
        before = dict(self._spools)
        plan = self._plan(settings)
        if self._threaded:
            self.receiver.apply(plan)
        elif plan.listeners:
            self._threaded = True
            self.receiver.start()
            self.receiver.apply(plan)
        for name, spool in before.items():
            if plan.spools.get(name) is not spool:
                spool.close()
        self._spools = dict(plan.spools)

    def stop(self) -> None:
        self.receiver.stop()
        for spool in self._spools.values():
            spool.close()

    def release(self, positions: Iterable[Position]) -> list[str]:
        """Delete what these rows, which are durable, say was read to its end. The generations that may be forgotten."""
        return [
            row.generation
            for row in positions
            if row.state == "done" and row.source in self._spools and self._spools[row.source].release(row.file)
        ]

    def _plan(self, settings: Settings) -> Plan:
        limit = settings.limits.spool_limit_mb << 20
        behind = {name: source for name, source in settings.sources.items() if source.listener}
        for name in behind:
            folder = spool_folder(settings.state_dir, name)
            if name not in self._spools or self._spools[name].folder != folder:
                try:
                    self._spools[name] = Spool(folder, limit)
                except OSError as error:
                    raise StartError(f"{folder}: {error.strerror or error_name(error)}") from error
            self._spools[name].limit = limit
        routes = {
            listener: tuple(
                Wanted(name, source.hosts, source.programs)
                for name, source in behind.items()
                if listener in source.listener
            )
            for listener in settings.listeners
        }
        return Plan(dict(settings.listeners), routes, {name: self._spools[name] for name in behind})

    def _tell(self, report: Report) -> None:
        """Called by the receiving thread, about once a second."""
        emit, now = self._telemetry.emit, self._clock()
        for (listener, source), count in report.received.items():
            emit(MessagesReceived(listener, source, count))
        for (listener, reason), count in report.dropped.items():
            emit(MessagesDropped(listener, reason, count))
            if reason in _LOST:
                self._dropped_at = now
        for listener, count in report.truncated.items():
            emit(MessagesTruncated(listener, count))
        for (listener, reason), count in report.ended.items():
            emit(ConnectionsEnded(listener, reason, count))
        for listener, count in report.connections.items():
            emit(ConnectionsOpen(listener, count))
        emit(ConnectionsWaiting(report.waiting))
        for listener, reason in report.failed.items():
            emit(ListenerFailed(listener, reason))
        spools = dict(self._spools)
        for name, spool in spools.items():
            emit(SpoolMeasured(name, spool.used))
        full = report.waiting or any(spool.failed or not spool.has_room(b"") for spool in spools.values())
        recently = self._dropped_at is not None and now - self._dropped_at < REMEMBER_SECONDS
        self._health.put("listener_failed", present=bool(report.failed or report.faults))
        self._health.put("spool_full", present=bool(full or any(r == "spool_full" for _, r in report.dropped)))
        self._health.put("messages_dropped", present=recently)
