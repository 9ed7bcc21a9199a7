"""Takes due rows of the outbox and delivers them: at least once, in order of their time, each channel in a thread of its own.

A commit wakes the threads (`wake`), so the first message leaves within milliseconds of it; otherwise they look every
second. While a receiver is down one message asks for it, at growing intervals of at most a minute. A failed row is tried again after 2, 4, 8 ... seconds, at most ten minutes, each with jitter, and is given up
only after seven days. Between sending and marking lies a crash's chance of one repeat with the same id.

Alarms about the store itself must not depend on it: `direct` sends a message past the outbox, from memory.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from monitor.alerts.channel import REASONS, Channel, DeliveryError, Payload
from monitor.alerts.message import RANK
from monitor.telemetry import AlertExpired, AlertFailed, AlertSent, AlertSuperseded, OutboxMeasured, Telemetry

GIVE_UP = timedelta(days=7)
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 60.0  # of a whole channel: a receiver that came back is found within a minute
LOOK_SECONDS = 1.0
AT_ONCE = 50  # rows taken from the outbox in one look
MAX_DIRECT = 100  # alarms that wait in memory, per channel
OUTAGES = frozenset(REASONS) - {"refused", "internal", "answer_too_large"}  # the receiver, not the message


@dataclass(frozen=True, slots=True)
class Key:
    """Of a row: (finding id, revision, channel)."""

    finding_id: str
    revision: int
    channel: str


@dataclass(frozen=True, slots=True)
class Due:
    """A row that is to be sent now. `attempts` so far; `created_at` with zone."""

    key: Key
    story: str
    created_at: datetime
    attempts: int
    payload: str


class Outbox(Protocol):
    """The outbox table. Every method is a short transaction of its own; any may raise while the store is reopened."""

    def due(self, channel: str, now: datetime, limit: int) -> Sequence[Due]:
        """Waiting rows of the channel with next_try_at <= now, oldest first.

        Due as well is a row made more than a minute after `now`: the clock was set back, and it must not wait a year.
        """
        ...

    def mark_sent(self, key: Key, now: datetime) -> None: ...

    def mark_failed(self, key: Key, next_try_at: datetime | None) -> None:
        """One more attempt was in vain; `next_try_at` None: given up (state failed)."""
        ...

    def mark_superseded(self, keys: Sequence[Key]) -> None: ...

    def backlog(self, now: datetime) -> tuple[int, float]:
        """Waiting rows of all channels, and the age in seconds of the oldest that is due (0: none is)."""
        ...


def retry_seconds(attempts: int, jitter: float) -> float:
    """Wait after the `attempts`-th failure (from 1). `jitter` in 0..1 spreads it over half to one and a half times."""
    doubled = FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 20)
    return min(doubled, LONGEST_RETRY_SECONDS) * (0.5 + jitter)


def superfluous(rows: Sequence[Due]) -> list[Key]:
    """Rows that a newer due row of the same story says again: all between its oldest and its newest that are no worse.

    After an outage this makes a page a story instead of a page a message; nothing is lost, since every message names
    the whole story so far. `rows`: oldest first.
    """
    stories: dict[str, list[tuple[Due, int]]] = {}
    for row in rows:
        stories.setdefault(row.story, []).append((row, _severity(row)))
    out: list[Key] = []
    for group in stories.values():
        newest = group[-1][1]
        out += [row.key for row, rank in group[1:-1] if rank <= newest]
    return out


def _severity(row: Due) -> int:
    return RANK[json.loads(row.payload)["severity"]]


class Sender:
    """Threads from `start` to `stop`. `clock` is wall time (UTC), `jitter` gives numbers in 0..1."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Iterable[Channel],
        telemetry: Telemetry,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._outbox = outbox
        self._telemetry = telemetry
        self._clock = clock
        self._steady = steady
        self._jitter = jitter
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._lines = [_Line(channel) for channel in channels]
        self._threads = [
            threading.Thread(target=self._run, args=(line,), name=f"sender-{line.channel.name}", daemon=True)
            for line in self._lines
        ]

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(line.channel for line in self._lines)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something was committed: look now."""
        for line in self._lines:
            line.wake.set()

    def direct(self, payload: Payload, channel: str | None = None) -> None:
        """Send past the outbox, to one channel or all; kept in memory, tried until it succeeds or newer ones push it out."""
        for line in self._lines:
            if channel in {None, line.channel.name}:
                line.direct.append(payload)
                line.wake.set()

    def stop(self, timeout_seconds: float = 15.0) -> bool:
        """Finish the message in hand and end. False: a channel did not come back in time (its row stays due)."""
        self._stopping.set()
        self.wake()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        alive = any(thread.is_alive() for thread in self._threads)
        for line, thread in zip(self._lines, self._threads, strict=True):
            if not thread.is_alive():
                line.channel.close()
        return not alive

    def measure(self) -> tuple[int, float]:
        """Depth of the outbox and age of the oldest due message, into the metrics (a periodic job)."""
        depth, oldest = self._outbox.backlog(self._clock())
        self._telemetry.emit(OutboxMeasured(depth, oldest))
        return depth, oldest

    def turn(self, line: _Line) -> bool:
        """One look at one channel: whether anything was tried. Errors of the store are counted and waited out."""
        if self._steady() < line.paused_until:
            return False
        tried = self._direct(line)
        try:
            rows = list(self._outbox.due(line.channel.name, self._clock(), AT_ONCE))
            dropped = set(superfluous(rows))
            if dropped:
                self._outbox.mark_superseded(sorted(dropped, key=lambda key: (key.finding_id, key.revision)))
                self._telemetry.emit(AlertSuperseded(line.channel.name, len(dropped)))
            for row in rows:
                if self._stopping.is_set():
                    return tried
                if row.key not in dropped:
                    tried = True
                    self._deliver(line, row)
                    if self._steady() < line.paused_until:
                        return tried  # a receiver that is down is asked for one message, not for all of them
        except Exception:  # noqa: BLE001 - the store may be down for a while; the rows are safe in it
            self._telemetry.emit(AlertFailed(line.channel.name, "internal"))
            self._stopping.wait(self._look_seconds)
        return tried

    def _run(self, line: _Line) -> None:
        while not self._stopping.is_set():
            line.wake.clear()
            if not self.turn(line):
                line.wake.wait(self._look_seconds)

    def _direct(self, line: _Line) -> bool:
        tried = False
        while line.direct and not self._stopping.is_set() and self._steady() >= line.paused_until:
            payload = line.direct[0]
            tried = True
            reason = self._try(line, payload)
            # a message that this receiver will never take must not stand in the way of the next
            if (reason is None or reason not in OUTAGES) and line.direct and line.direct[0] is payload:
                line.direct.popleft()
        return tried

    def _deliver(self, line: _Line, row: Due) -> None:
        reason = self._try(line, json.loads(row.payload))
        now = self._clock()
        if reason is None:
            self._outbox.mark_sent(row.key, now)
        elif now - row.created_at >= GIVE_UP:
            self._outbox.mark_failed(row.key, None)
            self._telemetry.emit(AlertExpired(line.channel.name, reason))
        else:
            wait = retry_seconds(row.attempts + 1, self._jitter())
            self._outbox.mark_failed(row.key, now + timedelta(seconds=wait))

    def _try(self, line: _Line, payload: Payload) -> str | None:
        """Send; the reason code of the failure, or None. An outage of the receiver pauses the channel."""
        channel = line.channel
        try:
            channel.send(payload)
        except DeliveryError as error:
            reason = error.reason
        except Exception:  # noqa: BLE001 - a channel's bug must not end its thread: no alert would ever leave again
            reason = "internal"
        else:
            line.failures = 0
            self._telemetry.emit(AlertSent(channel.name, str(payload.get("message_id", ""))))
            return None
        self._telemetry.emit(AlertFailed(channel.name, reason))
        if reason in OUTAGES:
            line.failures += 1
            pause = min(retry_seconds(line.failures, self._jitter()), LONGEST_PAUSE_SECONDS)
            line.paused_until = self._steady() + pause
        return reason


@dataclass(slots=True)
class _Line:
    """A channel and what its thread waits for."""

    channel: Channel
    wake: threading.Event = field(default_factory=threading.Event)
    direct: deque[Payload] = field(default_factory=lambda: deque(maxlen=MAX_DIRECT))
    paused_until: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """Result of `alerts test` for one channel; `reason` is None when the message was taken."""

    channel: str
    reason: str | None


def try_channels(channels: Iterable[Channel], make: Callable[[str], dict[str, Any]]) -> list[Tested]:
    """Send a test message (`make(channel name)`, see heartbeat.trial_message) over each channel; never raises."""
    results = []
    for channel in channels:
        try:
            channel.send(make(channel.name))
        except DeliveryError as error:
            results.append(Tested(channel.name, error.reason))
        except Exception:  # noqa: BLE001 - shown to the operator as a fault of ours
            results.append(Tested(channel.name, "internal"))
        else:
            results.append(Tested(channel.name, None))
    return results
