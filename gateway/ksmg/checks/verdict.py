"""What a check says about a message: findings, each with a status that rules have a treatment for."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ksmg.engines.failure import Reason
from ksmg.engines.shared import Engines
from ksmg.mail.message import Message

MOST_NAMED = 5
"""Things that a finding's detail names."""


class Status(enum.Enum):
    """What a check found, over all modules; each check names those that it can give."""

    CLEAN = "clean"
    """The check found nothing."""
    INFECTED = "infected"
    """Malware was found."""
    ENCRYPTED = "encrypted"
    """Something in the message is encrypted, so that nobody could look into it."""
    MACRO = "macro"
    """An office document with macros."""
    SPAM = "spam"
    """Spam, beyond doubt."""
    PROBABLE_SPAM = "probable_spam"
    """Probably spam."""
    MASS_MAIL = "mass_mail"
    """Sent to many, such as a newsletter; not spam."""
    PHISHING = "phishing"
    """The message pretends to come from somebody else to obtain secrets."""
    MALICIOUS_LINK = "malicious_link"
    """A link leads to a place that is known to do harm."""
    SIZE = "size"
    """The message is larger than the rule permits."""
    NAME = "name"
    """An attachment has a name that the rule forbids, in an archive too."""
    TYPE = "type"
    """An attachment is of a type by its content that the rule forbids, in an archive too."""
    COUNT = "count"
    """More attachments than the rule permits."""
    SPF_FAIL = "spf_fail"
    """The client may not send for the sender's domain (RFC 7208: fail)."""
    DKIM_FAIL = "dkim_fail"
    """A signature of the message is wrong (RFC 6376: fail)."""
    DMARC_NONE = "dmarc_none"
    """The author's domain is not authenticated; its owner asks for no action (RFC 7489: p=none)."""
    DMARC_QUARANTINE = "dmarc_quarantine"
    """The author's domain is not authenticated; its owner asks to treat the message as suspicious."""
    DMARC_REJECT = "dmarc_reject"
    """The author's domain is not authenticated; its owner asks to refuse the message."""
    UNSCANNED = "unscanned"
    """The check did not judge the message as a whole; the verdict's `reason` says why."""
    RULE = "rule"
    """The rule itself asks for something, whatever the checks find; no check gives it."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found. `parts` are numbers of `mail.structure` that it concerns; none: the whole."""

    status: Status
    detail: str = ""
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """One check's verdict of one message: its findings, the gravest first. None: the message is clean."""

    check: str
    findings: tuple[Finding, ...] = ()
    reason: Reason | None = None
    """Why a message is UNSCANNED."""
    engine: str = ""
    """Versions of the engine and its signatures, as far as it tells."""
    evidence: tuple[str, ...] = ()
    """What weighed most, in the engine's own words, such as `SYMBOL(2.5)`."""
    score: float | None = None
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """The gravest finding's status."""
        return self.findings[0].status if self.findings else Status.CLEAN

    @property
    def detail(self) -> str:
        """The gravest finding's detail, for people."""
        return self.findings[0].detail if self.findings else ""


def found(check: str, status: Status, detail: str = "", **more: Any) -> Verdict:
    """A verdict with one finding."""
    return Verdict(check, (Finding(status, detail),), **more)


def named(things: Sequence[str]) -> str:
    """The first of some things, for a finding's detail, and how many more there are."""
    more = len(things) - MOST_NAMED
    return ", ".join(things[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def unscanned(check: str, reason: Reason, detail: str) -> Verdict:
    """The verdict of a check that could not be made."""
    return Verdict(check, (Finding(Status.UNSCANNED, detail),), reason=reason)


class Check(ABC):
    """A check of messages, a module of the gateway. One file and one class each."""

    name: ClassVar[str]
    """Its name in settings, rules, events and headers."""
    description: ClassVar[str]
    """What it looks for, for people."""
    statuses: ClassVar[tuple[Status, ...]]
    """What it can find, the gravest first; CLEAN and UNSCANNED go without saying."""
    order: ClassVar[int] = 100
    """Its place among the checks in events and status; the lowest comes first."""
    outdated: bool = False
    """Whether the last probe found the engine working with missing or old signatures."""

    def __init__(self, engines: Engines) -> None:
        """Over the engines that all checks share; they know the settings too."""
        self._engines = engines

    @classmethod
    def parse_options(cls, document: Mapping[str, Any]) -> Hashable:
        """A rule's options for this check out of JSON's values, defaults filled in.

        Raises ValueError with the end of a sentence that names the option: `size must be a whole number`.
        """
        if document:
            raise ValueError(f"{sorted(document)[0]} is not an option of {cls.name}")
        return ()

    @abstractmethod
    async def check(self, message: Message, options: Any) -> Verdict:
        """Judges a message under the options that `parse_options` made. Raises EngineFailure when it cannot."""

    @abstractmethod
    async def probe(self) -> str:
        """Returns what can be said of a working engine (its version).

        Raises EngineFailure for one that does not work.
        """
