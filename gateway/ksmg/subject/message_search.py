"""Finds a person in a message: headers, names of files, and the text that people read; not what is in attachments."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.cli.page_text import page_text
from ksmg.inspection.limits import Limits
from ksmg.inspection.walk import Body, OutOfTime, walk_bodies
from ksmg.mail.structure import Part
from ksmg.subject.matcher import Matcher, decoded_words

_SECONDS = 10.0
"""For the structure of one message; one that takes longer is searched as it is, without decoding its parts."""
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PARTIES = frozenset(
    {
        b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"return-path", b"delivered-to", b"x-original-to",
        b"resent-from", b"resent-sender", b"resent-to", b"resent-cc", b"resent-bcc", b"disposition-notification-to",
        b"errors-to", b"apparently-to", b"mail-followup-to",
    }
)  # fmt: skip
"""Fields that say whose message it is."""


@dataclass(frozen=True)
class Presence:
    """Where a person is in a message. `party`: as its sender or a recipient, by its own header."""

    party: bool = False
    places: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.places)

    def __add__(self, other: "Presence") -> "Presence":
        return Presence(self.party or other.party, self.places + other.places)


def search_message(content: bytes, matcher: Matcher) -> Presence:
    """Where the person is in a message with CRLF or LF line ends."""
    try:
        structure, bodies = walk_bodies(content, len(content), Limits(), time.monotonic() + _SECONDS)
    except OutOfTime:
        found = ("somewhere in a message whose structure takes too long to read",)
        return Presence(False, found if matcher.spans(content) else ())
    parts = structure.parts
    fields = list(_fields(content[: parts[0].body] if parts else content, matcher))
    places = [f"header {name.decode('ascii', 'replace')}" for name in dict.fromkeys(fields)]
    for part, body in zip(parts, bodies, strict=True):
        places += _in_part(part, body, content, matcher)
    return Presence(bool(_PARTIES.intersection(fields)), tuple(dict.fromkeys(places)))


def _in_part(part: Part, body: Body, content: bytes, matcher: Matcher) -> Iterator[str]:
    if part.number and next(_fields(content[part.start : part.body], matcher), None):
        yield "header of a part"
    if any(map(matcher.within, part.names)):
        yield "name of a file"
    if not part.container and not part.attachment and any(map(matcher.within, _texts(part, body))):
        yield "text"


def _fields(header: bytes, matcher: Matcher) -> Iterator[bytes]:
    """The names, in lower case, of the fields with the person in them."""
    if not matcher.suspects(header):
        return
    for name, value in _FIELD.findall(header.replace(b"\r\n", b"\n")):
        if matcher.spans(value) or (b"=?" in value and matcher.within(decoded_words(value))):
            yield name.lower()


def _texts(part: Part, body: Body) -> Iterator[str]:
    """What can be read in a part: of a page its source too, where links and what is hidden have addresses."""
    raw = body.decoded()
    try:
        text = raw.decode(part.charset or "utf-8", "replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", "replace")
    yield text
    if part.content_type == "text/html":
        yield page_text(text)
