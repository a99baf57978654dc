"""Conditions on the client's IP address: addresses and networks, IPv4 and IPv6."""

import functools
import ipaddress
from collections.abc import Iterable

from ksmg.mail.facts import IPNetwork

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_network(text: object) -> IPNetwork:
    """A network, or an address as the network of it alone.

    Raises ValueError with the end of a sentence that begins with a field's name.
    """
    if not isinstance(text, str):
        raise ValueError("must hold IP addresses or networks such as 10.0.0.0/8")
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"has {text}, which is no IP address or network: {error}") from None


@functools.lru_cache(4096)
def parse_client(text: str) -> IPAddress | None:
    """The client's address, an IPv4 address that is mapped into IPv6 as such; None when it is not known."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Networks:
    """Some networks, compiled: one look-up for each length of prefix. An unknown client is in none of them."""

    def __init__(self, networks: Iterable[IPNetwork]) -> None:
        lengths: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            lengths.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        self._lengths = tuple((*key, frozenset(found)) for key, found in lengths.items())

    def __contains__(self, client: IPAddress | None) -> bool:
        if client is None:
            return False
        number = int(client)
        return any(version == client.version and number >> shift in found for version, shift, found in self._lengths)
