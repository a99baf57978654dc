"""A rule's conditions. Each kind that is given must hold; within a kind one of its values is enough.

A value that begins with `!` is an exception: none of them may hold. With exceptions only, everything else does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ksmg.mail.facts import Direction, IPNetwork
from ksmg.rules.directory import Directory
from ksmg.rules.fields import choice, listed, record, truth
from ksmg.rules.networks import IPAddress, Networks, parse_network
from ksmg.rules.patterns import Match, Pattern, matcher, parse_pattern

MOST_VALUES = 10_000
"""Values of one condition."""


@dataclass(frozen=True)
class Addresses:
    """A condition on an address."""

    wanted: tuple[Pattern, ...] = ()
    excepted: tuple[Pattern, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.excepted)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """All patterns of it."""
        return self.wanted + self.excepted

    def match(self, directory: Directory) -> Match | None:
        """Whether an address meets it, compiled; None when every address does."""
        wanted = matcher(self.wanted, directory) if self.wanted else None
        if not self.excepted:
            return wanted
        excepted = matcher(self.excepted, directory)
        if wanted is None:
            return lambda text, domain: not excepted(text, domain)
        return lambda text, domain: wanted(text, domain) and not excepted(text, domain)


@dataclass(frozen=True)
class Clients:
    """A condition on the client's IP address. An unknown one is in no network."""

    wanted: tuple[IPNetwork, ...] = ()
    excepted: tuple[IPNetwork, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.excepted)

    def compiled(self) -> "CompiledClients":
        """The same, ready to be asked."""
        return CompiledClients(Networks(self.wanted) if self.wanted else None, Networks(self.excepted))


@dataclass(frozen=True)
class CompiledClients:
    """A compiled condition on the client's address."""

    wanted: Networks | None
    excepted: Networks

    def match(self, client: IPAddress | None) -> bool:
        """Whether the address meets it."""
        return (self.wanted is None or client in self.wanted) and client not in self.excepted


@dataclass(frozen=True)
class Conditions:
    """All conditions of a rule. Without any it matches every message."""

    sender: Addresses = field(default_factory=Addresses)
    recipient: Addresses = field(default_factory=Addresses)
    client: Clients = field(default_factory=Clients)
    direction: frozenset[Direction] = frozenset()
    """Empty: any."""
    account: bool | None = None
    """Whether the client must, or must not, have signed in; None: either."""

    def __bool__(self) -> bool:
        return bool(self.sender or self.recipient or self.client or self.direction) or self.account is not None

    @property
    def groups(self) -> frozenset[str]:
        """The directory groups that they name."""
        patterns = self.sender.patterns + self.recipient.patterns
        return frozenset(pattern.value for pattern in patterns if pattern.text.startswith("group:"))


def parse_conditions(value: Any) -> Conditions:
    """Conditions out of a document. Raises ValueError."""
    fields = {
        "sender": _addresses,
        "recipient": _addresses,
        "client": _clients,
        "direction": lambda words: frozenset(map(choice(Direction), listed(words))),
        "account": lambda given: None if given is None else truth(given),
    }
    return Conditions(**record(value, fields))


def _addresses(value: Any) -> Addresses:
    wanted, excepted = _split(value)
    return Addresses(tuple(map(parse_pattern, wanted)), tuple(map(parse_pattern, excepted)))


def _clients(value: Any) -> Clients:
    wanted, excepted = _split(value)
    return Clients(tuple(map(parse_network, wanted)), tuple(map(parse_network, excepted)))


def _split(value: Any) -> tuple[list[Any], list[Any]]:
    """The values without and those with an exclamation mark, which is taken off."""
    values: Iterable[Any] = listed(value)
    wanted: list[Any] = []
    excepted: list[Any] = []
    for number, one in enumerate(values):
        if number >= MOST_VALUES:
            raise ValueError(f"must have at most {MOST_VALUES} values")
        if isinstance(one, str) and one.startswith("!"):
            excepted.append(one[1:].strip())
        else:
            wanted.append(one)
    return wanted, excepted
