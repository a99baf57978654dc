"""Values with parameters (Content-Type, Content-Disposition), in every reading that parsers are known to have.

Source: RFC 2045 5.1, RFC 2183, RFC 2231; and what clients do with values that follow none of them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_SPACE = rb"[ \t\r\n]*"
_WORD = re.compile(rb"(?:[\s\"']|\([^()]*\))*+([^\s;,\"()]*)")
_PARAMETER = re.compile(
    _SPACE + rb";" + _SPACE + rb"([!#$&+\-.0-9A-Z^_`a-z{|}~]+)="
    rb'(?:"([^"\\\0\r\n]*)"|([^\s;"()<>@,:\\/\[\]?=\0]+))'
)
_LOOSE = re.compile(
    rb'([a-zA-Z0-9_.-]{1,60})(\*?[0-9]{0,4}\*?)[ \t]{0,20}=[ \t]*("(?:[^"\\]|\\.)*"|[^\s;]+)', re.DOTALL
)
_FOLD = re.compile(rb"\r?\n[ \t]*")
_TOKEN = re.compile(rb"[^\s()<>@,;:\\\"/\[\]?=]+")
_COMMENT = re.compile(rb"\([^()]*\)")
LONGEST_VALUE = 16_384
"""Bytes of a field that is read in more than one way. Names in RFC 2231's pieces have some hundreds."""
_MOST_PARAMETERS = 500
"""Parameters of one field that are read. RFC 2231 splits a name into some dozens at most."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A field's value in one way to read it."""

    word: bytes
    """What stands before the parameters, lower case."""
    parameters: tuple[tuple[str, bytes], ...]
    """Names in lower case with RFC 2231's asterisks; values without quotes."""

    def get(self, name: str) -> bytes:
        """The first value of a parameter, empty when there is none."""
        return next((value for key, value in self.parameters if key == name), b"")


def read_value(raw: bytes) -> tuple[Reading, ...]:
    """All readings, the most usual first. A well-formed value has one."""
    match = _WORD.match(raw)
    word, at = (match[1].lower(), match.end()) if match else (b"", 0)
    parameters = []
    while found := _PARAMETER.match(raw, at):
        quoted = found[2]
        parameters.append((found[1].decode("ascii").lower(), found[3] if quoted is None else quoted))
        at = found.end()
    if not raw[at:].strip(b" \t\r\n;") and at:
        return (Reading(word, tuple(parameters)),)
    return _odd_readings(raw[:LONGEST_VALUE], word)


def _odd_readings(raw: bytes, word: bytes) -> tuple[Reading, ...]:
    flat = _FOLD.sub(b" ", raw)
    tail = flat.partition(b";")[2] if b";" in flat else flat
    pieces = tail.split(b";", _MOST_PARAMETERS)
    cut = [_cut(pieces, read) for read in (_stripped, _unquoted, _uncommented, _token)]
    cut.append(_cut(_outside_quotes(pieces), _unquoted))
    ways = (_careful(tail), _careful(tail, escapes=False), *cut, _anywhere(flat), _joined(raw))
    return tuple(Reading(word, way) for way in dict.fromkeys(ways) if way) or (Reading(word, ()),)


def _careful(text: bytes, escapes: bool = True) -> tuple[tuple[str, bytes], ...]:
    """With quotes, comments and, if wanted, backslashes; a value without quotes goes up to the semicolon."""
    found: list[tuple[str, bytes]] = []
    at = 0
    while at < len(text) and len(found) < _MOST_PARAMETERS:
        equals, semicolon = text.find(b"=", at), text.find(b";", at)
        if equals < 0:
            break
        if 0 <= semicolon < equals:
            at = semicolon + 1
            continue
        name = _key(text[at:equals])
        at = equals + 1
        while text[at : at + 1] in (b" ", b"\t"):
            at += 1
        value, at = _quoted(text, at + 1, escapes) if text[at : at + 1] == b'"' else _bare(text, at)
        found.append((name, value))
    return tuple(found)


def _quoted(text: bytes, at: int, escapes: bool) -> tuple[bytes, int]:
    value = bytearray()
    while at < len(text):
        here = text[at : at + 1]
        if here == b"\\" and escapes and at + 1 < len(text):
            value += text[at + 1 : at + 2]
            at += 2
            continue
        at += 1
        if here == b'"':
            semicolon = text.find(b";", at)
            value += text[at : semicolon if semicolon >= 0 else len(text)].strip()
            return bytes(value), semicolon + 1 if semicolon >= 0 else len(text)
        value += here
    return (bytes(value) if escapes else b'"' + value), at  # never closed: some take the quote for a part of the name


def _bare(text: bytes, at: int) -> tuple[bytes, int]:
    semicolon = text.find(b";", at)
    stop = semicolon if semicolon >= 0 else len(text)
    return text[at:stop].strip(), stop + 1


def _cut(pieces: Iterable[bytes], read: Callable[[bytes], bytes]) -> tuple[tuple[str, bytes], ...]:
    """What stands between semicolons, quoted or not; `read` makes the value of it."""
    parts = (piece.partition(b"=") for piece in pieces)
    found = ((_key(name), read(value.strip())) for name, equals, value in parts if equals)
    return tuple((name, value) for name, value in found if value)


def _outside_quotes(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Joined again where a semicolon stands within quotes, for readers that see an escaped quote in `\\\\"` too."""
    joined, quotes = [], 0
    for piece in pieces:
        joined.append(piece)
        quotes += piece.count(b'"') - piece.count(b'\\"')
        if quotes % 2 == 0:
            yield b";".join(joined)
            joined = []
    yield b";".join(joined)


def _stripped(value: bytes) -> bytes:
    return value.strip(b'"')


def _unquoted(value: bytes) -> bytes:
    """Without quotes only where they stand around all of it."""
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        return value[1:-1].replace(b"\\\\", b"\\").replace(b'\\"', b'"')
    return value


def _uncommented(value: bytes) -> bytes:
    return _COMMENT.sub(b"", value).strip()


def _token(value: bytes) -> bytes:
    """Up to the first character that may not stand outside of quotes (RFC 2045 5.1)."""
    match = _TOKEN.match(_uncommented(value))
    return match[0] if match else b""


def _anywhere(text: bytes) -> tuple[tuple[str, bytes], ...]:
    """Whatever looks like a parameter, semicolons or not."""
    found = []
    for match in _LOOSE.finditer(text):
        value = match[3]
        value = value[1:-1] if value.startswith(b'"') else value
        found.append((_key(match[1] + match[2]), value))
        if len(found) >= _MOST_PARAMETERS:
            break
    return tuple(found)


def _joined(raw: bytes) -> tuple[tuple[str, bytes], ...]:
    """A folded value with its folds removed altogether rather than turned into spaces."""
    flat = _FOLD.sub(b"", raw)
    return _careful(flat.partition(b";")[2]) if b"\n" in raw.strip() else ()


def _key(raw: bytes) -> str:
    words = _COMMENT.sub(b" ", raw).replace(b" *", b"*").split()
    return words[-1].strip(b"\"'").decode("ascii", "replace").lower() if words else ""
