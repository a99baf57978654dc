"""Who may be told about a message. Sources: RFC 3834 2 (automatic responses), RFC 2919 (lists)."""

import re
from collections.abc import Iterable, Mapping, Sequence

from ksmg.changes.fields import NOTIFICATION_HEADER
from ksmg.changes.source import header_fields
from ksmg.mail.facts import Direction, Neighbourhood
from ksmg.mail.message import Message
from ksmg.rules.treatment import Decision, Notified

_OWN = NOTIFICATION_HEADER.lower().encode()
_LISTS = (b"list-id", b"list-post", b"list-unsubscribe", b"list-help", b"mailing-list", b"x-loop", b"feedback-id")
_DOUBTFUL = {b"auto-submitted": (b"no",), b"precedence": (b"first-class", b"normal", b"special-delivery")}
"""Fields that make a message automatic, unless they have one of these values."""
_MACHINE = re.compile(
    r"(?:mailer-daemon|postmaster|.*-(?:request|bounces?|owner)|owner-.*|no-?reply|do-?not-?reply)@", re.I
)
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f-\x9f]{1,64}@[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f-\x9f]{1,255}")


def addressees(
    message: Message,
    decision: Decision,
    recipients: Sequence[int],
    neighbourhood: Neighbourhood,
    postmaster: str | None,
) -> Mapping[Notified, tuple[str, ...]]:
    """Who is told about a decision for some of the recipients (their numbers in the envelope).

    The administrator hears of everything but notifications, so that no field of a message hides it. Senders and
    recipients hear nothing about automatic mail.
    """
    wanted = {one for cause in decision.causes for one in cause.treatment.notify}
    if not wanted or message.spooled.header_counts[_OWN]:
        return {}
    found: dict[Notified, tuple[str, ...]] = {}
    if Notified.ADMINISTRATOR in wanted and postmaster:
        found[Notified.ADMINISTRATOR] = _safe([postmaster])
    if not wanted.isdisjoint({Notified.SENDER, Notified.RECIPIENT}) and not automatic(message):
        if Notified.SENDER in wanted and _from_us(message, neighbourhood):
            found[Notified.SENDER] = _safe([message.facts.sender])
        if Notified.RECIPIENT in wanted:
            ours = (message.facts.recipients[number] for number in recipients)
            found[Notified.RECIPIENT] = _safe(address for address in ours if neighbourhood.ours(address))
    return {who: addresses for who, addresses in found.items() if addresses}


def automatic(message: Message) -> bool:
    """Whether no person sent it: a bounce, an automatic answer, a mailing list, or a mail system."""
    counts = message.spooled.header_counts
    if not message.facts.sender or _MACHINE.match(message.facts.sender) or any(counts[name] for name in _LISTS):
        return True
    if not any(counts[name] for name in _DOUBTFUL):
        return False
    fields = ((name.lower(), value) for name, value in header_fields(message.spooled))
    return any(name in _DOUBTFUL and _word(value) not in _DOUBTFUL[name] for name, value in fields)


def _from_us(message: Message, neighbourhood: Neighbourhood) -> bool:
    inside = all(direction is not Direction.INBOUND for direction in message.facts.directions)
    return inside and bool(message.facts.directions) and neighbourhood.ours(message.facts.sender)


def _word(value: bytes) -> bytes:
    return value.partition(b";")[0].strip().lower()


def _safe(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each once; an address that would need quotes is left out."""
    return tuple(dict.fromkeys(address for address in addresses if _ADDRESS.fullmatch(address)))
