"""One bounded HTTP request to a receiver: checked address, no redirects, no proxies, little patience, short answers.

The name is resolved once, every address it has is checked, and the connection goes to a checked one; so a name cannot
point inside by the time of the connection. TLS is verified against the name, not the address.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from monitor.alerts.channel import DeliveryError

CONNECT_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024
_USER_AGENT = "hiswatch"


class Receiver:
    """A fixed URL out of the configuration. `timeout_seconds` bounds the whole answer, not only each read."""

    def __init__(
        self,
        channel: str,
        url: str,
        *,
        timeout_seconds: float = 10.0,
        allow_private: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._channel = channel
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._authority = parts.netloc.rpartition("@")[2]
        self._allow_private = allow_private
        self._timeout = timeout_seconds
        self._client = httpx.Client(
            verify=tls or ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
        )

    def post(self, body: bytes, headers: Mapping[str, str], *, path: str = "") -> bytes:
        """The body of a 2xx answer. Anything else is a DeliveryError."""
        deadline = time.monotonic() + self._timeout
        address = self._address()
        shown = f"[{address}]" if ":" in address else address
        target = self._target.rstrip("/") + path if path else self._target
        request = self._client.build_request(
            "POST",
            f"{self._scheme}://{shown}:{self._port}{target}",
            content=body,
            headers={"User-Agent": _USER_AGENT, **headers, "Host": self._authority},
            extensions={"sni_hostname": self._host},
        )
        try:
            response = self._client.send(request, stream=True)
            try:
                self._judge(response.status_code)
                return self._body(response, deadline)
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise DeliveryError(self._channel, _reason(error)) from error

    def close(self) -> None:
        self._client.close()

    def _address(self) -> str:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise DeliveryError(self._channel, "dns") from error
        addresses = [str(item[4][0]).partition("%")[0] for item in found]
        if not all(self._allowed(ipaddress.ip_address(address)) for address in addresses):
            raise DeliveryError(self._channel, "forbidden_address")
        return addresses[0]

    def _allowed(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        """Public addresses by https; private ones and plain http inside the hospital only where the operator says so."""
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified:  # link-local: metadata services of clouds
            return False
        return self._scheme == "https" if ip.is_global else self._allow_private

    def _judge(self, status: int) -> None:
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            raise DeliveryError(self._channel, "redirect")
        if status == 429:
            raise DeliveryError(self._channel, "rate_limited")
        if status in {401, 403}:
            raise DeliveryError(self._channel, "auth")
        raise DeliveryError(self._channel, "refused" if 400 <= status < 500 else "receiver_error")

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        body = b""
        for piece in response.iter_raw(8192):  # raw: a small answer must not unfold into a large one
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise DeliveryError(self._channel, "answer_too_large")
            if time.monotonic() > deadline:
                raise DeliveryError(self._channel, "timeout")
        return body


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.NetworkError):
        return "connect"
    return "protocol"
