"""E-mail by SMTP (RFC 5321), STARTTLS (RFC 3207) unless it is switched off.

Header values are stripped of line breaks; the Message-ID is made of the message's own id, so a repeat is recognisable.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path

from monitor.alerts.channel import DeliveryError, Payload, read_secret
from monitor.alerts.texts import SEVERITIES, Language

MAX_SUBJECT = 160
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def header(text: str) -> str:
    """A header value on one line."""
    return _BREAKS.sub(" ", text)[:MAX_SUBJECT].strip()


def mail(payload: Payload, sender: str, recipients: Sequence[str], at: float) -> EmailMessage:
    """The whole mail, dated `at` (seconds since the epoch): plain text in UTF-8; no HTML, so no log text becomes a link by our doing."""
    language: Language = "en" if payload.get("language") == "en" else "zh"
    word = SEVERITIES[language].get(str(payload.get("severity")), "")
    place = payload.get("system") or payload.get("site") or ""
    made = EmailMessage(policy=SMTP)
    made["Subject"] = header(f"[hiswatch]{f'[{word}]' if word else ''} {payload['title']} ({place})")
    made["From"] = sender
    made["To"] = ", ".join(recipients)
    made["Date"] = formatdate(at)
    made["Message-ID"] = (
        f"<{_UNSAFE.sub('.', str(payload['message_id']))}@{_UNSAFE.sub('.', str(payload['site']))}.hiswatch>"
    )
    made["Auto-Submitted"] = "auto-generated"
    made["X-Hiswatch-Severity"] = header(str(payload.get("severity", "")))
    made["X-Hiswatch-Finding"] = header(str(payload["message_id"]))
    if payload["story"]["id"] and payload["kind"] not in {"test", "heartbeat"}:
        # mail programs show the messages of one story as one thread
        made["References"] = (
            f"<{_UNSAFE.sub('.', str(payload['story']['id']))}@{_UNSAFE.sub('.', str(payload['site']))}.hiswatch>"
        )
    made.set_content(str(payload["text"]).encode("utf-8", "backslashreplace").decode(), charset="utf-8", cte="base64")
    return made


class SmtpChannel:
    def __init__(
        self,
        name: str,
        host: str,
        *,
        sender: str,
        recipients: Sequence[str],
        port: int = 25,
        starttls: bool = True,
        username: str | None = None,
        password_file: Path | None = None,
        timeout_seconds: float = 20.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._clock = clock
        self._host, self._port = host, port
        self._sender, self._recipients = sender, tuple(recipients)
        self._starttls = starttls
        self._username, self._password_file = username, password_file
        self._timeout = timeout_seconds
        self._tls = tls or ssl.create_default_context()

    def send(self, payload: Payload) -> None:
        made = mail(payload, self._sender, self._recipients, self._clock())
        try:
            with smtplib.SMTP(self._host, self._port, timeout=self._timeout) as server:
                self._secure(server)
                refused = server.send_message(made, self._sender, self._recipients)
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(self.name, _reason(error)) from error
        # Somebody has it: sending again for days would only repeat it to him. A test shows who does not get it.
        if refused and payload["kind"] == "test":
            raise DeliveryError(self.name, "refused")

    def close(self) -> None:
        """Nothing is kept open between messages."""

    def _secure(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self._starttls:
            server.starttls(context=self._tls)
        if self._username is not None and self._password_file is not None:
            password = read_secret(self.name, self._password_file).decode("utf-8", "replace")
            server.login(self._username, password)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "auth"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "tls"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return "receiver_error" if all(400 <= code < 500 for code in codes) else "refused"
    if isinstance(error, smtplib.SMTPServerDisconnected | smtplib.SMTPConnectError):
        return "connect"
    if isinstance(error, smtplib.SMTPResponseException):
        return "receiver_error" if 400 <= error.smtp_code < 500 else "refused"
    return _network_reason(error)


def _network_reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, OSError) and type(error).__name__ == "gaierror":
        return "dns"
    return "connect" if isinstance(error, OSError) else "protocol"
