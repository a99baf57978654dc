"""The bytes of one connection of the mail server: read and written by awaiting, without asyncio's streams.

Those cost more than everything else that the protocol needs: there is a connection for nearly every message.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from ksmg.diagnostics.trace import Level, Trace, shown

_trace = Trace("milter")
_MOST_WAITING = 1_048_576
"""Bytes that were received and not yet read; beyond that the server has to wait."""


class Connection(asyncio.Protocol):
    """One connection. One task reads from it and writes to it."""

    def __init__(self, begun: Callable[["Connection"], None]) -> None:
        """`begun` is called with it once it is made."""
        self._begun = begun
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended = False
        self._paused = False
        self._full = False
        self._waiting: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """What was received and not yet read, at least one byte; empty when the server closed the connection."""
        if not self._received and not self._ended:
            await self._wait()
        received = bytes(self._received)
        self._received.clear()
        if self._paused and self._transport is not None and not self._ended:
            self._paused = False
            self._transport.resume_reading()
        return received

    async def write(self, data: bytes) -> None:
        """Sends, and waits while the server takes it too slowly. Raises ConnectionError when it is gone."""
        if self._transport is None or self._ended:
            raise ConnectionResetError("the mail server closed the connection")
        if _trace.detailed:
            _trace.write(f"{id(self):x} filter: {shown(data)}", Level.DEBUG)
        self._transport.write(data)
        while self._full:
            await self._wait()
            if self._ended:
                raise ConnectionResetError("the mail server closed the connection")

    def close(self) -> None:
        """Closes it, after what was written."""
        if self._transport is not None:
            self._transport.close()

    async def _wait(self) -> None:
        """Until anything happens."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop's: it begins."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's have all its methods and another class
        if _trace.enabled:
            _trace.write(f"{id(self):x} begins")
        self._begun(self)

    def data_received(self, data: bytes) -> None:
        """The event loop's: bytes came in."""
        if _trace.detailed:
            _trace.write(f"{id(self):x} server: {shown(data)}", Level.DEBUG)
        self._received += data
        if len(self._received) > _MOST_WAITING and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The event loop's: the server sends no more. Our side stays open for the answer that is due."""
        self._ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the cause, it is over
        """The event loop's: it is over."""
        if _trace.enabled:
            _trace.write(f"{id(self):x} ends")
        self._ended = True
        self._transport = None
        self._full = False
        self._wake()

    def pause_writing(self) -> None:
        """The event loop's: the server does not take what was sent."""
        self._full = True

    def resume_writing(self) -> None:
        """The event loop's: it goes on taking it."""
        self._full = False
        self._wake()
