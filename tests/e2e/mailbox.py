"""What arrived at a neighbour's mail server."""

import json
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from e2e.waiting import LIMIT, until


@dataclass(frozen=True)
class Delivery:
    """A message as it came in, with its envelope."""

    content: bytes
    sender: str
    recipients: tuple[str, ...]
    peer: str

    @property
    def message(self) -> Message:
        return message_from_bytes(self.content)


class Mailbox:
    """A neighbour's store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, marker: str) -> Delivery | None:
        """The delivery of the message with this marker, if it is there."""
        for envelope in sorted(self.directory.glob("*.json"), reverse=True):
            content = envelope.with_suffix(".eml").read_bytes()
            if marker.encode() in content:
                facts = json.loads(envelope.read_text())
                return Delivery(content, facts["from"], tuple(facts["to"]), facts["peer"])
        return None

    def receive(self, marker: str, limit: float = LIMIT) -> Delivery:
        """Wait for the message."""
        return until(lambda: self.find(marker), f"message {marker} in {self.directory}", limit)
