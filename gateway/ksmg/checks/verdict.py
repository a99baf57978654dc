"""What a check says about a message."""

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ksmg.engines.failure import Reason
from ksmg.mail.envelope import Message


class Status(enum.Enum):
    """The outcome of one check."""

    CLEAN = "clean"
    """The check found nothing."""
    INFECTED = "infected"
    """Malware was found."""
    SPAM = "spam"
    """The message is spam, or probably is."""
    UNSCANNED = "unscanned"
    """The message was not judged; `reason` says why."""


@dataclass(frozen=True)
class Verdict:
    """One check's verdict of one message."""

    check: str
    status: Status
    detail: str = ""
    """What was found or what went wrong, for people: a malware name, a score, a failure."""
    evidence: tuple[str, ...] = ()
    """What weighed most, in the engine's own words."""
    reason: Reason | None = None
    """Why the message is unscanned."""
    score: float | None = None
    seconds: float = 0.0


class Check(ABC):
    """A check of messages."""

    name: ClassVar[str]
    """Its name in settings, events and headers."""
    description: ClassVar[str]
    """What it looks for, for people."""
    outdated: bool = False
    """Whether the last probe found the engine working with missing or old signatures."""

    @abstractmethod
    async def check(self, message: Message) -> Verdict:
        """Judges a message. Raises EngineFailure when it cannot."""

    @abstractmethod
    async def probe(self) -> str:
        """Returns what can be said of a working engine (its version).

        Raises EngineFailure for one that does not work.
        """
