"""What a channel is, and how a delivery may fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from config.errors import MonitorError

Payload = Mapping[str, Any]  # the JSON of one message: see message.compose

REASONS: dict[str, str] = {
    "dns": "the name of the receiver has no address",
    "forbidden_address": "the receiver's address is private or loopback and not allowed, or http is not allowed",
    "connect": "no connection",
    "tls": "no trusted TLS connection",
    "timeout": "no answer in time",
    "redirect": "the receiver answered with a redirect, which is not followed",
    "rate_limited": "the receiver asks for fewer messages (429)",
    "refused": "the receiver refused the message (4xx, or 5xx of SMTP)",
    "receiver_error": "the receiver failed (5xx, or 4xx of SMTP)",
    "answer_too_large": "the answer is longer than 64 KB",
    "auth": "user name or password were not accepted",
    "secret": "the file with the secret cannot be read, is empty or is open to others",
    "protocol": "the receiver does not speak the protocol",
    "internal": "a fault of this program",
}


class DeliveryError(MonitorError):
    """One attempt failed; the message stays in the outbox. `reason` is a key of REASONS. Never holds content."""

    def __init__(self, channel: str, reason: str) -> None:
        self.channel = channel
        self.reason = reason if reason in REASONS else "internal"
        super().__init__(f"{channel}: {REASONS[self.reason]}")


class Channel(Protocol):
    """One configured way to tell somebody. `send` blocks for a bounded time; called from one thread."""

    @property
    def name(self) -> str: ...

    def send(self, payload: Payload) -> None:
        """Deliver or raise DeliveryError. Sending the same payload twice is harmless to a receiver that knows its id."""
        ...

    def close(self) -> None: ...


MAX_SECRET_BYTES = 4096


def read_secret(channel: str, path: Path) -> bytes:
    """The secret in a file, without the line break at its end. Read at every use, so that rotation needs no restart."""
    try:
        if path.stat().st_mode & 0o077:
            raise DeliveryError(channel, "secret")
        with path.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES + 1).rstrip(b"\r\n")
    except OSError as error:
        raise DeliveryError(channel, "secret") from error
    if not secret or len(secret) > MAX_SECRET_BYTES:
        raise DeliveryError(channel, "secret")
    return secret
