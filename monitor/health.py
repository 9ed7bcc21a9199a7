"""How the daemon is, as a few codes that any thread may set and the web endpoint shows. Knows no database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

REASONS: dict[str, str] = {
    "starting": "the daemon has not finished its start",
    "stalled": "the main loop has not come round for too long",
    "stopping": "the daemon is shutting down",
    "store_failed": "the store cannot be written; reading pauses",
    "disk_full": "no space left for the store; reading pauses until there is",
    "disk_low": "little space left; optional writes are off",
    "source_failed": "a source cannot be read",
    "source_silent": "a source has brought nothing for longer than usual",
    "source_refused": "a source brings nothing but records that its format cannot read: format or options are wrong",
    "listener_failed": "a port that receives syslog could not be opened, or its thread met a fault; it is tried again",
    "spool_full": "received messages wait for the reader up to their limit, or cannot be written; senders have to wait",
    "messages_dropped": "received messages were lost within the last five minutes; see hiswatch_listener_dropped_total",
    "detector_failed": "a detector failed and is out of service",
    "alerts_late": "messages have waited for longer than five minutes",
    "config_refused": "the last reload was refused; the old configuration runs on",
    "register_faulty": "entries of the register have mistakes and are left out; see the log, or `hiswatch register check`",
    "inventory_failed": "accounts of a server could not be read at the last try; see the log, or `hiswatch inventory read`",
    "rules_faulty": "rules of the site have mistakes and are left out; see the log, or `hiswatch check-config`",
}


@dataclass(frozen=True, slots=True)
class HealthState:
    """`status` is ok, degraded or red; `reasons` are keys of REASONS, sorted.

    `learning`: days for which sources go on learning, by what (see `Health.learning`). That is no trouble: the status stays.
    """

    status: str
    reasons: tuple[str, ...]
    learning: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Health:
    """Thread-safe. `beat()` is called by the main loop; without it for `stall_seconds` the daemon counts as stalled."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, stall_seconds: float = 60.0) -> None:
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._lock = threading.Lock()
        self._codes: dict[str, bool] = {}
        self._learning: dict[str, Mapping[str, int]] = {}
        self._beat = clock()

    def beat(self) -> None:
        self._beat = self._clock()

    def set(self, reason: str, *, red: bool = False) -> None:
        """Raise a reason. KeyError for a code that is not in REASONS."""
        REASONS[reason]
        with self._lock:
            self._codes[reason] = red

    def put(self, reason: str, *, present: bool) -> None:
        """Raise or clear a reason that does not stop the work."""
        if present:
            self.set(reason)
        else:
            self.clear(reason)

    def clear(self, reason: str) -> None:
        with self._lock:
            self._codes.pop(reason, None)

    def learning(self, what: str, days: Mapping[str, int]) -> None:
        """Days left of the sources that still learn.

        `what`: behaviour, whose findings are recorded and not notified meanwhile; silence, which is not told meanwhile.
        """
        left = {source: number for source, number in days.items() if number > 0}
        with self._lock:
            self._learning.pop(what, None)
            if left:
                self._learning[what] = left

    def state(self) -> HealthState:
        with self._lock:
            codes, learning = dict(self._codes), dict(self._learning)
        if self._clock() - self._beat > self._stall_seconds:
            codes["stalled"] = True
        status = "red" if any(codes.values()) else "degraded" if codes else "ok"
        return HealthState(status, tuple(sorted(codes)), learning)
