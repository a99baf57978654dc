"""What allow and deny lists say about a sender, for one recipient."""

import enum
from dataclasses import dataclass
from typing import Protocol

from ksmg.rules.networks import IPAddress


class Verdict(enum.Enum):
    """What a list says."""

    ALLOW = "allow"
    """An allow list names the sender."""
    DENY = "deny"
    """A deny list names the sender, whatever an allow list says."""


@dataclass(frozen=True)
class Listing:
    """What was found in the lists."""

    verdict: Verdict
    entry: str
    """The entry as somebody wrote it."""
    owner: str = ""
    """Whose personal list it is in; empty for the global ones."""


class Listings(Protocol):
    """Looks senders up. All addresses are in their normal form, see `rules.patterns`."""

    def listing(self, sender: str, client: IPAddress | None, recipient: str) -> Listing | None:
        """What the lists say; None when none names the sender."""


class NoListings:
    """No lists."""

    def listing(self, _sender: str, _client: IPAddress | None, _recipient: str) -> Listing | None:
        """None."""
        return None
