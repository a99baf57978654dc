"""Finds a person in bytes and texts."""

import binascii
import email.header
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.subject.person import Person
from ksmg.subject.spellings import address_spellings, base64_spellings, expression, needles

LONGEST_MATCH = 4096
"""Bytes; more than any spelling of an address takes."""
_ENCODED_WORD = re.compile(rb"=\?([!-~]{1,75}?)\?([bq])\?([!->@-~]{0,4096}?)\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(rb"(?:[ \t\r\n]|\\[nrt])*")


@dataclass(frozen=True, order=True)
class Span:
    """Where something of the person is: from `start` to before `end`."""

    start: int
    end: int


class Matcher:
    """Knows one person's spellings."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._needles = needles(person)
        self._address = expression(address_spellings(person))
        self._base64 = tuple(base64_spellings(person))

    def suspects(self, data: bytes) -> bool:
        """Whether the person may be in it. Quick, and never wrong when it says no."""
        if b"=?" in data or any(coded in data for coded in self._base64):
            return True
        lowered = data.lower()
        return any(needle.hint in lowered for needle in self._needles)

    def spans(self, data: bytes) -> list[Span]:
        """Everything of the person in it, in order, nothing twice."""
        return _merged([*self._plain_spans(data), *self._base64_spans(data), *self._encoded_words(data)])

    def within(self, text: str) -> bool:
        """Whether the person is in a text."""
        return bool(self.spans(_bytes(text)))

    def names(self, address: str) -> bool:
        """Whether an envelope's address is the person's."""
        return self._address.fullmatch(_bytes(address).strip(b"<> ")) is not None

    def _plain_spans(self, data: bytes) -> Iterator[Span]:
        lowered = data.lower()
        for needle in self._needles:
            yield from (Span(*match.span()) for match in needle.matches(data, lowered))

    def _base64_spans(self, data: bytes) -> Iterator[Span]:
        for coded in self._base64:
            at = data.find(coded)
            while at >= 0:
                yield Span(at, at + len(coded))
                at = data.find(coded, at + 1)

    def _encoded_words(self, data: bytes) -> Iterator[Span]:
        """Encoded words with the person in them; those that follow each other are one text (RFC 2047 6.2)."""
        run: list[re.Match[bytes]] = []
        for word in _ENCODED_WORD.finditer(data) if b"=?" in data else ():
            if run and not _BETWEEN_WORDS.fullmatch(data, run[-1].end(), word.start()):
                yield from self._in_run(run)
                run = []
            run.append(word)
        yield from self._in_run(run)

    def _in_run(self, run: list["re.Match[bytes]"]) -> Iterator[Span]:
        if run and any(self._plain_spans(_bytes("".join(map(_decoded, run))))):
            yield from (Span(*word.span(3)) for word in run)


def decoded_words(value: bytes) -> str:
    """A header field's value, of any length, with its encoded words decoded."""
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", value)
    joined = re.sub(rb"(\?=)\s+(?==\?)", rb"\1", unfolded)
    pieces, at = [], 0
    for word in _ENCODED_WORD.finditer(joined):
        pieces += [joined[at : word.start()].decode("utf-8", "replace"), _decoded(word)]
        at = word.end()
    return "".join((*pieces, joined[at:].decode("utf-8", "replace")))


def _decoded(word: "re.Match[bytes]") -> str:
    charset, encoding, payload = (group.decode("ascii") for group in word.groups())
    try:
        ((found, _),) = email.header.decode_header(f"=?{charset}?{encoding}?{payload}?=")
    except (ValueError, binascii.Error, email.errors.HeaderParseError):
        return ""
    raw = found if isinstance(found, bytes) else found.encode("utf-8", "replace")
    try:
        return raw.decode(charset.partition("*")[0], "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace")


def _merged(spans: list[Span]) -> list[Span]:
    """Spans in order, those that overlap as one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start < found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found
