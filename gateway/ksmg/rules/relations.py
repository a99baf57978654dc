"""What can be proved about two conditions: that one covers the other, or that they have nothing in common.

False means only that there is no proof. Everything but regular expressions and groups is decided as wildcards.
"""

import functools
import ipaddress
from collections.abc import Iterable, Sequence

from ksmg.mail.facts import IPNetwork
from ksmg.rules.conditions import Addresses, Clients
from ksmg.rules.directory import NoDirectory
from ksmg.rules.patterns import Kind, Pattern, domain_of, matcher

ANYTHING = Pattern(Kind.ANY, "*", "*")
"""What a condition that is not given amounts to."""
_OPAQUE = (Kind.EXPRESSION, Kind.GROUP)


def covers(outer: Pattern, inner: Pattern) -> bool:
    """Whether every address that `inner` matches is proved to match `outer`."""
    if outer.kind is Kind.ANY or (outer.kind, outer.value) == (inner.kind, inner.value):
        return True
    if inner.kind is Kind.EXACT:
        return _matches(outer, inner.value)
    if outer.kind in _OPAQUE or inner.kind in _OPAQUE:
        return False
    return all(any(_takes(wide, narrow) for wide in _wildcards(outer)) for narrow in _wildcards(inner))


def apart(one: Pattern, other: Pattern) -> bool:
    """Whether it is proved that no address matches both."""
    for first, second in ((one, other), (other, one)):
        if first.kind is Kind.EXACT and second.kind is not Kind.GROUP:
            return not _matches(second, first.value)
    if one.kind in _OPAQUE or other.kind in _OPAQUE:
        return False
    return not any(_meet(first, second) for first in _wildcards(one) for second in _wildcards(other))


def addresses_cover(outer: Addresses, inner: Pattern, inner_excepted: Sequence[Pattern]) -> bool:
    """Whether a condition is proved to hold for all that a pattern matches and its rule does not except."""
    if outer.wanted and not any(covers(wanted, inner) for wanted in outer.wanted):
        return False
    return all(apart(gone, inner) or any(covers(o, gone) for o in inner_excepted) for gone in outer.excepted)


def clients_cover(outer: Clients, inner: IPNetwork | None, inner_excepted: Sequence[IPNetwork]) -> bool:
    """The same for a network; None stands for every client, also an unknown one."""
    if outer.wanted and (inner is None or not any(is_within(inner, wide) for wide in _merged(outer.wanted))):
        return False
    return all(
        (inner is not None and not _overlap(gone, inner)) or any(is_within(gone, other) for other in inner_excepted)
        for gone in outer.excepted
    )


def is_within(inner: IPNetwork, outer: IPNetwork) -> bool:
    """Whether a network is a part of another one."""
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return is_within(one, other) or is_within(other, one)


@functools.lru_cache(maxsize=1024)
def _merged(networks: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    """The same networks, neighbours joined."""
    old = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    new = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(old), *ipaddress.collapse_addresses(new))


def _matches(pattern: Pattern, address: str) -> bool:
    return matcher([pattern], NoDirectory())(address, domain_of(address))


def _wildcards(pattern: Pattern) -> tuple[str, ...]:
    """The wildcards that match the same addresses."""
    at_domain, below = f"*@{pattern.value}", f"*@*.{pattern.value}"
    found = {Kind.DOMAIN: (at_domain,), Kind.SUBDOMAINS: (below,), Kind.TREE: (at_domain, below)}
    return found.get(pattern.kind, (pattern.value,))


@functools.lru_cache(maxsize=65_536)
def _takes(outer: str, inner: str) -> bool:
    """Whether one wildcard can take another's letters and wildcards one by one: then it matches whatever that does."""
    reached = _after_stars(outer, {0})
    for letter in inner:
        steps = (_step(outer, place, letter) for place in reached)
        reached = _after_stars(outer, {place for step in steps for place in step})
    return len(outer) in reached


def _after_stars(outer: str, places: Iterable[int]) -> set[int]:
    """The places, and those behind stars, which may take nothing."""
    found: set[int] = set()
    for place in places:
        letters = outer[place:]
        found.update(range(place, place + 1 + len(letters) - len(letters.lstrip("*"))))
    return found


def _step(outer: str, place: int, letter: str) -> tuple[int, ...]:
    if place == len(outer):
        return ()
    if outer[place] == "*":
        return (place,)
    if letter != "*" and outer[place] in ("?", letter):
        return (place + 1,)
    return ()


@functools.lru_cache(maxsize=65_536)
def _meet(one: str, other: str) -> bool:
    """Whether some text matches both wildcards."""
    row = _first_row(other)
    for letter in one:
        following = [row[0] and letter == "*"]
        for place, against in enumerate(other):
            if letter == "*" or against == "*":
                following.append(row[place + 1] or following[place] if letter == "*" else _star(row, following, place))
            else:
                following.append(row[place] and (letter == against or "?" in (letter, against)))
        row = following
    return row[-1]


def _first_row(other: str) -> list[bool]:
    """Which beginnings of a wildcard match nothing at all."""
    row = [True]
    for letter in other:
        row.append(row[-1] and letter == "*")
    return row


def _star(row: list[bool], following: list[bool], place: int) -> bool:
    """A star of the other wildcard takes nothing, or this letter."""
    return following[place] or row[place + 1]
