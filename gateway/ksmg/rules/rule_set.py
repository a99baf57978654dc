"""A rule set: for each recipient of a message, the first rule that matches.

What depends on the sender and the client only is found out once for each message, and the rest for each recipient.
"""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ksmg.mail.facts import Direction, Facts
from ksmg.rules.directory import Directory, NoDirectory
from ksmg.rules.listing import Listing, Listings, NoListings, Verdict
from ksmg.rules.networks import parse_client
from ksmg.rules.patterns import Match, domain_of, normal
from ksmg.rules.rule import Preset, Rule


class Why(enum.Enum):
    """Why a rule did or did not match, one letter each: records keep one for every rule that was tried."""

    OFF = "o"
    """It is switched off."""
    SENDER = "s"
    """Its condition on the sender does not hold."""
    CLIENT = "c"
    """Its condition on the client's IP address does not hold."""
    ACCOUNT = "a"
    """Its condition on signing in does not hold."""
    DIRECTION = "d"
    """Its condition on the direction does not hold."""
    RECIPIENT = "r"
    """Its condition on the recipient does not hold."""
    LISTS = "l"
    """The lists do not say what it is for."""
    MATCH = "m"
    """It matches."""


@dataclass(frozen=True)
class Group:
    """The recipients that one rule applies to, by their numbers in the envelope."""

    rule: Rule
    recipients: tuple[int, ...]
    trace: str
    """For the first of them: a letter of `Why` for each rule that was tried, in order; the last one is a match."""


class _Compiled(NamedTuple):
    position: int
    directions: frozenset[Direction] | None
    recipient: Match | None
    listed: Verdict | None


_Check = Callable[["_Mail"], bool]
_MessageCheck = tuple[str, _Check]


class _Mail:
    """One message's facts in the form in which they are compared."""

    __slots__ = ("account", "client", "facts", "found", "lists", "sender", "sender_domain")

    def __init__(self, facts: Facts, lists: Listings) -> None:
        self.facts = facts
        self.lists = lists
        self.sender = normal(facts.sender)
        self.sender_domain = domain_of(self.sender)
        self.client = parse_client(facts.client_ip)
        self.account = bool(facts.account)
        self.found: dict[str, Listing | None] = {}

    def listed(self, recipient: str) -> Verdict | None:
        """What the lists say for a recipient."""
        if recipient not in self.found:
            self.found[recipient] = self.lists.listing(self.sender, self.client, recipient)
        listing = self.found[recipient]
        return listing.verdict if listing else None


class RuleSet:
    """Rules in their order, compiled. The last one matches everything."""

    def __init__(
        self, rules: Iterable[Rule], digest: str = "", lists: Listings | None = None, directory: Directory | None = None
    ) -> None:
        self.rules: tuple[Rule, ...] = tuple(rules)
        self.digest = digest
        """SHA-256 of the document that it was made from; records name it."""
        self.lists = lists or NoListings()
        self.directory = directory or NoDirectory()
        self._message_checks = tuple(map(self._compile_message, self.rules))
        self._compiled = tuple(self._compile(position, rule) for position, rule in enumerate(self.rules))

    def assign(self, facts: Facts, lists: Listings | None = None) -> tuple[Group, ...]:
        """Each recipient's rule: groups in the order of their rules, each recipient in exactly one."""
        mail = _Mail(facts, lists or self.lists)
        letters = [self._letter(position, mail) for position in range(len(self.rules))]
        possible = [rule for rule, letter in zip(self._compiled, letters, strict=True) if not letter]
        groups: dict[int, list[int]] = {}
        for number, recipient in enumerate(facts.recipients):
            position = _first(possible, mail, number, normal(recipient))
            groups.setdefault(position, []).append(number)
        return tuple(
            Group(self.rules[position], tuple(groups[position]), self._trace(letters, mail, groups[position][0]))
            for position in sorted(groups)
        )

    def rule(self, name: str) -> Rule | None:
        """The rule of that name."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def matching(self, sender: str, recipient: str, client_ip: str) -> Listing | None:
        """What the lists say about one pair: why a list's rule matched."""
        return self.lists.listing(normal(sender), parse_client(client_ip), normal(recipient))

    def _letter(self, position: int, mail: _Mail) -> str:
        for letter, holds in self._message_checks[position]:
            if not holds(mail):
                return letter
        return ""

    def _trace(self, letters: Sequence[str], mail: _Mail, number: int) -> str:
        recipient = normal(mail.facts.recipients[number])
        domain = domain_of(recipient)
        found = []
        for rule, letter in zip(self._compiled, letters, strict=True):
            found.append(letter or _recipient_letter(rule, mail, number, recipient, domain))
            if found[-1] == Why.MATCH.value:
                break
        return "".join(found)

    def _compile(self, position: int, rule: Rule) -> _Compiled:
        conditions = rule.conditions
        listed = {Preset.ALLOW_LIST: Verdict.ALLOW, Preset.DENY_LIST: Verdict.DENY}
        return _Compiled(
            position,
            conditions.direction or None,
            conditions.recipient.match(self.directory),
            listed.get(rule.preset) if rule.preset else None,
        )

    def _compile_message(self, rule: Rule) -> tuple[_MessageCheck, ...]:
        if not rule.enabled:
            return ((Why.OFF.value, lambda _: False),)
        checks: list[_MessageCheck] = []
        if (account := rule.conditions.account) is not None:
            checks.append((Why.ACCOUNT.value, lambda mail: mail.account is account))
        if rule.conditions.client:
            clients = rule.conditions.client.compiled()
            checks.append((Why.CLIENT.value, lambda mail: clients.match(mail.client)))
        if (sender := rule.conditions.sender.match(self.directory)) is not None:
            checks.append((Why.SENDER.value, lambda mail: sender(mail.sender, mail.sender_domain)))
        return tuple(checks)


def _first(possible: Iterable[_Compiled], mail: _Mail, number: int, recipient: str) -> int:
    """The position of the first rule that matches for one recipient."""
    domain = domain_of(recipient)
    direction = mail.facts.directions[number]
    for position, directions, match, listed in possible:
        if directions is not None and direction not in directions:
            continue
        if match is not None and not match(recipient, domain):
            continue
        if listed is None or mail.listed(recipient) is listed:
            return position
    raise AssertionError("a rule set ends with a rule that matches everything")


def _recipient_letter(rule: _Compiled, mail: _Mail, number: int, recipient: str, domain: str) -> str:
    if rule.directions is not None and mail.facts.directions[number] not in rule.directions:
        return Why.DIRECTION.value
    if rule.recipient is not None and not rule.recipient(recipient, domain):
        return Why.RECIPIENT.value
    if rule.listed is not None and mail.listed(recipient) is not rule.listed:
        return Why.LISTS.value
    return Why.MATCH.value
