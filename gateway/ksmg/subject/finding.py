"""What holders of personal data say: what they found, and what became of it."""

import enum
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from ksmg.subject.matcher import Matcher
from ksmg.subject.pseudonyms import Pseudonyms


class Kind(enum.Enum):
    """What was found."""

    MESSAGE = "message"
    """A whole message that the person sent or was to get."""
    MENTION = "mention"
    """A message of others with the person in its subject or text."""
    EVENT = "event"
    """A message event."""
    FLIGHT_RECORD = "flight record"
    """What a message event was made from."""
    COUNT = "count"
    """A line of the statistics."""
    SYSTEM_EVENT = "system event"
    """A record of the audit trail."""
    CONFIGURATION = "configuration"
    """A file of settings, rules, lists or the mail server."""
    LINE = "line"
    """A line of a log."""
    TRACE = "trace line"
    """A line of a trace."""
    QUEUED = "queued message"
    """A message in delivery."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found. `time` in seconds since 1970, or as the log has it."""

    row: str
    """The policy's row; empty for what belongs to none."""
    place: str
    kind: Kind
    text: str
    """For people: one line."""
    time: float | str | None = None
    id: str = ""
    record: Mapping[str, Any] | None = None
    """All of it, as JSON can hold it."""
    original: Callable[[], AbstractContextManager[BinaryIO]] | None = None
    """Opens the message, exactly as received."""

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        fields = {"row": self.row, "place": self.place, "kind": self.kind.value, "time": self.time, "id": self.id}
        return {**fields, "text": self.text, **({"record": dict(self.record)} if self.record else {})}


@dataclass(frozen=True)
class Scope:
    """What is erased beyond the usual. Without these, it is reported and stays."""

    mentions: bool = False
    """Messages of others that mention the person."""
    queue: bool = False
    """Messages in delivery."""
    configuration: bool = False
    """Entries of allow and deny lists, and old versions of rules."""


@dataclass(frozen=True)
class Erasure:
    """One run of erasing."""

    matcher: Matcher
    pseudonyms: Pseudonyms
    scope: Scope = Scope()


@dataclass
class Outcome:
    """What became of what was found in one place."""

    row: str
    place: str
    erased: int = 0
    pseudonymised: int = 0
    kept: int = 0
    grounds: list[str] = field(default_factory=list)
    """Why something was kept, or what else there is to say: sentences."""

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        numbers = {"erased": self.erased, "pseudonymised": self.pseudonymised, "kept": self.kept}
        return {"row": self.row, "place": self.place, **numbers, "grounds": self.grounds}


class Holder(Protocol):
    """One place that may hold data of a person."""

    @property
    def row(self) -> str:
        """The policy's row; empty for a place that belongs to none."""

    @property
    def place(self) -> str:
        """Where it is."""

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """What there is about the person, one after the other. Raises OSError or sqlite3.Error."""

    def erase(self, run: Erasure) -> Outcome:
        """Erases what may be erased. Raises OSError or sqlite3.Error; it can be done again then."""
