"""Whether earlier rules leave anything to a rule: a proof that they do not, or an example of what they leave.

A rule's conditions are a product of sender, recipient, client, direction and account. It is taken apart into cells, one
value of each; a cell is gone when one earlier rule covers all of it. Regular expressions and groups are compared with
single addresses and with themselves only; when neither a proof nor an example is found, nobody can tell.
"""

import enum
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ksmg.mail.facts import Direction, Facts, IPNetwork
from ksmg.rules.conditions import Conditions
from ksmg.rules.directory import Directory
from ksmg.rules.expressions import shortest
from ksmg.rules.listing import Listing, Verdict
from ksmg.rules.networks import IPAddress
from ksmg.rules.patterns import Kind, Pattern
from ksmg.rules.relations import ANYTHING, addresses_cover, clients_cover, covers, is_within
from ksmg.rules.rule import Preset, Rule
from ksmg.rules.rule_set import RuleSet

MOST_STEPS = 200_000
"""Comparisons for one rule; after so many nobody can tell."""
_MOST_EXAMPLES = 20


class Reach(enum.Enum):
    """Whether a rule can match."""

    MATCHES = "matches"
    """An example was found."""
    NEVER = "never"
    """It is proved that no message is left to it."""
    UNKNOWN = "unknown"
    """Neither was found."""


@dataclass(frozen=True)
class Answer:
    """Whether a rule can match, and why."""

    reach: Reach
    example: Facts | None = None
    covered_by: tuple[str, ...] = ()
    """The earlier rules that leave nothing to it; none: its own conditions contradict each other."""


@dataclass(frozen=True)
class Cell:
    """One part of what a rule could match. `client` None: every client."""

    sender: Pattern
    recipient: Pattern
    client: IPNetwork | None
    direction: Direction
    account: bool


class _TooLong(Exception):
    """There are more comparisons to make than anybody would wait for."""


def reach(rules: RuleSet, position: int) -> Answer:
    """Whether the rule at a position can match, were it switched on."""
    rule = rules.rules[position]
    earlier = [one for one in rules.rules[:position] if one.enabled and one.preset is None]
    try:
        covered_by = _covering(rule.conditions, earlier)
    except _TooLong:
        covered_by = None
    if covered_by is not None:
        return Answer(Reach.NEVER, covered_by=tuple(covered_by))
    example = _example(rules, position)
    return Answer(Reach.UNKNOWN if example is None else Reach.MATCHES, example)


def covering(conditions: Conditions, rules: Sequence[Rule]) -> list[str] | None:
    """The names of rules that together cover all that conditions match; None when that is not proved."""
    try:
        return _covering(conditions, [rule for rule in rules if rule.enabled and rule.preset is None])
    except _TooLong:
        return None


def cells(conditions: Conditions) -> Iterator[Cell]:
    """The cells of conditions, without those that their own exceptions leave empty.

    Whoever signed in is one of us, so that there is nothing inbound with an account (`mail.facts`).
    """
    senders = conditions.sender.wanted or (ANYTHING,)
    recipients = conditions.recipient.wanted or (ANYTHING,)
    clients: Sequence[IPNetwork | None] = conditions.client.wanted or (None,)
    directions = [one for one in Direction if not conditions.direction or one in conditions.direction]
    accounts = [one for one in (False, True) if conditions.account in (None, one)]
    for values in itertools.product(senders, recipients, clients, directions, accounts):
        cell = Cell(*values)
        if not (cell.account and cell.direction is Direction.INBOUND) and not _excepted(conditions, cell):
            yield cell


def _excepted(conditions: Conditions, cell: Cell) -> bool:
    return (
        any(covers(gone, cell.sender) for gone in conditions.sender.excepted)
        or any(covers(gone, cell.recipient) for gone in conditions.recipient.excepted)
        or (cell.client is not None and any(is_within(cell.client, gone) for gone in conditions.client.excepted))
    )


def _covering(conditions: Conditions, earlier: Sequence[Rule]) -> list[str] | None:
    steps = 0
    found: dict[str, None] = {}
    for cell in cells(conditions):
        for rule in earlier:
            steps += 1 + len(rule.conditions.sender.patterns) + len(rule.conditions.recipient.patterns)
            if steps > MOST_STEPS:
                raise _TooLong
            if _covers(rule.conditions, conditions, cell):
                found[rule.name] = None
                break
        else:
            return None
    return [rule.name for rule in earlier if rule.name in found]


def _covers(outer: Conditions, inner: Conditions, cell: Cell) -> bool:
    return (
        (not outer.direction or cell.direction in outer.direction)
        and outer.account in (None, cell.account)
        and clients_cover(outer.client, cell.client, inner.client.excepted)
        and addresses_cover(outer.sender, cell.sender, inner.sender.excepted)
        and addresses_cover(outer.recipient, cell.recipient, inner.recipient.excepted)
    )


class _Says:
    """Lists that say the same of everybody."""

    def __init__(self, verdict: Verdict | None) -> None:
        self._listing = None if verdict is None else Listing(verdict, "an entry")

    def listing(self, _sender: str, _client: IPAddress | None, _recipient: str) -> Listing | None:
        return self._listing


def _example(rules: RuleSet, position: int) -> Facts | None:
    """A message that the rule at a position gets."""
    rule = rules.rules[position]
    wanted = {Preset.ALLOW_LIST: Verdict.ALLOW, Preset.DENY_LIST: Verdict.DENY}
    lists = _Says(wanted.get(rule.preset) if rule.preset else None)
    tried = _switched_on(rules, position)
    for number, facts in enumerate(_messages(rule.conditions, rules.directory)):
        if number > MOST_STEPS // (10 * len(rules.rules)):
            break
        if any(group.rule.name == rule.name for group in tried.assign(facts, lists)):
            return facts
    return None


def _switched_on(rules: RuleSet, position: int) -> RuleSet:
    rule = rules.rules[position]
    if rule.enabled:
        return rules
    on = Rule(rule.name, rule.modules, conditions=rule.conditions, preset=rule.preset)
    return RuleSet((*rules.rules[:position], on, *rules.rules[position + 1 :]), directory=rules.directory)


def _messages(conditions: Conditions, directory: Directory) -> Iterator[Facts]:
    """Messages that conditions could match."""
    senders = _addresses(conditions.sender.wanted, directory, "someone@elsewhere.example")
    recipients = _addresses(conditions.recipient.wanted, directory, "somebody@here.example")
    directions = [one for one in Direction if not conditions.direction or one in conditions.direction]
    accounts = [one for one in (False, True) if conditions.account in (None, one)]
    for direction, account, client, recipient, sender in itertools.product(
        directions, accounts, _clients(conditions), recipients, senders
    ):
        if not (account and direction is Direction.INBOUND):
            yield Facts(sender, (recipient,), (direction,), client, "account" if account else "")


def _addresses(wanted: Sequence[Pattern], directory: Directory, usual: str) -> list[str]:
    if not wanted:
        return [usual, ""]
    found = (address for pattern in wanted for address in _addresses_of(pattern, directory))
    return list(dict.fromkeys(itertools.islice(found, _MOST_EXAMPLES)))


def _addresses_of(pattern: Pattern, directory: Directory) -> Iterator[str]:
    match pattern.kind:
        case Kind.EXACT:
            yield pattern.value
        case Kind.DOMAIN:
            yield f"someone@{pattern.value}"
        case Kind.TREE | Kind.SUBDOMAINS:
            yield f"someone@sub.{pattern.value}"
            yield from [f"someone@{pattern.value}"] * (pattern.kind is Kind.TREE)
        case Kind.EXPRESSION:
            text = shortest(pattern.value) or ""
            yield from (text, f"someone{text}", f"{text}@elsewhere.example", f"someone@{text}", f"{text}.example")
        case Kind.GROUP:
            yield from sorted(directory.members(pattern.value) or ())[:3]
        case _:
            for filling in ("someone", "", "someone@elsewhere.example"):
                yield pattern.value.replace("*", filling).replace("?", "x")


def _clients(conditions: Conditions) -> list[str]:
    if not conditions.client.wanted:
        return ["192.0.2.77", "2001:db8::77", ""]
    networks = conditions.client.wanted[:_MOST_EXAMPLES]
    return [str(network[place]) for network in networks for place in dict.fromkeys((0, network.num_addresses // 2, -1))]
