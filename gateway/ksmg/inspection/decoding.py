"""Content-Transfer-Encodings: what a body is once decoded, its beginning and its size, as far as possible untouched.

Source: RFC 2045 6. Decoders differ in what they do with padding that is followed by more: see `base64_doubt`.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Iterator

from ksmg.inspection.fields import Content

Tick = Callable[[], None]
"""Called during what can take long. It raises what ends it."""

IDENTITY, BASE64, QUOTED, UU = "", "base64", "quoted-printable", "x-uuencode"
YENC, BINHEX = "x-yenc", "x-binhex"

_ALIASES = {
    **dict.fromkeys(("", "7bit", "8bit", "binary", "7-bit", "8-bit", "7bits", "8bits", "none", "identity"), IDENTITY),
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii", "text", "plain", "iso-8859-1"), IDENTITY),
    **dict.fromkeys(("base64", "base-64", "x-base64", "b64"), BASE64),
    **dict.fromkeys(("quoted-printable", "quoted/printable", "quotedprintable", "q-p", "qp"), QUOTED),
    **dict.fromkeys(("x-uuencode", "uuencode", "x-uue", "uue", "x-uu"), UU),
    **dict.fromkeys(("binhex", "binhex40", "mac-binhex40", "x-binhex", "x-binhex40"), BINHEX),
}
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_WORD = re.compile(rb"[\s\"']*([^\s;\"'(),]*)")
_YENC_ESCAPE = re.compile(rb"=(.)", re.DOTALL)
_YENC_TABLE = bytes((byte - 42) % 256 for byte in range(256))
_WINDOW = 65_536
_TICK_EVERY = 4_096
_LEAST_LOST = 16
"""Characters of base64 after a padding that make a difference between decoders worth a doubt."""


def encoding_of(value: bytes) -> tuple[str, bool]:
    """The encoding that a field's value names, and whether it is a known one."""
    match = _WORD.match(value)
    word = match[1].decode("ascii", "replace").lower() if match else ""
    return _ALIASES.get(word, word), word in _ALIASES


def no_tick() -> None:
    """For who has all the time there is."""


def decode_all(content: Content, start: int, end: int, encoding: str, tick: Tick = no_tick) -> bytes:
    """The whole body, decoded as most clients do. `tick` is called now and then, to end what takes too long."""
    return decoded(content[start:end], encoding, tick)


def decoded(raw: bytes, encoding: str, tick: Tick = no_tick) -> bytes:
    """Bytes out of an encoded text; what is no part of the encoding is passed over."""
    if encoding == BASE64:
        return _base64(raw, tick)
    if encoding == QUOTED:
        return binascii.a2b_qp(raw)
    if encoding == YENC:
        return _yenc(raw)
    return uudecoded(raw, tick) if encoding == UU else raw


def beginning(content: Content, start: int, end: int, encoding: str, wanted: int) -> bytes:
    """The first bytes of the decoded body. Garbage before them is passed over, however long."""
    if encoding == BASE64:
        kept, at, needed = b"", start, wanted * 4 // 3 + 4
        width = wanted * 2
        while at < end and len(kept) < needed:
            kept += content[at : min(at + width, end)].translate(None, _NOT_BASE64)
            at += width
            width = _WINDOW
        return _base64(kept[: needed - needed % 4], no_tick)[:wanted]
    if encoding == IDENTITY:
        return content[start : min(start + wanted, end)]
    return decoded(content[start : min(start + wanted * 4, end)], encoding)[:wanted]


def _base64(raw: bytes, tick: Tick) -> bytes:
    """Padded pieces one after the other, which is what decoders that go on after a padding make of them."""
    try:
        if raw.find(b"=", 0, max(0, len(raw.rstrip(b"=\r\n \t")))) < 0:
            return binascii.a2b_base64(raw)
    except binascii.Error:
        pass
    kept = raw.translate(None, _NOT_BASE64)
    return b"".join(map(_piece, _ticking(filter(None, kept.split(b"=")), tick)))


def _ticking(pieces: Iterable[bytes], tick: Tick) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        if not number % _TICK_EVERY:
            tick()
        yield piece


def _piece(kept: bytes) -> bytes:
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def base64_doubt(content: Content, start: int, end: int) -> bool:
    """Whether so much follows a padding in the middle that decoders, which stop there or go on, see different files."""
    padding = content.find(b"=", start, end)
    if padding < 0 or end - padding < _LEAST_LOST:
        return False
    rest = content[padding:end].translate(None, _NOT_BASE64).lstrip(b"=").replace(b"=", b"")
    return len(rest) >= _LEAST_LOST


def decoded_size(content: Content, start: int, end: int, encoding: str, tick: Tick = no_tick) -> int:
    """Bytes of the decoded body; of base64 reckoned from its length and line ends."""
    if encoding == BASE64:
        size = 0
        for at in range(start, end, _WINDOW):
            window = content[at : min(at + _WINDOW, end)]
            size += len(window) - window.count(b"\n") * (2 if b"\r" in window else 1)
        padding = content[max(start, end - 8) : end].count(b"=")
        return max(0, size - padding) * 3 // 4
    if encoding in (QUOTED, UU):
        return len(decode_all(content, start, end, encoding, tick))
    return end - start


def _yenc(raw: bytes) -> bytes:
    """yEnc draft 1.3: each byte plus 42, critical ones escaped; lines with `=y` are its own."""
    lines = raw.replace(b"\r", b"").split(b"\n")
    coded = b"".join(line for line in lines if not line.startswith(b"=y"))
    plain = _YENC_ESCAPE.sub(lambda escaped: bytes([(escaped[1][0] - 64) % 256]), coded)
    return plain.translate(_YENC_TABLE)


def uudecoded(raw: bytes, tick: Tick) -> bytes:
    """What uuencoded lines hold, with or without their `begin` line, as far as they can be decoded."""
    pieces = []
    for line in _ticking(raw.replace(b"\r", b"").split(b"\n"), tick):
        if not line or line.startswith(b"begin "):
            continue
        if line == b"end":
            break
        pieces.append(_uu_line(line))
    return b"".join(pieces)


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        width = (((line[0] - 32) & 63) * 4 + 5) // 3  # some encoders pad the last line with garbage
        try:
            return binascii.a2b_uu(line[:width])
        except binascii.Error:
            return b""
