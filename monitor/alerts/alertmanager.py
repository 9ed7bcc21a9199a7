"""Prometheus Alertmanager, API v2: POST /api/v2/alerts (https://prometheus.io/docs/alerting/latest/clients/).

Labels make the identity of an alert and are a closed set; who did it stands in annotations. An alert resolves when its
`endsAt` has passed, so the active ones are posted again by `resend()` (a periodic job) until their story has been quiet
for `active_seconds`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.alerts.channel import Payload
from monitor.alerts.http import Receiver

PATH = "/api/v2/alerts"
LABELS = ("severity", "site", "system", "family")
ANNOTATIONS = (
    "title",
    "account",
    "person",
    "vendor",
    "client_ip",
    "source",
    "why",
    "rows",
    "rows_kind",
    "bytes",
    "events",
)
MAX_ACTIVE = 1000
ACTIVE_SECONDS = 4 * 3600.0
RESEND_SECONDS = 60.0
_STAYS = timedelta(seconds=5 * RESEND_SECONDS)  # four resends may fail before an active alert resolves


def alert(payload: Payload, now: datetime, ends_at: datetime) -> dict[str, Any]:
    """One alert of the API. `startsAt` is when it was seen first, or now where that lies ahead of our clock."""
    labels = {"alertname": payload["rule"], "story": payload["story"]["id"]}
    labels |= {name: str(payload[name]) for name in LABELS if payload.get(name)}
    annotations = {name: str(payload[name]) for name in ANNOTATIONS if payload.get(name) is not None}
    annotations |= {
        "summary": payload["title"],
        "description": payload["text"],
        "finding": payload["id"],
        "revision": str(payload["revision"]),
        "classes": ", ".join(payload["classes"]),
    }
    first_seen = payload.get("first_seen")
    starts_at = min(now, datetime.fromisoformat(first_seen)) if first_seen else now
    return {"labels": labels, "annotations": annotations, "startsAt": _time(starts_at), "endsAt": _time(ends_at)}


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds")


class AlertmanagerChannel:
    """`send` from the channel's thread, `resend` from a job: thread-safe. `clock` in seconds since the epoch."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout_seconds: float = 10.0,
        allow_private: bool = True,
        active_seconds: float = ACTIVE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._active_seconds = active_seconds
        self._clock = clock
        self._receiver = Receiver(name, url, timeout_seconds=timeout_seconds, allow_private=allow_private)
        self._lock = threading.Lock()
        self._active: dict[tuple[tuple[str, str], ...], tuple[Payload, float]] = {}

    def send(self, payload: Payload) -> None:
        self._post([payload])
        if payload.get("kind") not in {"test", "heartbeat"}:
            self._keep(payload, self._clock())

    def restore(self, payloads: Iterable[tuple[Payload, datetime]]) -> None:
        """After a start: the messages sent to this channel lately and when, oldest first, out of the outbox."""
        for payload, sent_at in payloads:
            self._keep(payload, sent_at.timestamp())

    def resend(self) -> int:
        """Post all active alerts again; how many. Raises DeliveryError: the next run tries again."""
        now = self._clock()
        with self._lock:
            # a clock set back must not keep alerts for ever
            self._active = {
                key: item for key, item in self._active.items() if abs(now - item[1]) <= self._active_seconds
            }
            payloads = [payload for payload, _ in self._active.values()]
        if payloads:
            self._post(payloads)
        return len(payloads)

    def close(self) -> None:
        self._receiver.close()

    def _keep(self, payload: Payload, at: float) -> None:
        key = tuple(sorted(alert(payload, datetime.now(UTC), datetime.now(UTC))["labels"].items()))
        with self._lock:
            self._active.pop(key, None)
            self._active[key] = (payload, at)
            while len(self._active) > MAX_ACTIVE:
                del self._active[next(iter(self._active))]

    def _post(self, payloads: Iterable[Payload]) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        body = json.dumps([alert(payload, now, now + _STAYS) for payload in payloads], ensure_ascii=True).encode()
        self._receiver.post(body, {"Content-Type": "application/json"}, path=PATH)
