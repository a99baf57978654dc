"""What a rule does about a finding, and what it decides about a message in the end."""

import enum
import functools
from dataclasses import dataclass

from ksmg.checks.verdict import Finding


@functools.total_ordering
class Action(enum.Enum):
    """What becomes of a message, the mildest first. When findings ask for different ones, the strictest wins."""

    SKIP = "skip"
    """Pass it on."""
    DELETE_ATTACHMENT = "delete_attachment"
    """Pass it on without the attachments that were found; a text in their place names them."""
    QUARANTINE = "quarantine"
    """Hold it in the Anti-Spam quarantine until somebody decides; the sender hears 250."""
    TEMPFAIL = "tempfail"
    """Ask the sender to come back later (451)."""
    REJECT = "reject"
    """Refuse it (550): the sender hears why."""
    DELETE = "delete"
    """Take it (250) and drop it."""

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Action):
            return NotImplemented
        return _STRICTNESS[self] < _STRICTNESS[other]

    @property
    def delivers(self) -> bool:
        """Whether the recipients get the message."""
        return self in (Action.SKIP, Action.DELETE_ATTACHMENT)


_STRICTNESS = {action: number for number, action in enumerate(Action)}


class Notified(enum.Enum):
    """Who is told about a finding."""

    ADMINISTRATOR = "administrator"
    """The site's postmaster."""
    SENDER = "sender"
    """The sender, only when the message came from inside."""
    RECIPIENT = "recipient"
    """The recipients in our domains."""


class OnFailure(enum.Enum):
    """What becomes of a message that a module could not judge."""

    TEMPFAIL = "tempfail"
    """Ask the sender to come back later (451)."""
    DELIVER_MARKED = "deliver_marked"
    """Pass it on with a header that says that it is unscanned."""
    HOLD = "hold"
    """Hold it in the Anti-Spam quarantine."""


@dataclass(frozen=True)
class Inserted:
    """A text that is put into the message, at its top or bottom. `html` empty: made from `text`."""

    text: str
    html: str = ""
    at_top: bool = True


@dataclass(frozen=True)
class Treatment:
    """What a rule does about a finding of one status."""

    action: Action = Action.SKIP
    tag: str = ""
    """Put before the subject, a space after it."""
    headers: tuple[tuple[str, str], ...] = ()
    """Header fields that are added, name and value."""
    backup: bool = False
    """Keep a copy in Backup first."""
    insert: Inserted | None = None
    notify: frozenset[Notified] = frozenset()
    reply: str = ""
    """Text of a refusal in place of the usual one."""


@dataclass(frozen=True)
class Cause:
    """A finding that weighed in a decision, and what its treatment was."""

    check: str
    finding: Finding
    treatment: Treatment


@dataclass(frozen=True)
class Decision:
    """What a rule decided for its recipients."""

    rule: str
    action: Action
    causes: tuple[Cause, ...] = ()
    """Every finding with a treatment, those that ask for `action` first."""
    inserts: tuple[Inserted, ...] = ()
    """The rule's own texts (disclaimers), whatever was found."""
    headers: tuple[tuple[str, str], ...] = ()
    """The rule's own header fields, whatever was found."""
    backup: bool = False
    """Whether the rule or one of the treatments wants a copy in Backup."""

    @property
    def unchanged(self) -> bool:
        """Whether those who get the message get it as it is."""
        plain = not (self.inserts or self.headers) and self.action is Action.SKIP
        return plain and not any(c.treatment.tag or c.treatment.headers or c.treatment.insert for c in self.causes)

    @property
    def removable(self) -> bool:
        """Whether each finding that asks to delete an attachment says which one."""
        wanted = [cause for cause in self.causes if cause.treatment.action is Action.DELETE_ATTACHMENT]
        return bool(wanted) and all(cause.finding.parts for cause in wanted)

    @property
    def removed_parts(self) -> frozenset[int]:
        """Numbers of the parts that are removed."""
        wanted = (cause for cause in self.causes if cause.treatment.action is Action.DELETE_ATTACHMENT)
        return frozenset(part for cause in wanted for part in cause.finding.parts)
