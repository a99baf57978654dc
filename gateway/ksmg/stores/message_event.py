"""One event of the message processing event log."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class MessageEvent:
    """What happened to one message, for those of its recipients that fall under one rule.

    Times in seconds since 1970, text made readable, lists in the order of the message.
    """

    id: str
    time: float
    node: str
    queue_id: str
    message_id: str
    client_ip: str
    client_name: str
    helo: str
    account: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    size: int
    attachments: tuple[str, ...]
    rule: str
    verdicts: tuple[Mapping[str, Any], ...]
    """Each with `check` and `status`, and as far as they apply `detail`, `findings` (`status`, `detail`), `evidence`,
    `reason`, `score`, `engine`, `milliseconds`."""
    action: str
    reply: str
    backup_id: str
    milliseconds: float
    """From the end of the message to its answer."""
    message: str = ""
    """The same for all events of one message: the id of the first of them. Empty: this is the only one."""
    direction: str = ""
    """A value of `mail.facts.Direction`, or `mixed`."""
    changed: bool = False
    """Whether these recipients get the message other than it came."""
    marks: tuple[str, ...] = ()
    """What else was done, for people: `tagged`, `attachment removed: x.exe`."""
    quarantine_id: str = ""
    unscanned: str = ""
    """Why the message, or a part of it, was not scanned; empty when all of it was."""
    own_milliseconds: float = 0.0
    """`milliseconds` without the engines' time."""

    @property
    def first(self) -> bool:
        """Whether it is the first event of its message, the one that stands for it where messages are counted."""
        return self.message in ("", self.id)

    @cached_property
    def statuses(self) -> tuple[tuple[str, str], ...]:
        """What each module found, each finding once: `("antivirus", "infected")`."""
        found = [(verdict["check"], verdict["status"]) for verdict in self.verdicts]
        for verdict in self.verdicts:
            found += [(verdict["check"], finding["status"]) for finding in verdict.get("findings", ())]
        return tuple(dict.fromkeys(found))

    @property
    def details(self) -> tuple[str, ...]:
        """What the modules said about what they found."""
        found = [verdict["detail"] for verdict in self.verdicts if verdict.get("detail")]
        for verdict in self.verdicts:
            found += [finding["detail"] for finding in verdict.get("findings", ()) if finding.get("detail")]
        return tuple(dict.fromkeys(found))
