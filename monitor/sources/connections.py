"""The sockets of a listener: where datagrams come, where connections are accepted, and one connection."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from config.listening import tls_context
from config.settings import Listener
from monitor.sources.routing import Network, inside, networks_of
from monitor.sources.syslog_stream import Message, Stream

TURN = 1 << 18  # bytes of one connection before another gets its turn
_RECEIVE_BUFFER = 8 << 20  # of a datagram socket: what comes while the disk is busy
_REMEMBERED = 8192


class CannotListen(Exception):
    """A port could not be opened. `str()` says why."""


@dataclass(slots=True)
class Endpoint:
    """An open port."""

    name: str
    settings: Listener
    sock: socket.socket
    context: ssl.SSLContext | None
    networks: tuple[Network, ...]
    connections: int = 0
    drops: int = 0  # datagrams that the kernel had no room for, as last seen
    known: dict[str, bool] = field(default_factory=dict)

    def admits(self, sender: str) -> bool:
        if not self.networks:
            return True
        if sender not in self.known:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[sender] = inside(sender, self.networks)
        return self.known[sender]

    def new_drops(self) -> int:
        """Datagrams lost in the kernel since the last look."""
        if self.settings.protocol != "udp":
            return 0
        now = _kernel_drops(os.fstat(self.sock.fileno()).st_ino)
        new, self.drops = max(0, now - self.drops), max(now, self.drops)
        return new


def open_endpoint(name: str, settings: Listener) -> Endpoint:
    """Bind and listen. Raises CannotListen."""
    udp = settings.protocol == "udp"
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    try:
        context = tls_context(settings) if settings.protocol == "tls" else None
    except (OSError, ValueError) as error:
        raise CannotListen(f"listener {name}: certificate, key_file or client_ca cannot be used") from error
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=kind, flags=socket.AI_PASSIVE)[
            0
        ]
    except OSError as error:
        raise CannotListen(f"listener {name}: {settings.host}: not an address of this machine") from error
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if udp:
            _widen(sock)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        if not udp:
            sock.listen(128)
    except OSError as error:
        sock.close()
        raise CannotListen(f"listener {name}: {settings.listen}: {_fault(error)}") from error
    return Endpoint(name, settings, sock, context, networks_of(settings.allow))


def sender_of(address: tuple[object, ...]) -> str:
    """The address of a peer, as one spelling: IPv4 seen through an IPv6 socket is IPv4."""
    text = str(address[0])
    if text.startswith("::ffff:"):
        with suppress(ValueError):
            mapped = getattr(ip_address(text), "ipv4_mapped", None)
            return str(mapped) if mapped is not None else text
    return text


class Connection:
    """One sender over TCP or TLS. `pending` holds whole messages that are not in a spool yet."""

    def __init__(self, endpoint: Endpoint, sock: socket.socket, sender: str, now: float) -> None:
        """`now`: monotonic seconds, here and below. Raises OSError."""
        self.endpoint = endpoint
        self.sender = sender
        self.pending: deque[Message] = deque()
        self.ended = ""  # why it is over
        self.wants_write = False
        self._stream = Stream()
        self._last = now  # when bytes came
        self._half_since: float | None = None
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._shaking = endpoint.context is not None
        if endpoint.context is not None:
            self._half_since = now
            self.sock: socket.socket = endpoint.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        else:
            self.sock = sock

    def read(self, now: float) -> bool:
        """Take what has come, one turn of it. True: there may be more at once. Raises nothing: see `ended`."""
        try:
            if self._shaking and not self._shaken(now):
                return False
            return self._take(now)
        except (ssl.SSLWantReadError, BlockingIOError, InterruptedError):
            return False
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return False
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            self.end("handshake" if self._shaking else "reset")
            return False

    def end(self, reason: str) -> None:
        """It is over; what is left of a message that never ended becomes one."""
        if not self.ended:
            self.ended = reason
            self.pending.extend(self._stream.end())

    def close(self) -> None:
        if isinstance(self.sock, ssl.SSLSocket) and not self._shaking:
            with suppress(OSError, ValueError):  # say goodbye; whether it is heard does not matter
                self.sock.unwrap()
        self.sock.close()

    def overdue(self, now: float) -> str:
        """Why it should be closed by us; empty: it should not."""
        settings = self.endpoint.settings
        if self._half_since is not None and now - self._half_since >= settings.stall_seconds:
            return "handshake" if self._shaking else "stalled"
        return "idle" if now - self._last >= settings.idle_seconds else ""

    def resumed(self, now: float) -> None:
        """It was not read from for a while because of us: that is no stall of its."""
        self._last = now
        if self._half_since is not None:
            self._half_since = now

    def _shaken(self, now: float) -> bool:
        assert isinstance(self.sock, ssl.SSLSocket)
        self.wants_write = False
        self.sock.do_handshake()
        self._shaking, self._half_since, self._last = False, None, now
        return True

    def _take(self, now: float) -> bool:
        taken = 0
        while taken < TURN:
            data = self.sock.recv(65_536)
            if not data:
                self.end("closed")
                return False
            taken += len(data)
            self._last = now
            found = self._stream.feed(data)
            self.pending.extend(found)
            if not self._stream.unfinished:
                self._half_since = None
            elif found or self._half_since is None:
                self._half_since = now
        return True


def _widen(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _RECEIVE_BUFFER)
    except OSError:  # not root: as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def _kernel_drops(inode: int) -> int:
    wanted = str(inode)
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").split("\n")[1:]:
                columns = line.split()
                if len(columns) > 12 and columns[9] == wanted:
                    return int(columns[12])
    return 0


def _fault(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken by another program (rsyslog?)"
    if error.errno == errno.EADDRNOTAVAIL:
        return "not an address of this machine"
    if error.errno == errno.EACCES:
        return "no right to bind this port; use one above 1023, or give the service CAP_NET_BIND_SERVICE"
    return os.strerror(error.errno or 0)
