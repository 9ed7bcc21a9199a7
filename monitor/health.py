"""How the daemon is, as a few codes that any thread may set and the web endpoint shows. Knows no database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

REASONS: dict[str, str] = {
    "starting": "the daemon has not finished its start",
    "stalled": "the main loop has not come round for too long",
    "stopping": "the daemon is shutting down",
    "store_failed": "the store cannot be written; reading pauses",
    "disk_full": "no space left for the store; reading pauses until there is",
    "disk_low": "little space left; optional writes are off",
    "source_failed": "a source cannot be read",
    "source_silent": "a source has brought nothing for longer than usual",
    "detector_failed": "a detector failed and is out of service",
    "workers_failed": "statements are not analysed beyond the lexical pass",
    "alerts_late": "messages have waited for longer than five minutes",
    "clock_jumped": "the clock of this machine was moved",
    "config_refused": "the last reload was refused; the old configuration runs on",
}


@dataclass(frozen=True, slots=True)
class HealthState:
    """`status` is ok, degraded or red; `reasons` are keys of REASONS, sorted."""

    status: str
    reasons: tuple[str, ...]


class Health:
    """Thread-safe. `beat()` is called by the main loop; without it for `stall_seconds` the daemon counts as stalled."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, stall_seconds: float = 60.0) -> None:
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._lock = threading.Lock()
        self._codes: dict[str, bool] = {}
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

    def state(self) -> HealthState:
        with self._lock:
            codes = dict(self._codes)
        if self._clock() - self._beat > self._stall_seconds:
            codes["stalled"] = True
        status = "red" if any(codes.values()) else "degraded" if codes else "ok"
        return HealthState(status, tuple(sorted(codes)))
