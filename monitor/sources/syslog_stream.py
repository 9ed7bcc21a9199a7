"""The two framings of syslog over TCP (RFC 6587), told apart message by message.

Octet counting (also RFC 5425, TLS): ``47 <86>1 2026-…``, a number, a blank and so many bytes. Non-transparent: up to the
next LF. A message begins with ``<``; only where a number, a blank and a ``<`` stand is the number a length, so a line of
the other kind that begins with a date is not taken for one.
"""

from __future__ import annotations

import re

from monitor.sources.spool import MESSAGE_CAP, cut

_COUNT = re.compile(rb"([1-9][0-9]{0,8}+) <")
_MAY_BE_COUNT = re.compile(rb"[1-9][0-9]{0,8}+ ?\Z")
_BETWEEN = re.compile(rb"[\r\n\0 ]*+")  # some senders put a line break behind a counted message

Message = tuple[bytes, bool]  # the bytes, and whether they are all of it


class Stream:
    """Bytes of one connection, in pieces as they come, to messages. Never holds more than one message's cap and one piece."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked = 0  # bytes of the beginning line that hold no LF
        self._pass = 0  # bytes of a counted message beyond the cap still to come
        self._pass_line = False  # the rest of a line beyond the cap is still to come

    @property
    def unfinished(self) -> bool:
        return bool(self._buffer or self._pass or self._pass_line)

    def feed(self, data: bytes) -> list[Message]:
        """What is whole now. A message beyond the cap is handed out cut as soon as the cap is reached."""
        buffer = self._buffer
        buffer += data
        found: list[Message] = []
        at = 0
        while at < len(buffer):
            then = self._passed(at)
            if then is None:
                then = self._message(at, found)
            if then is None:
                break
            at = then
        del buffer[:at]
        return found

    def end(self) -> list[Message]:
        """The connection is over: what is left of a message that never ended."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        counted = _COUNT.match(rest)
        rest = rest[counted.end() - 1 :] if counted else rest
        rest = rest.rstrip(b"\r\n\0 ")
        return [(rest[:MESSAGE_CAP], False)] if rest and not _MAY_BE_COUNT.match(rest) else []

    def _passed(self, at: int) -> int | None:
        """Where it goes on behind the rest of a message that was cut; None: there is none."""
        buffer = self._buffer
        if self._pass:
            step = min(self._pass, len(buffer) - at)
            self._pass -= step
            return at + step
        if self._pass_line:
            end = buffer.find(b"\n", at)
            self._pass_line = end < 0
            return len(buffer) if end < 0 else end + 1
        return None

    def _message(self, at: int, found: list[Message]) -> int | None:
        """Take the message that begins at `at`; None: it is not whole."""
        buffer = self._buffer
        if not self._looked:
            between = _BETWEEN.match(buffer, at)
            assert between is not None
            if between.end() > at:
                return between.end()
            counted = _COUNT.match(buffer, at)
            if counted:
                return self._counted(counted.end() - 1, int(counted[1]), found)
            if _MAY_BE_COUNT.match(buffer, at):
                return None
        end = buffer.find(b"\n", at + self._looked)
        if end < 0 and len(buffer) - at <= MESSAGE_CAP:
            self._looked = len(buffer) - at
            return None
        self._looked = 0
        if end < 0 or end - at > MESSAGE_CAP:
            found.append((cut(bytes(buffer[at : at + MESSAGE_CAP])), False))
            self._pass_line = end < 0
            return len(buffer) if end < 0 else end + 1
        found.append((bytes(buffer[at:end]), True))
        return end + 1

    def _counted(self, start: int, length: int, found: list[Message]) -> int | None:
        there = len(self._buffer) - start
        take = min(length, MESSAGE_CAP)
        if there < take:
            return None
        message, whole = bytes(self._buffer[start : start + take]), length <= MESSAGE_CAP
        found.append((message.rstrip(b"\r\n\0") if whole else cut(message), whole))
        self._pass = length - take
        return start + take
