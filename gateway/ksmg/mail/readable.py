"""Makes text for people and for logs out of bytes that a stranger sent."""

import email.errors
import email.header
import re
from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
LONGEST_TEXT = 1000
"""Characters of a header value that are kept for people; the message itself keeps all."""


def readable(value: bytes | str) -> str:
    """One line of valid text.

    UTF-8 where it is, escapes where it is not, no control or direction-changing characters.
    """
    text = value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
    if text.isascii() and text.isprintable():  # nearly all
        return text.strip()[:LONGEST_TEXT]
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")  # lone surrogates cannot be stored
    return _CONTROL.sub(" ", text).strip()[:LONGEST_TEXT]


def all_readable(values: Sequence[str]) -> list[str]:
    """Each of them as `readable` makes it; quick for short words without spaces, as modules' evidence has them."""
    together = "".join(values)
    if len(together) <= LONGEST_TEXT and together.isascii() and together.isprintable() and " " not in together:
        return list(values)
    return list(map(readable, values))


def decoded_header(value: bytes) -> str:
    """A header value with its encoded words (RFC 2047) decoded and its folding undone, made readable."""
    unfolded = _FOLD.sub(" ", value[: 8 * LONGEST_TEXT].decode("utf-8", "surrogateescape"))
    if "=?" not in unfolded:
        return readable(unfolded.encode("utf-8", "surrogateescape"))
    try:
        pieces = email.header.decode_header(unfolded)
    except (email.errors.HeaderParseError, ValueError):
        return readable(unfolded)
    return readable("".join(_decoded(piece, charset) for piece, charset in pieces))


def _decoded(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return piece.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return piece.decode("utf-8", "backslashreplace")
