"""What is fuzzed, and what must hold for every input: no unexpected exception, bounded time, a sound result."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Self, cast

from ksmg.inspection.budget import Budget, Exceeded, Unreadable
from ksmg.inspection.contents import Opener
from ksmg.inspection.declaration import declare
from ksmg.inspection.limits import Limits
from ksmg.inspection.parameters import read_value
from ksmg.inspection.walk import OutOfTime, walk_bodies
from ksmg.inspection.zip_entries import central_directories
from ksmg.inspection.zips import zip_members
from ksmg.mail.envelope import Envelope
from ksmg.mail.readable import readable
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.milter.connection import Connection
from ksmg.milter.packets import Packet, PacketParser, ProtocolError
from ksmg.milter.replies import ACCEPT
from ksmg.milter.session import Session

LIMITS = Limits(parts=100, depth=20, members=200, unpacked=4_000_000, nested=1_000_000, seconds=2.0)
SLOWEST = 2.0
"""Seconds of the processor for one input of some kilobytes; the usual one takes a ten-thousandth."""
_NEGOTIATION = b"\0\0\0\x0dO" + bytes((0, 0, 0, 6)) + b"\xff" * 8
_COMMANDS = b"CHMRLNBEAQDTKUO"


class Unsound(Exception):
    """A result that breaks a promise."""


def _promise(kept: bool, promise: str) -> None:
    if not kept:
        raise Unsound(promise)


def walk_mime(data: bytes) -> None:
    """The walk over MIME."""
    with contextlib.suppress(OutOfTime):
        structure, bodies = walk_bodies(data, len(data), LIMITS, time.monotonic() + SLOWEST)
        _promise(0 < len(structure.parts) == len(bodies) <= LIMITS.parts, "a body for each part")
        for number, part in enumerate(structure.parts):
            _promise(part.number == number > part.parent, "numbers in order")
            _promise(0 <= part.start <= part.body <= part.end <= len(data), "offsets inside the file")
            _promise(len(part.names) <= LIMITS.names, "few names")
            _promise(all(name and name == readable(name) for name in part.names), "names that can be shown")


def read_parameters(data: bytes) -> None:
    """The fields that name a file or a type."""
    first, _, second = data.partition(b"\0")
    for reading in read_value(first):
        _promise(reading.word == reading.word.lower(), "a word in lower case")
    declared = declare((first,), (second,), (first[:20],), LIMITS.names)
    _promise(all(name and name == readable(name) for name in declared.names), "names that can be shown")
    _promise(all(boundary == boundary.rstrip() != b"" for boundary in declared.boundaries), "boundaries of some length")


def list_zip(data: bytes) -> None:
    """The tables of zip archives."""
    budget = Budget(LIMITS, time.monotonic() + SLOWEST)
    central_directories(data, LIMITS.members)
    try:
        for member in zip_members(data, budget):
            with contextlib.suppress(Unreadable):
                sum(map(len, member.chunks))
    except Exceeded:
        _promise(bool(budget.problems), "a problem for what was not looked at")


def open_file(data: bytes) -> None:
    """Archives and documents of all kinds."""
    opener = Opener(Budget(LIMITS, time.monotonic() + SLOWEST))
    with contextlib.suppress(Exceeded):
        opener.open(data, "a")
    _promise(all(member.path == readable(member.path) for member in opener.members), "paths that can be shown")


class _Message:
    """A message that is spooled nowhere."""

    def __init__(self) -> None:
        self.header_counts: Counter[bytes] = Counter()

    def add_header(self, name: bytes, value: bytes) -> None:
        """Takes a field."""

    def add_body(self, data: bytes) -> None:
        """Takes a piece."""

    def finish(self, data: bytes = b"") -> None:
        """Takes the last piece."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class _Spool:
    def new_message(self) -> SpooledMessage:
        """A message that begins."""
        return cast(SpooledMessage, _Message())


class _Transport(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drops what is answered."""

    def pause_reading(self) -> None:
        """All of it was received already."""


_loop = asyncio.new_event_loop()


async def _accept(envelope: Envelope, spooled: SpooledMessage) -> list[Packet]:
    return [ACCEPT]


async def _converse(data: bytes) -> None:
    connection = Connection(lambda _: None)
    connection.connection_made(_Transport())
    connection.data_received(data)
    conversation = asyncio.ensure_future(Session(connection, cast(Spool, _Spool()), _accept).converse())
    _loop.call_soon(connection.eof_received)  # once all was read: an answer to who is gone ends the conversation
    with contextlib.suppress(ProtocolError):
        await conversation


def speak_milter(data: bytes) -> None:
    """The milter protocol: bytes as they are, or made into packets after a proper negotiation."""
    framed = bytearray(_NEGOTIATION)
    if data[:1] >= b"\x40":
        at = 1
        while at + 2 < len(data):
            command, length = _COMMANDS[data[at] % len(_COMMANDS)], data[at + 1]
            content = data[at + 2 : at + 2 + length]
            framed += (len(content) + 1).to_bytes(4) + bytes((command,)) + content
            at += 2 + length
    else:
        framed += data
    _loop.run_until_complete(_converse(bytes(framed)))
    whole, pieces = _cut(data, len(data) or 1), _cut(data, 7)
    _promise(whole == pieces, "the same packets however the bytes arrive")


def _cut(data: bytes, width: int) -> list[Packet] | None:
    parser, found = PacketParser(), []
    try:
        for at in range(0, len(data), width):
            found += parser.feed(data[at : at + width])
    except ProtocolError:
        return None
    return found


TARGETS: dict[str, Callable[[bytes], None]] = {
    "milter": speak_milter,
    "walk": walk_mime,
    "parameters": read_parameters,
    "zip": list_zip,
    "files": open_file,
}
"""Targets by name; each takes any bytes."""


def try_input(target: Callable[[bytes], None], data: bytes) -> None:
    """One input. Raises whatever the target raises, and Unsound when it takes too long."""
    started = time.process_time()
    target(data)
    _promise(time.process_time() - started < SLOWEST, f"an input of {len(data)} bytes within {SLOWEST:g} s")
