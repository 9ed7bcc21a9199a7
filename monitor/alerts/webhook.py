"""JSON to a URL, signed.

Headers: ``Idempotency-Key: <finding id>:<revision>``, ``X-Hiswatch-Timestamp: <seconds>``,
``X-Hiswatch-Signature: sha256=<hex HMAC-SHA-256 of timestamp + "." + body>`` (only with a secret).
"""

from __future__ import annotations

import hmac
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from monitor.alerts.channel import Payload, read_secret
from monitor.alerts.http import Receiver


def encode(payload: Payload) -> bytes:
    """The exact bytes that are sent and signed."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, "sha256").hexdigest()


class WebhookChannel:
    def __init__(
        self,
        name: str,
        url: str,
        *,
        secret_file: Path | None = None,
        timeout_seconds: float = 10.0,
        allow_private: bool = False,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._secret_file = secret_file
        self._clock = clock
        self._receiver = Receiver(name, url, timeout_seconds=timeout_seconds, allow_private=allow_private, tls=tls)

    def send(self, payload: Payload) -> None:
        body = encode(payload)
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": str(payload["message_id"]),
            "X-Hiswatch-Timestamp": timestamp,
        }
        if self._secret_file is not None:
            headers["X-Hiswatch-Signature"] = signature(read_secret(self.name, self._secret_file), timestamp, body)
        self._receiver.post(body, headers)

    def close(self) -> None:
        self._receiver.close()
