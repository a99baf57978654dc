"""What the mail server tells the filter, one value per command, parsed from packets."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ksmg.milter.packets import Packet, ProtocolError


@dataclass(frozen=True, slots=True)
class Negotiate:
    """The server's version, and the actions and protocol steps that it offers (see `negotiation`)."""

    version: int
    actions: int
    protocol: int


@dataclass(frozen=True, slots=True)
class Connect:
    """An SMTP client. `address` is None when the server does not know it, and a path for a local one."""

    hostname: bytes
    address: str | None


@dataclass(frozen=True, slots=True)
class Helo:
    """The name the client gave itself."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A message begins. `sender` is without angle brackets, empty for a bounce."""

    sender: bytes
    parameters: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient that the server accepted, without angle brackets."""

    address: bytes
    parameters: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """One header field. `value` is everything after the colon, lines separated by LF, leading space included."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """A piece of the body, lines ended by CRLF as the client sent them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfMessage:
    """The message is complete; the server waits for the verdict. `data` is a last piece of the body."""

    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Marker:
    """A command without values: its letter is all it says."""

    command: bytes


DATA = Marker(b"T")
"""The DATA command was given."""
END_OF_HEADERS = Marker(b"N")
"""All header fields were sent."""
ABORT = Marker(b"A")
"""Forget the message; the connection goes on."""
QUIT = Marker(b"Q")
"""The connection ends."""
QUIT_NEW_CONNECTION = Marker(b"K")
"""The SMTP client is gone; another one follows on the same connection."""
UNKNOWN = Marker(b"U")
"""The client gave a command that the server does not know."""

Command = Negotiate | Connect | Helo | Mail | Recipient | Header | Body | EndOfMessage | Marker

_MARKERS = {marker.command: marker for marker in (DATA, END_OF_HEADERS, ABORT, QUIT, QUIT_NEW_CONNECTION)}
_FAMILY_UNKNOWN, _FAMILY_LOCAL = b"U", b"L"


def parse(packet: Packet) -> Command:
    """The command that a packet holds, other than macros, which `macros_of` reads.

    Raises ProtocolError for one that is malformed or not part of the protocol.
    """
    if marker := _MARKERS.get(packet.command):
        return marker
    if packet.command == b"U":
        return UNKNOWN
    parser = _PARSERS.get(packet.command)
    if parser is None:
        raise ProtocolError(f"the unknown command {packet.command!r}")
    return parser(packet.data)


def _strings(data: bytes, what: str) -> list[bytes]:
    """NUL-terminated strings."""
    if not data.endswith(b"\0"):
        raise ProtocolError(f"{what} without its end")
    return data[:-1].split(b"\0")


def _negotiate(data: bytes) -> Negotiate:
    if len(data) < 12:
        raise ProtocolError("a negotiation that is too short")
    return Negotiate(*struct.unpack_from("!III", data))


def macros_of(data: bytes) -> dict[str, bytes]:
    """Names, without braces, and values out of a macro packet's data, whose first byte is the letter of the command
    that they go with. Raises ProtocolError.
    """
    if not data:
        raise ProtocolError("macros without a stage")
    strings = _strings(data[1:], "macros") if len(data) > 1 else []
    if len(strings) % 2:
        raise ProtocolError("a macro without a value")
    names = (name.decode("ascii", "replace").strip("{}") for name in strings[::2])
    return dict(zip(names, strings[1::2], strict=True))


def _connect(data: bytes) -> Connect:
    hostname, end, rest = data.partition(b"\0")
    if not end or not rest:
        raise ProtocolError("a connection without an address family")
    family, rest = rest[:1], rest[1:]
    if family == _FAMILY_UNKNOWN:
        return Connect(hostname, None)
    if family not in (b"4", b"6", _FAMILY_LOCAL) or len(rest) < 3:
        raise ProtocolError(f"a connection of the address family {family!r}")
    address = _strings(rest[2:], "an address")[0].decode("ascii", "replace")  # two bytes of port before it
    return Connect(hostname, address.removeprefix("IPv6:"))


def _helo(data: bytes) -> Helo:
    return Helo(_strings(data, "a HELO name")[0])


def _path(data: bytes, what: str) -> tuple[bytes, tuple[bytes, ...]]:
    address, *parameters = _strings(data, what)
    if address.startswith(b"<") and address.endswith(b">"):
        address = address[1:-1]
    return address, tuple(parameters)


def _mail(data: bytes) -> Mail:
    return Mail(*_path(data, "a sender"))


def _recipient(data: bytes) -> Recipient:
    return Recipient(*_path(data, "a recipient"))


def header_of(data: bytes) -> tuple[bytes, bytes]:
    """Name and value out of a header packet's data. Raises ProtocolError."""
    name, end, value = data.partition(b"\0")
    if not end or not value.endswith(b"\0"):
        raise ProtocolError("a header without its end")
    return name, value[:-1]


def _header(data: bytes) -> Header:
    return Header(*header_of(data))


_PARSERS: Mapping[bytes, Callable[[bytes], Command]] = {
    b"O": _negotiate,
    b"C": _connect,
    b"H": _helo,
    b"M": _mail,
    b"R": _recipient,
    b"L": _header,
    b"B": Body,
    b"E": EndOfMessage,
}
