"""What rules' conditions look at: sender, recipients, client and direction of a message."""

import enum
import functools
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ksmg.mail.envelope import Envelope

_CLIENTS = 4096
"""Clients that are remembered: most mail comes from few."""
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Direction(enum.Enum):
    """Where a message comes from and goes to, per recipient."""

    INBOUND = "inbound"
    """From outside to one of our domains."""
    OUTBOUND = "outbound"
    """From our networks, or from somebody who signed in, to another domain."""
    INTERNAL = "internal"
    """From our networks, or from somebody who signed in, to one of our domains."""


@dataclass(frozen=True)
class Facts:
    """The facts of one message. Addresses as text, undecodable bytes escaped; an empty sender is a bounce."""

    sender: str
    recipients: tuple[str, ...]
    directions: tuple[Direction, ...]
    """One for each recipient, in their order."""
    client_ip: str
    """Empty when the server does not know it."""
    account: str = ""


class Neighbourhood:
    """Which networks and domains are ours."""

    def __init__(self, internal_networks: Iterable[str], domains: Iterable[str]) -> None:
        self._networks: Sequence[IPNetwork] = [ipaddress.ip_network(network) for network in internal_networks]
        self._internal = functools.lru_cache(_CLIENTS)(self._look)
        self._domains = frozenset(domain.lower() for domain in domains)

    def facts(self, envelope: Envelope) -> Facts:
        """The facts of a message with this envelope."""
        inside = bool(envelope.account) or self.internal(envelope.client.address or "")
        recipients = tuple(map(_text, envelope.recipients))
        return Facts(
            sender=_text(envelope.sender),
            recipients=recipients,
            directions=tuple(self._direction(inside, recipient) for recipient in recipients),
            client_ip=envelope.client.address or "",
            account=envelope.account,
        )

    def internal(self, client_ip: str) -> bool:
        """Whether the client is in one of our networks, or is this host itself."""
        return self._internal(client_ip)

    def _look(self, client_ip: str) -> bool:
        try:
            address = ipaddress.ip_address(client_ip)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in self._networks)

    def ours(self, address: str) -> bool:
        """Whether an address is in one of our domains; subdomains are not ours."""
        return address.rpartition("@")[2].lower() in self._domains

    def _direction(self, inside: bool, recipient: str) -> Direction:
        if not inside:
            return Direction.INBOUND
        return Direction.INTERNAL if self.ours(recipient) else Direction.OUTBOUND


def _text(address: bytes) -> str:
    return address.decode("utf-8", "backslashreplace")
