"""Which source a received message belongs to: the first of its listener, in order of the file, whose filters fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

# the same forms as parsers/syslog.py, as far as host and tag go
_HEADER = re.compile(
    rb"""(?x)
    (?:<[0-9]{1,3}>)?
    (?: [0-9]{1,2}[ ](?:-|[0-9]{4}-[^ ]++)[ ](?P<host5>[^ ]++)[ ](?P<tag5>[^ ]++)
      | (?: (?: [0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9][^ ]*+
              | (?:[0-9]{1,10}:[ ])?[*.]?[A-Z][a-z]{2}[ ]{1,2}[0-9]{1,2}[ ](?:[0-9]{4}[ ])?[0-9]{2}:[0-9]{2}:[0-9]{2}[0-9.]*+:? )
            [ ] (?:(?P<host>[^ ]*[^ :])[ ](?::[ ])?)? )?
        (?P<tag>Oracle(?:[ ]Unified)?[ ]Audit|[^ :\[]++)(?:\[[0-9]++\])?:
    )"""
)
_HEADER_BYTES = 400
_REMEMBERED = 8192

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of one source; empty ones let everything through."""

    source: str
    hosts: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


def told(message: bytes) -> tuple[str, str]:
    """Host and program as the message names them; empty where it does not."""
    found = _HEADER.match(message[:_HEADER_BYTES])
    if found is None:
        return "", ""
    host, tag = found["host5"] or found["host"] or b"", found["tag5"] or found["tag"] or b""
    return host.decode("utf-8", "backslashreplace"), tag.decode("utf-8", "backslashreplace")


def inside(address: str, networks: Iterable[Network]) -> bool:
    """Whether the text is an address of one of the networks."""
    try:
        there = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(there in network for network in networks)


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Those of the texts that are networks or addresses."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            continue
    return tuple(found)


class Router:
    """One listener's sources. Remembers what it decided, bounded; one thread uses it."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        self._wanted = [(one, networks_of(one.hosts), frozenset(host.lower() for host in one.hosts)) for one in wanted]
        first = self._wanted[0][0] if self._wanted else None
        self._only = first.source if first and not (first.hosts or first.programs) else None
        self._known: dict[tuple[str, str, str], str | None] = {}

    def source(self, sender: str, message: bytes) -> str | None:
        """The source that takes it; None: nobody does."""
        if self._only is not None:
            return self._only
        key = (sender, *told(message))
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = found = self._decide(*key)
        return found

    def _decide(self, sender: str, host: str, program: str) -> str | None:
        for one, networks, names in self._wanted:
            if one.hosts and not (
                inside(sender, networks)
                or inside(host, networks)
                or host.lower() in names
                or host.lower().partition(".")[0] in names
            ):
                continue
            if one.programs and not any(fnmatchcase(program, pattern) for pattern in one.programs):
                continue
            return one.source
        return None
