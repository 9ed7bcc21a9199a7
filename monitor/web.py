"""/metrics and /healthz over HTTP, in a thread of the daemon. No database, no details, no names of people.

The port is bound before anything else starts (`Web(...)` raises StartError when it is taken), and served by `start()`.
A `Host` that is not on the list is refused: a web page in somebody's browser must not read this by DNS rebinding.
"""

from __future__ import annotations

import errno
import hmac
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import config.settings
from config.errors import ConfigError
from config.loader import read_secret
from monitor.errors import StartError
from monitor.health import Health
from monitor.telemetry import CONTENT_TYPE, Telemetry

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
STOP_SECONDS = 5.0


def host_name(header: str) -> str:
    """The name in a Host header, without port and brackets, lower case; empty when it is none."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, colon, port = text.partition(":")
    return name if not colon or port.isdigit() else ""


class _Guard:
    """ASGI middleware: the allow-list of host names (None: any), and the headers that every answer carries."""

    def __init__(self, app: Any, allowed: frozenset[str] | None) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await (self._app if self._admits(scope) else _refused)(scope, receive, with_headers)

    def _admits(self, scope: Any) -> bool:
        if self._allowed is None:
            return True
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and host_name(hosts[0]) in self._allowed


_refused = PlainTextResponse("unknown host\n", status_code=421)


def application(telemetry: Telemetry, health: Health, allowed: Iterable[str] | None, token: bytes | None = None) -> Any:
    """The ASGI application of the two pages. With a `token`, /metrics wants it as `Authorization: Bearer`."""

    async def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
        if token is not None and not hmac.compare_digest(given, b"Bearer " + token):
            return PlainTextResponse("token needed\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def healthz(_request: Request) -> Response:
        state = health.state()
        body: dict[str, Any] = {"status": state.status}
        if state.reasons:
            body["reasons"] = list(state.reasons)
        if state.learning:
            body["learning"] = {what: dict(days) for what, days in state.learning.items()}
        return JSONResponse(body, status_code=503 if state.status == "red" else 200)

    routes = [Route("/metrics", metrics), Route("/healthz", healthz)]
    names = None if allowed is None else frozenset(name.lower() for name in allowed)
    return _Guard(Starlette(routes=routes), names)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise StartError(f"web: {host}: not an address of this machine") from error
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # restart at once; does not share a live port on Linux
        sock.bind(address)
        sock.listen(64)
    except OSError as error:
        sock.close()
        raise StartError(f"web: {host}:{port}: {_bind_fault(error)}") from error
    return sock


def _bind_fault(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken by another program (another hiswatch?); free it or set another web.listen"
    if error.errno == errno.EADDRNOTAVAIL:
        return "not an address of this machine; correct web.listen"
    if error.errno == errno.EACCES:
        return "no right to bind this port; use one above 1023"
    return os.strerror(error.errno or 0)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: chain and key."""

    certificate: Path
    key: Path


class Web:
    """Bound on construction; serves from `start()` to `stop()`. Port 0 takes a free one (`port` tells which).

    Another address than loopback is served with TLS and a token only. There the certificate's name and the token keep
    strange web pages out, so any `Host` is answered; on loopback only the names on the list.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        health: Health,
        *,
        host: str = "127.0.0.1",
        port: int = 8642,
        allowed_hosts: Iterable[str] = (),
        tls: Tls | None = None,
        token: bytes | None = None,
    ) -> None:
        if not is_loopback(host) and (tls is None or not token):
            raise StartError(f"web: {host}: another address than loopback needs a certificate, its key and a token")
        if tls is not None:
            _check(tls)
        allowed = {*allowed_hosts, *LOCAL_NAMES, host} if is_loopback(host) else None
        self._socket = _bind(host, port)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(telemetry, health, allowed, token),
                log_config=None, access_log=False, lifespan="off", ws="none", http="h11", loop="asyncio",
                server_header=False, proxy_headers=False, limit_concurrency=64, backlog=64,
                timeout_keep_alive=5, timeout_graceful_shutdown=2, h11_max_incomplete_event_size=16_384,
                ssl_certfile=tls.certificate if tls else None, ssl_keyfile=tls.key if tls else None,
            )
        )  # fmt: skip
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="web", daemon=True
        )

    @classmethod
    def of(cls, settings: config.settings.Web, telemetry: Telemetry, health: Health) -> Web:
        """As configured under `web:`. StartError also for a token or certificate that cannot be used."""
        tls = None
        if settings.tls_certificate is not None and settings.tls_key_file is not None:
            tls = Tls(settings.tls_certificate, settings.tls_key_file)
        token = None
        if settings.token_file is not None:
            try:
                token = read_secret(settings.token_file)
            except ConfigError as error:
                raise StartError(f"web.token_file: {error}") from error
        return cls(telemetry, health, host=settings.host, port=settings.port, tls=tls, token=token)

    def start(self) -> None:
        """Serve. The socket listens since construction, so a request made now waits and is answered."""
        self._thread.start()

    def stop(self) -> None:
        """Finish open answers, at most some seconds, and free the port. May be called twice, and before `start`."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._socket.close()


def _check(tls: Tls) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one; its text names the fault, not the key
        raise StartError(
            f"web: {tls.certificate}: not a certificate with the key {tls.key} ({type(error).__name__})"
        ) from error
