"""Client addresses: which network they lie in. Works on single texts; callers hand in distinct ones only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from config.values import LOCAL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LOCAL_SOCKET = "[local]"  # as in EVENTS.client_ip


class Places:
    """A list of networks, the local socket possibly among them."""

    def __init__(self, places: Iterable[str]) -> None:
        texts = list(places)
        self.local = LOCAL in texts
        self.networks: Sequence[Network] = [ip_network(text) for text in texts if text != LOCAL]

    def hold(self, client: str, address: Address | None) -> bool:
        """Whether the client lies in one of them; what is no address lies in none."""
        if client == LOCAL_SOCKET:
            return self.local
        if address is None:
            return False
        if self.local and address.is_loopback:
            return True
        return any(address in network for network in self.networks)


def address_of(client: str) -> Address | None:
    """The address in a log's text; IPv4 mapped into IPv6 is IPv4, a zone index is dropped. None: a host name or noise."""
    if len(client) > 64:
        return None
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def inside(client: str, own: Places) -> bool | None:
    """Whether the client is in the hospital's own networks (this machine counts). None: not an address."""
    if client == LOCAL_SOCKET:
        return True
    address = address_of(client)
    if address is None:
        return None
    return address.is_loopback or own.hold(client, address)
