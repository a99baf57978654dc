"""The file names that mail clients would show for a part, over all readings.

Source: RFC 2183 2.3, RFC 2231, RFC 2047; Windows' and Unix' rules for what a shown name becomes on disk.
"""

import binascii
import codecs
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence

from ksmg.inspection.parameters import Reading
from ksmg.mail.readable import readable

LONGEST_NAME = 500
"""Characters of a name that are kept: its beginning and its end, because the end says what opens it."""

_PARAMETERS = ("filename", "name")
_SECTION = re.compile(r"(filename|name)\*(?:(\d{1,4})(\*?))?")
_ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(=\?)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_ODD = re.compile(r"[\\/:%\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|^[ .]|[. ]$|\\")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_FILE_LIKE = re.compile(r"[^\s/\\]{1,200}\.[A-Za-z0-9]{1,10}")
_NO_TEXT_CODECS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
"""Codecs that no client uses for names; some of them take quadratic time."""
_LONGEST_RAW = 8_192


def file_names(readings: Sequence[Reading], most: int) -> tuple[str, ...]:
    """Every name, the most usual first. `readings` are of Content-Disposition first, then of Content-Type.

    It stops looking once there are more than `most`.
    """
    found: dict[str, None] = {}
    if not any(reading.parameters for reading in readings):
        return ()
    raws = dict.fromkeys(pair for reading in readings for pair in _raw_names(reading.parameters))
    for raw, charset in raws:
        for name in _decoded(raw[:_LONGEST_RAW] + raw[_LONGEST_RAW:][-LONGEST_NAME:], charset):
            found.update(dict.fromkeys(_variants(name)))
        if len(found) > most:
            break
    found.pop("", None)
    return tuple(found)


def fallback_names(descriptions: Iterable[bytes], locations: Iterable[bytes]) -> tuple[str, ...]:
    """Names that some clients take from Content-Description or Content-Location when a part has no other."""
    found: dict[str, None] = {}
    for raw in (*descriptions, *locations)[:20]:
        for name in _decoded(raw[:LONGEST_NAME].strip(), b""):
            found.update((shown, None) for shown in _variants(name) if _FILE_LIKE.fullmatch(shown))
    return tuple(found)


def _raw_names(parameters: tuple[tuple[str, bytes], ...]) -> Iterator[tuple[bytes, bytes]]:
    """Values of the name parameters with their charset, if they give one."""
    sections: dict[str, list[tuple[int, bool, bytes]]] = {}
    plain = []
    for key, value in parameters:
        if key in _PARAMETERS:
            plain.append(value)
        elif match := _SECTION.fullmatch(key):
            if match[2] is None:
                yield _extended(value)
                yield value, b""
            else:
                sections.setdefault(match[1], []).append((int(match[2]), bool(match[3]), value))
    for pieces in sections.values():
        yield from _continued(pieces)
    for value in plain:
        yield value, b""


def _continued(pieces: list[tuple[int, bool, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """RFC 2231 3: in the order of their numbers. Repeated numbers: the first, the last, and all that were sent."""
    ordered = sorted(pieces, key=lambda piece: piece[0])
    first = list({piece[0]: piece for piece in reversed(ordered)}.values())[::-1]
    last = list({piece[0]: piece for piece in ordered}.values())
    unbroken = [piece for place, piece in enumerate(first) if piece[0] == place]
    as_sent = [(place, extended, value) for place, (_, extended, value) in enumerate(pieces)]
    for way in (first, last, unbroken, ordered, as_sent):
        if way:
            yield _concatenated(way)
            yield b"".join(value for _, _, value in way), b""


def _concatenated(pieces: list[tuple[int, bool, bytes]]) -> tuple[bytes, bytes]:
    charset, value = b"", b""
    for place, (_, extended, piece) in enumerate(pieces):
        if extended and place == 0:
            value, charset = _extended(piece)
        else:
            value += urllib.parse.unquote_to_bytes(piece) if extended else piece
    return value, charset


def _extended(value: bytes) -> tuple[bytes, bytes]:
    """RFC 2231 4: charset'language'percent-encoded; some senders leave the first two out."""
    charset, quote, rest = value.strip(b'"').partition(b"'")
    _, second, encoded = rest.partition(b"'")
    if not second:
        charset, encoded = b"", value if not quote else rest
    return urllib.parse.unquote_to_bytes(encoded), charset


def _decoded(raw: bytes, charset: bytes) -> Iterator[str]:
    yield from dict.fromkeys(_decodings(raw, charset))


def _decodings(raw: bytes, charset: bytes) -> Iterator[str]:
    if b"=?" in raw:
        yield _words_decoded(raw)
        if b" " in raw or b"\t" in raw:
            yield _words_decoded(re.sub(rb"\s+", b"", raw))
    yield decode(raw, charset)
    if b"\\" in raw:
        yield decode(re.sub(rb"\\(.)", rb"\1", raw), charset)
    if b"%" in raw:
        yield decode(urllib.parse.unquote_to_bytes(raw), charset)


def _words_decoded(raw: bytes) -> str:
    """With encoded words (RFC 2047) decoded, wherever they stand: clients do so within quotes too."""
    text, at = [], 0
    raw = _BETWEEN_WORDS.sub(rb"\1\2", raw)
    for match in _ENCODED_WORD.finditer(raw):
        text.append(decode(raw[at : match.start()], b""))
        text.append(decode(_word(match[2], match[3]), match[1].partition(b"*")[0]))
        at = match.end()
    return "".join(text) + decode(raw[at:], b"")


def _word(encoding: bytes, value: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(value, header=True)
    kept = _NOT_BASE64.sub(b"", value)
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def decode(raw: bytes, charset: bytes) -> str:
    """Text of bytes in a charset that a stranger named; UTF-8, else Latin-1, when it is none."""
    try:
        if charset:
            codec = codecs.lookup(charset.decode("ascii"))
            if codec.name.replace("_", "-") not in _NO_TEXT_CODECS:
                return raw.decode(codec.name, "replace")
        return raw.decode("utf-8")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace") if _mostly_utf8(raw) else raw.decode("latin-1")


def _mostly_utf8(raw: bytes) -> bool:
    return raw.decode("utf-8", "ignore").encode() != bytes(b for b in raw if b < 0x80)


def _variants(name: str) -> Iterator[str]:
    """A name as it is shown, and what else it becomes when it is saved."""
    name = _short(name)
    yield readable(name)
    if not _ODD.search(name):
        return
    yield readable(_INVISIBLE.sub("", name))
    if "\0" in name:
        yield readable(name.partition("\0")[0])
    for base in (re.split(r"[\\/]", name)[-1], *_streams(name)):
        yield readable(base)
        yield readable(base.strip(" .\t")) or readable(base)


def _streams(name: str) -> Iterator[str]:
    """Around a colon: Windows' name of a stream of a file, and old Macs' path."""
    if ":" in name:
        base = re.split(r"[\\/]", name)[-1]
        yield base.partition(":")[0]
        yield base.rpartition(":")[2]


def _short(name: str) -> str:
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"
