"""Packets: a length, a command byte, data. This module cuts a byte stream into them and makes bytes of them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAXIMUM_PACKET = 1_048_576
"""The largest packet that is accepted, in bytes. Postfix's own are at most 64 kB, and a header at most 100 kB."""

_LENGTH = struct.Struct("!I")


class ProtocolError(Exception):
    """The peer did not speak the protocol. There is no way to go on with this connection."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: its command byte and what follows it."""

    command: bytes
    data: bytes

    def encode(self) -> bytes:
        """The packet as it goes over the wire."""
        return _LENGTH.pack(len(self.data) + 1) + self.command + self.data


class PacketParser:
    """Cuts a byte stream into packets. Give it what arrives, in any pieces, and take the packets that are complete."""

    def __init__(self, maximum: int = MAXIMUM_PACKET) -> None:
        self._buffer = bytearray()
        self._maximum = maximum

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that `data` completes. Raises ProtocolError for an empty or an oversized packet."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._buffer, start)
                if not 1 <= length <= self._maximum:
                    raise ProtocolError(f"a packet of {length} bytes")
                end = start + _LENGTH.size + length
                if len(self._buffer) < end:
                    break
                body = start + _LENGTH.size
                start = end
                yield Packet(bytes(self._buffer[body : body + 1]), bytes(self._buffer[body + 1 : end]))
        finally:
            del self._buffer[:start]
