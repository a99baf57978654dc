"""Keyed pseudonyms: the same person has the same one throughout a run, and nobody can go back once the key is gone."""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ksmg.subject.matcher import Matcher, Span

_LETTERS = b"abcdefghijklmnopqrstuvwxyz234567"
_CHARACTER = re.compile(rb"\\(?:u[0-9a-f]{4}|.)|.", re.IGNORECASE | re.DOTALL)
"""A byte, or an escape of JSON, of which nothing may be left over."""
_KEPT = frozenset({b"@", b".", b"<", b">", b'"', b'\\"', b" ", b",", b"\t", b"\r", b"\n"})
"""What stays where it is, so that who reads lines still finds addresses and quoted texts in them."""
ERASED = "[erased]"
"""In the place of a text that is gone as a whole, such as a subject."""


class Pseudonyms:
    """The pseudonyms of one run, for one person."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._key = bytearray(os.urandom(32))
        self._stream = b""

    def cover(self, data: bytes) -> bytes:
        """As many bytes in the place of some: letters and digits, but what separates addresses and texts stays."""
        letters = self._letters(len(data))
        return _CHARACTER.sub(lambda one: one[0] if one[0] in _KEPT else letters[one.start() : one.end()], data)

    def covered(self, data: bytes, spans: Iterable[Span]) -> bytes:
        """The same data, of the same length, with pseudonyms in the place of spans."""
        written = bytearray(data)
        for span in spans:
            written[span.start : span.end] = self.cover(data[span.start : span.end])
        return bytes(written)

    def text(self, text: str, gone: Iterable[str] = ()) -> str:
        """A text with pseudonyms for the person; other texts that are to go are replaced as a whole."""
        for one in sorted(gone, key=len, reverse=True):
            text = text.replace(one, ERASED)
        data = text.encode("utf-8", "replace")
        spans = self._matcher.spans(data)
        return self.covered(data, spans).decode("utf-8", "replace") if spans else text

    def value(self, value: Any, gone: tuple[str, ...] = ()) -> Any:
        """The same for all texts within what JSON can hold."""
        match value:
            case str():
                return self.text(value, gone)
            case Mapping():
                return {self.text(name): self.value(one, gone) for name, one in value.items()}
            case list() | tuple():
                return type(value)(self.value(one, gone) for one in value)
            case _:
                return value

    def forget(self) -> None:
        """Throws the key away."""
        self._key[:] = bytes(len(self._key))
        self._stream = b""

    def _letters(self, length: int) -> bytes:
        """A stream of letters that only the key knows."""
        while len(self._stream) < length:
            block = len(self._stream) // 32
            digest = hmac.new(self._key, self._name() + block.to_bytes(8, "big"), hashlib.sha256).digest()
            self._stream += bytes(_LETTERS[byte % len(_LETTERS)] for byte in digest)
        return self._stream[:length]

    def _name(self) -> bytes:
        return self._matcher.person.address.encode("utf-8", "replace")
