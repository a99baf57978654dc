"""What the filter answers: the changes of a message, and the reply that ends it."""

import re
import struct
from collections.abc import Iterable, Iterator

from ksmg.milter.packets import Packet

ACCEPT = Packet(b"a", b"")
"""Deliver the message, with the changes that were sent before."""
DISCARD = Packet(b"d", b"")
"""Tell the sender that the message was taken, and drop it."""

LONGEST_REPLY = 510
"""Characters of an SMTP reply without its line end (RFC 5321, 4.5.3.1.5)."""
BODY_CHUNK = 65_535
"""The most bytes of a new body in one packet (MILTER_CHUNK_SIZE of sendmail and Postfix)."""

_UNSAFE = re.compile(r"[^\x20-\x7e]")
_SOURCE_ROUTE = re.compile(rb"(?:@[^:]*:)+")
_NOT_IN_VALUES = re.compile(rb"[\r\0]")


def refusal(code: int, status: str, text: str) -> Packet:
    """An SMTP reply such as `550 5.7.1 text`.

    Control and non-ASCII characters become `?`, so that text cannot add a line; what is too long for one is left out.

    `%` would be an escape (sendmail's smfi_setreply doubles it), so it is replaced as well.
    """
    safe = _UNSAFE.sub("?", text).replace("%", "?")
    return Packet(b"y", f"{code} {status} {safe}"[:LONGEST_REPLY].encode("ascii") + b"\0")


def add_header(name: str, value: str) -> Packet:
    """Adds a field of one line at the end of the headers. The space that follows the colon is put before the value."""
    return append_header(name.encode("ascii"), b" " + _UNSAFE.sub("?", value).encode("ascii"))


def append_header(name: bytes, value: bytes) -> Packet:
    """Adds a field at the end of the headers. `value` begins with the space after the colon; LF separates its lines."""
    return Packet(b"h", name + b"\0" + _clean(value) + b"\0")


def insert_header(name: bytes, value: bytes) -> Packet:
    """Adds a field before all fields that the message was received with; `value` as in `append_header`."""
    return Packet(b"i", struct.pack("!I", 0) + name + b"\0" + _clean(value) + b"\0")


def change_header(name: bytes, index: int, value: bytes) -> Packet:
    """Replaces the `index`-th field of that name (from 1); an empty value removes it.

    `value` keeps its leading space.
    """
    return Packet(b"m", struct.pack("!I", index) + name + b"\0" + _clean(value) + b"\0")


def replace_body(pieces: Iterable[bytes]) -> Iterator[Packet]:
    """Puts another body, lines ended by CRLF, in place of the message's; pieces of any size."""
    for piece in pieces:
        for start in range(0, len(piece), BODY_CHUNK):
            yield Packet(b"b", piece[start : start + BODY_CHUNK])


def delete_recipient(address: bytes) -> Packet:
    """Takes a recipient off the message: the address as the server gave it, without angle brackets.

    Postfix has it in its queue without a source route, which ends at the first colon, and would find nobody with it:
    who wrote `@a.example:` before the address would get what is not meant for it. Other ways to write an address do
    not come here, with `strict_rfc821_envelopes`.
    """
    return Packet(b"-", b"<" + _without_route(_clean(address).strip(b"<>")) + b">\0")


def _without_route(address: bytes) -> bytes:
    route = _SOURCE_ROUTE.match(address)
    return address[route.end() :] if route else address


def _clean(value: bytes) -> bytes:
    return _NOT_IN_VALUES.sub(b"", value)
