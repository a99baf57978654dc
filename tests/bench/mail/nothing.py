"""``python3 -m bench.mail.nothing``: a mail filter that does nothing, the floor of what a filter in Python costs.

It leaves out the same steps and replies as ours, reads what Postfix sends and accepts every message. Its socket is
passed to it, as ours is by systemd.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import struct
from typing import cast

_OPTIONS = struct.pack("!III", 6, 0x11, 0x1FF3C0)
"""Version 6, the actions that ours asks for, and its protocol flags without the optional ones."""


class Nothing(asyncio.Protocol):
    """One connection: packets are a length of four bytes, a letter and data."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        waiting, place = self._waiting + data, 0
        while len(waiting) - place >= 5:
            length = int.from_bytes(waiting[place : place + 4], "big")
            if len(waiting) - place < 4 + length:
                break
            self._answer(waiting[place + 4])
            place += 4 + length
        self._waiting = waiting[place:]

    def _answer(self, letter: int) -> None:
        if letter == ord("O"):
            self._transport.write(struct.pack("!I", 1 + len(_OPTIONS)) + b"O" + _OPTIONS)
        elif letter == ord("E"):
            self._transport.write(b"\0\0\0\1a")


async def serve() -> None:
    """Serve the socket that was passed."""
    server = await asyncio.get_running_loop().create_unix_server(Nothing, sock=socket.socket(fileno=3))
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop) as runner:
        runner.run(serve())
