"""Packets: a length, a command byte, data. This module cuts a byte stream into them and makes bytes of them."""

import struct
from typing import NamedTuple

MAXIMUM_PACKET = 1_048_576
"""The largest packet that is accepted, in bytes. Postfix's own are at most 64 kB, and a header at most 100 kB."""

_LENGTH = struct.Struct("!I")


class ProtocolError(Exception):
    """The peer did not speak the protocol. There is no way to go on with this connection."""


class Packet(NamedTuple):
    """One packet: its command byte and what follows it. A named tuple, because dozens are made for every message."""

    command: bytes
    data: bytes

    def encode(self) -> bytes:
        """The packet as it goes over the wire."""
        return _LENGTH.pack(len(self.data) + 1) + self.command + self.data


class PacketParser:
    """Cuts a byte stream into packets. Give it what arrives, in any pieces, and take the packets that are complete."""

    def __init__(self, maximum: int = MAXIMUM_PACKET) -> None:
        self._buffer = bytearray()
        self._needed = 0
        self._maximum = maximum

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that `data` completes. Raises ProtocolError for an empty or an oversized packet."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:  # looked at again only once it can be complete
                return []
            data = bytes(self._buffer)
        packets, start, end = [], 0, len(data)
        self._needed = 0
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, start)
            if not 1 <= length <= self._maximum:
                raise ProtocolError(f"a packet of {length} bytes")
            body = start + _LENGTH.size
            if end - body < length:
                self._needed = _LENGTH.size + length
                break
            start = body + length
            packets.append(Packet(data[body : body + 1], data[body + 1 : start]))
        if start < end or self._buffer:
            self._buffer[:] = data[start:]
        return packets
