"""What the filter answers: the changes of a message, and the reply that ends it."""

import re
import struct

from ksmg.milter.packets import Packet

ACCEPT = Packet(b"a", b"")
"""Deliver the message, with the changes that were sent before."""

_UNSAFE = re.compile(r"[^\x20-\x7e]")


def refusal(code: int, status: str, text: str) -> Packet:
    """An SMTP reply such as `550 5.7.1 text`.

    Control and non-ASCII characters become `?`, so that text cannot add a line.

    `%` would be an escape (sendmail's smfi_setreply doubles it), so it is replaced as well.
    """
    safe = _UNSAFE.sub("?", text).replace("%", "?")
    return Packet(b"y", f"{code} {status} {safe}".encode("ascii") + b"\0")


def add_header(name: str, value: str) -> Packet:
    """Adds a field at the end of the headers. The value begins with the space that follows the colon."""
    return Packet(b"h", name.encode("ascii") + b"\0 " + _UNSAFE.sub("?", value).encode("ascii") + b"\0")


def change_header(name: bytes, index: int, value: bytes) -> Packet:
    """Replaces the `index`-th field of that name (from 1); an empty value removes it.

    `value` keeps its leading space.
    """
    return Packet(b"m", struct.pack("!I", index) + name + b"\0" + value.replace(b"\0", b"").replace(b"\r", b"") + b"\0")
