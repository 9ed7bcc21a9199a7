"""What is wrong, or odd, with listeners and the sources behind them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from config.errors import Problem
from config.settings import Listener, Settings, Source
from config.validation import did_you_mean
from config.yaml12 import Document, Keys

Fault = tuple[Keys, str]
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - what is warned of
_TLS_ONLY = ("certificate", "key_file", "client_ca")


def listener_faults(
    settings: Settings, document: Document, secret_fault: Callable[[Path], str | None]
) -> Iterator[Fault]:
    """Faults with their keys. `secret_fault`: why a file with a key can't be used."""
    written = (document.data.get("listeners") or {}) if isinstance(document.data, dict) else {}
    for name, source in settings.sources.items():
        yield from _source(("sources", name), source, written)
    taken: dict[tuple[str, int, str], str] = {}
    for name, listener in settings.listeners.items():
        keys: Keys = ("listeners", name)
        if not 0 < listener.port < 65536:
            yield (*keys, "listen"), "expected a port from 1 to 65535"
        for other in _clashing(listener, taken):
            yield (*keys, "listen"), f"the port is already used by {other}"
        taken.setdefault((listener.host, listener.port, _transport(listener)), f"listener '{name}'")
        if (
            listener.protocol != "udp"
            and listener.port == settings.web.port
            and _same(listener.host, settings.web.host)
        ):
            yield (*keys, "listen"), "the port is already used by web.listen"
        yield from _certificate(keys, listener, secret_fault)


def listener_warnings(settings: Settings, document: Document) -> list[Problem]:
    """What works, but perhaps not as it was meant."""
    return [document.problem(*fault) for fault in _warnings(settings)]


def _source(keys: Keys, source: Source, listeners: dict[str, object]) -> Iterator[Fault]:
    if (source.path is None) == (not source.listener):
        said = "has a path or a listener, not both" if source.listener else "needs path (a file) or listener"
        yield (*keys, "path") if source.path is not None else keys, said
    for name in source.listener:
        if name not in listeners:
            yield (*keys, "listener"), "unknown listener" + did_you_mean(name, listeners)
    for host in source.hosts:
        if "/" in host and (fault := _network_fault(host)):
            yield (*keys, "hosts"), fault
    for key in ("hosts", "programs"):
        if getattr(source, key) and not source.listener:
            yield (*keys, key), "works with listener only"
    if source.listener and source.start_at == "end":
        yield (*keys, "start_at"), "works with path only"


def _network_fault(text: str) -> str | None:
    """Why it is no network; as a name of a host it would fit no message."""
    try:
        ip_network(text)
    except ValueError as error:
        return f"expected a network such as 10.20.0.0/16: {error}"
    return None


def _clashing(listener: Listener, taken: dict[tuple[str, int, str], str]) -> Iterator[str]:
    for (host, port, transport), other in taken.items():
        if port == listener.port and transport == _transport(listener) and _same(host, listener.host):
            yield other
            return


def _same(one: str, other: str) -> bool:
    return one == other or bool({one, other} & _EVERYWHERE)


def _transport(listener: Listener) -> str:
    return "udp" if listener.protocol == "udp" else "tcp"


def _certificate(keys: Keys, listener: Listener, secret_fault: Callable[[Path], str | None]) -> Iterator[Fault]:
    if listener.protocol != "tls":
        for key in _TLS_ONLY:
            if getattr(listener, key) is not None:
                yield (*keys, key), "works with protocol tls only"
        return
    for key in ("certificate", "key_file"):
        if getattr(listener, key) is None:
            yield keys, f"protocol tls needs {key}"
    sound = True
    for key in ("certificate", "client_ca"):
        file = getattr(listener, key)
        if file is not None and not file.is_file():
            sound = False
            yield (*keys, key), "file not found"
    if listener.key_file is not None and (fault := secret_fault(listener.key_file)):
        sound = False
        yield (*keys, "key_file"), fault
    if sound and listener.certificate is not None and listener.key_file is not None:
        yield from _unusable(keys, listener)


def _unusable(keys: Keys, listener: Listener) -> Iterator[Fault]:
    try:
        tls_context(listener)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        yield (*keys, "certificate"), f"certificate, key_file and client_ca do not work together: {reason}"


def tls_context(listener: Listener) -> ssl.SSLContext:
    """TLS as the listener wants it. Raises ssl.SSLError, OSError."""
    assert listener.certificate is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # a key with a passphrase would ask at the terminal: an empty one makes it an error
    context.load_cert_chain(listener.certificate, listener.key_file, password=lambda: "")
    if listener.client_ca is not None:
        context.load_verify_locations(listener.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _warnings(settings: Settings) -> Iterator[Fault]:
    for name, listener in settings.listeners.items():
        keys: Keys = ("listeners", name)
        if _everywhere(listener.host) and not listener.allow:
            yield (*keys, "listen"), "receives on all addresses from everybody; name the senders' networks under allow"
        behind = [one for one in settings.sources.values() if name in one.listener]
        if not behind:
            yield keys, "no source takes what comes here; it is counted and dropped"
        elif all(one.hosts or one.programs for one in behind):
            yield (
                keys,
                "every source has filters; what fits none is counted and dropped (a last source without filters takes it)",
            )


def _everywhere(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
