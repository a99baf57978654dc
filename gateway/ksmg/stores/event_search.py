"""What message events are looked for by, and when one matches.

Upper and lower case are the same in the scripts in which both FTS5 and we know them: Latin, Greek, Cyrillic, Armenian.
"""

import functools
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_event_rows import text

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_CASED = (range(0x37F), range(0x380, 0x528), range(0x531, 0x557), range(0x1E00, 0x2000), range(0xFF21, 0xFF3B))


@dataclass(frozen=True)
class Criteria:
    """What an event has to meet, all of it. Empty fields ask for nothing.

    Texts are searched for anywhere in the field, also in a part of a word; queue id, message id, action, rule and
    direction are given whole.
    """

    words: tuple[str, ...] = ()
    """Each occurs in sender, recipients, subject, attachment names, rule or the modules' details, or is the event's
    id, queue id or message id."""
    sender: str = ""
    recipient: str = ""
    subject: str = ""
    attachment: str = ""
    network: IPNetwork | None = None
    """Where the client is; a single address is a network too."""
    action: str = ""
    rule: str = ""
    direction: str = ""
    statuses: tuple[tuple[str, str], ...] = ()
    """Modules and what they found: `("antivirus", "infected")`."""
    name: str = ""
    """The event's id or its queue id."""
    queue_id: str = ""
    message_id: str = ""
    """With or without the angle brackets."""
    unscanned: bool | None = None
    since: float | None = None
    until: float | None = None
    smallest: int | None = None
    largest: int | None = None

    def matches(self, event: MessageEvent) -> bool:
        """Whether the event meets all criteria."""
        return all(self._answers(event))

    def _answers(self, event: MessageEvent) -> Iterator[bool]:
        yield self.since is None or event.time >= self.since
        yield self.until is None or event.time < self.until
        yield self.smallest is None or event.size >= self.smallest
        yield self.largest is None or event.size <= self.largest
        yield self.unscanned is None or bool(event.unscanned) is self.unscanned
        yield self.action in ("", event.action)
        yield self.rule in ("", event.rule)
        yield self.direction in ("", event.direction)
        yield self.name in ("", event.id, event.queue_id)
        yield self.queue_id in ("", event.queue_id)
        yield not self.message_id or event.message_id in bracketed(self.message_id)
        yield self.network is None or within(event.client_ip, self.network)
        yield set(self.statuses) <= set(event.statuses)
        yield contains(self.sender, event.sender)
        yield contains(self.subject, event.subject)
        yield any_contains(self.recipient, event.recipients)
        yield any_contains(self.attachment, event.attachments)
        yield from (_says(event, word) for word in self.words)


def _says(event: MessageEvent, word: str) -> bool:
    if word in (event.id, event.queue_id) or event.message_id in bracketed(word):
        return True
    fields = (event.sender, *event.recipients, event.subject, *event.attachments, event.rule, *event.details)
    return any_contains(word, fields)


class _Folding(dict[int, int]):
    """Lower case of single characters, filled as they come."""

    def __missing__(self, point: int) -> int:
        lower = chr(point).lower()
        self[point] = ord(lower) if len(lower) == 1 and any(point in cased for cased in _CASED) else point
        return self[point]


_FOLDING = _Folding()


def fold(value: str) -> str:
    """The text without the difference of upper and lower case."""
    return value.lower() if value.isascii() else value.translate(_FOLDING)


def contains(needle: str, value: str) -> bool:
    """Whether the value has the text somewhere in it, whatever their case."""
    return not needle or folded(needle) in fold(value)


def any_contains(needle: str, values: Iterable[str]) -> bool:
    """Whether one of the values has the text in it."""
    return not needle or any(folded(needle) in fold(value) for value in values)


@functools.lru_cache(64)
def folded(needle: str) -> str:
    """What is looked for, as it is compared with folded values."""
    return fold(text(needle))


def bracketed(message_id: str) -> tuple[str, str]:
    """A Message-ID as it is given, and in angle brackets."""
    return message_id, f"<{message_id}>"


@functools.lru_cache(4096)
def within(client_ip: str, network: IPNetwork) -> bool:
    """Whether an address, as text, is in a network."""
    try:
        return ipaddress.ip_address(client_ip) in network
    except ValueError:
        return False
