"""What is done with one message when its recipients fall under different rules: SMTP has one answer for all of them.

Each group of recipients gets its own rule's outcome, nobody a second copy, and nothing is bounced: the largest group
that gets the message has it through the mail server, with its changes; other recipients are taken off that copy; groups
that get it with other changes have a copy of their own handed over before the answer.
"""

import dataclasses
import enum
from collections.abc import Sequence
from dataclasses import dataclass

from ksmg.rules.treatment import Action, Decision

REFUSED_FOR_SOME = "refused for these recipients only: kept in Backup, the sender was not told"
"""Mark of a group that refuses a message which others get: a bounce would be backscatter."""
NO_PART_TO_REMOVE = "no single attachment to remove: refused as a whole"
"""Mark of a message whose finding is not in a part that could be removed."""


class Answer(enum.Enum):
    """What the mail server is told about the message."""

    ACCEPT = "accept"
    """Take it, for the recipients that are left."""
    DISCARD = "discard"
    """Say 250 and drop it: nobody gets it this way."""
    REFUSE = "refuse"
    """Refuse it for good, 5xx."""
    PUT_OFF = "put off"
    """Refuse it for now, 4xx; nothing else is done."""


@dataclass(frozen=True)
class Share:
    """One group of recipients, by their numbers in the envelope, and what its rule decided for them."""

    recipients: tuple[int, ...]
    decision: Decision
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What is done. Shares are named by their number."""

    answer: Answer
    shares: tuple[Share, ...]
    passing: tuple[int, ...] = ()
    """Shares that get the message through the mail server; they want the same changes."""
    copies: tuple[tuple[int, ...], ...] = ()
    """Shares that get a copy of their own, those with the same changes together."""
    held: tuple[int, ...] = ()
    """Shares whose message goes to the quarantine."""
    backups: tuple[int, ...] = ()
    """Shares of which Backup keeps a copy."""

    def recipients(self, shares: Sequence[int]) -> list[int]:
        """The recipients of some shares, in the envelope's order."""
        return sorted(number for share in shares for number in self.shares[share].recipients)

    @property
    def removed(self) -> list[int]:
        """Recipients that do not get the message through the mail server, when others do."""
        gone = [number for number in range(len(self.shares)) if number not in self.passing]
        return self.recipients(gone) if self.answer is Answer.ACCEPT else []


def make_plan(shares: Sequence[Share]) -> Plan:
    """The plan for all groups of one message."""
    shares = tuple(map(_effective, shares))
    actions = [share.decision.action for share in shares]
    if Action.TEMPFAIL in actions or not shares:
        return Plan(Answer.PUT_OFF, shares)
    if all(action is Action.REJECT for action in actions):
        return Plan(Answer.REFUSE, shares, backups=_backups(shares))
    return _accepting(tuple(map(_refused_for_some, shares)))


def _accepting(shares: tuple[Share, ...]) -> Plan:
    classes: dict[object, list[int]] = {}
    for number, share in enumerate(shares):
        if share.decision.action.delivers:
            classes.setdefault(_changes(share.decision), []).append(number)
    largest = max(classes.values(), key=lambda found: sum(len(shares[n].recipients) for n in found), default=[])
    return Plan(
        answer=Answer.ACCEPT if largest else Answer.DISCARD,
        shares=shares,
        passing=tuple(largest),
        copies=tuple(tuple(numbers) for numbers in classes.values() if numbers is not largest),
        held=tuple(n for n, share in enumerate(shares) if share.decision.action is Action.QUARANTINE),
        backups=_backups(shares),
    )


def _effective(share: Share) -> Share:
    """An attachment that nobody can point at cannot be removed: the message is refused."""
    decision = share.decision
    if decision.action is not Action.DELETE_ATTACHMENT or decision.removable:
        return share
    refused = dataclasses.replace(decision, action=Action.REJECT, backup=True)
    return dataclasses.replace(share, decision=refused, marks=(*share.marks, NO_PART_TO_REMOVE))


def _refused_for_some(share: Share) -> Share:
    if share.decision.action is not Action.REJECT:
        return share
    kept = dataclasses.replace(share.decision, backup=True)
    return dataclasses.replace(share, decision=kept, marks=(*share.marks, REFUSED_FOR_SOME))


def _backups(shares: Sequence[Share]) -> tuple[int, ...]:
    return tuple(number for number, share in enumerate(shares) if share.decision.backup)


def _changes(decision: Decision) -> object:
    """What decides whether two groups can have the same copy."""
    if decision.unchanged:
        return None
    return (
        decision.removed_parts,
        decision.inserts,
        decision.headers,
        tuple((c.check, c.finding, c.treatment.tag, c.treatment.headers, c.treatment.insert) for c in decision.causes),
    )
