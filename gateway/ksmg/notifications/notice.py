"""One notification, as a message."""

import uuid
from dataclasses import dataclass

from ksmg.changes.fields import NOTIFICATION_HEADER, date_text, field_value
from ksmg.changes.rewriting import leaf
from ksmg.changes.source import Field
from ksmg.changes.texts import clean


@dataclass(frozen=True)
class Notice:
    """A notification and whom it goes to. Its envelope has no sender, so that nothing comes back."""

    address: str
    content: bytes


def compose(address: str, subject: str, text: str, host: str, now: float | None = None) -> Notice:
    """A notification to a safe address. `now`: seconds since 1970. The message that it is about is never in it."""
    fields, body = leaf("plain", clean(text).replace("\n", "\r\n") + "\r\n", ())
    own = {
        "Date": date_text(now),
        "From": f"Mail gateway <postmaster@{host}>",
        "Message-ID": f"<{uuid.uuid4()}@{host}>",
        "Subject": subject,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        NOTIFICATION_HEADER: host,
        "MIME-Version": "1.0",
    }
    head = [Field(name.encode("ascii"), _value(text, name)) for name, text in own.items()]
    to = Field(b"To", b" <" + address.encode("utf-8", "surrogateescape") + b">")
    return Notice(address, b"".join(field.raw for field in [*head, to, *fields]) + b"\r\n" + body)


def _value(text: str, name: str) -> bytes:
    return field_value(text, name.encode("ascii")).replace(b"\n", b"\r\n")
