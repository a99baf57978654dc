"""Header fields that the gateway writes: their names, and the only way by which text becomes a name or a value.

Sources: RFC 5322 2.1.1 (lines), 3.6.8 (names); RFC 2047 (characters beyond ASCII).
"""

import base64
import re
import time
from collections.abc import Iterator

SPAM_FLAG_HEADER = "X-Spam-Flag"
ANTISPAM_HEADER = "X-KSMG-AntiSpam"
UNSCANNED_HEADER = "X-KSMG-Unscanned"
NOTIFICATION_HEADER = "X-KSMG-Notification"
"""In every notification of the gateway: it is never answered by another one."""
OWN_PREFIX = b"x-ksmg-"
"""Fields that only this gateway writes, lower case; what a sender writes there is removed."""

SOFT_LIMIT, HARD_LIMIT = 78, 998
"""Bytes of a line that should not and must not be exceeded."""
LONGEST_VALUE = 4000
"""Characters of a value that are kept."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_STRUCTURAL = re.compile(r"content-.*|mime-version|received|return-path|resent-.*|bcc|dkim-signature|arc-.*|x-ksmg-.*")
_WORD_BYTES = 42
"""Bytes of text in an encoded word: 56 of base64, with its frame below RFC 2047's 75."""


def header_name(text: str) -> bytes:
    """A name that a rule may give a field.

    Raises ValueError, the end of a sentence, for one that is none or that a mail system has to write by itself.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a header field")
    if _STRUCTURAL.fullmatch(text.lower()):
        raise ValueError(f"{text} is a field that only mail systems write")
    return text.encode("ascii")


def field_value(text: str, name: bytes = b"") -> bytes:
    """Any text as a field's value: one line of it, folded, other characters than ASCII in encoded words."""
    clean = _UNSAFE.sub(" ", text).strip()[:LONGEST_VALUE]
    if clean.isascii():
        return fold(b" " + clean.encode("ascii"), len(name) + 1)
    return b" " + b"\n ".join(encoded_words(clean))


def date_text(now: float | None = None) -> str:
    """A time (seconds since 1970; None: now) as fields have it, in UTC and whatever the locale (RFC 5322 3.3)."""
    when = time.gmtime(now)
    day, month = _DAYS[when.tm_wday], _MONTHS[when.tm_mon - 1]
    return f"{day}, {when.tm_mday:02} {month} {when.tm_year} {when.tm_hour:02}:{when.tm_min:02}:{when.tm_sec:02} +0000"


def encoded_words(text: str) -> Iterator[bytes]:
    """The text in encoded words, none with a part of a character."""
    piece = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _WORD_BYTES:
            yield b"=?utf-8?b?" + base64.b64encode(piece) + b"?="
            piece = b""
        piece += encoded
    yield b"=?utf-8?b?" + base64.b64encode(piece) + b"?="


def fold(value: bytes, used: int) -> bytes:
    """A value with its lines folded at spaces; `used` are the bytes before it in its first line.

    A word that is too long even for a line of its own is broken.
    """
    if used + len(value) <= SOFT_LIMIT:
        return value
    lines = [b""]
    for word in re.findall(rb"[ \t]*[^ \t]*", value):
        room = SOFT_LIMIT - len(lines[-1]) - (used if len(lines) == 1 else 0)
        if len(word) > room and lines[-1].strip() and word.strip() and word[:1] in (b" ", b"\t"):
            lines.append(b"")
        lines[-1] += word
    return b"\n".join(piece for line in lines for piece in _broken(line))


def _broken(line: bytes) -> Iterator[bytes]:
    width = HARD_LIMIT - 100
    yield line[:width]
    for start in range(width, len(line), width):
        yield b" " + line[start : start + width]
