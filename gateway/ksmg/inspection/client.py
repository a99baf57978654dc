"""The filter's side of the inspection: it walks a message's MIME parts itself, and has files opened by the service."""

import array
import asyncio
import os
import socket
import time
from pathlib import Path

from ksmg.diagnostics.trace import Level, Trace
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.inspection.limits import IN_PROCESS_BYTES, IN_PROCESS_SECONDS, Limits
from ksmg.inspection.openable import opens
from ksmg.inspection.pdf import plain_pdf
from ksmg.inspection.types import PDF
from ksmg.inspection.walk import Body, OutOfTime, walk_bodies
from ksmg.inspection.wire import LENGTH, LONGEST_ANSWER, WireError, read_answer, request_bytes
from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Part, Structure

SOCKET = Path("/run/ksmg-inspect/inspect.sock")
CONCURRENCY = 2
"""Messages that the service has at a time: as many as it inspects."""
_TRANSPORT_SECONDS = 10.0
"""What an answer may take beyond the time for the inspection itself, the service's start included."""
_PROBE_TIMEOUT = 5.0
_trace = Trace("inspect")
"""The service has no place to write to: what it answers is traced here."""


class Inspector:
    """Looks into messages."""

    def __init__(self, limits: Limits, socket_path: Path = SOCKET, concurrency: int = CONCURRENCY) -> None:
        self._limits = limits
        self._path = socket_path
        self._timeout = limits.seconds + _TRANSPORT_SECONDS
        self._turn = asyncio.Semaphore(concurrency)

    async def inspect(self, spooled: SpooledMessage) -> Structure:
        """What is in a message. Raises EngineFailure.

        A message without files to open does not leave the process, and neither does one whose only files are PDFs that
        certainly hold nothing.
        """
        structure = self._walked(spooled)
        if structure is None:
            async with self._turn:
                structure = await self._ask(spooled)
        if _trace.enabled:
            _traced(spooled, structure)
        return structure

    def _walked(self, spooled: SpooledMessage) -> Structure | None:
        """What is in it, as long as nothing is to be opened; None for what is left to the service.

        Raises EngineFailure when its file cannot be read.
        """
        if spooled.size > IN_PROCESS_BYTES:
            return None
        try:
            content = _content(spooled)
        except OSError as error:
            raise EngineFailure(Reason.ERROR, f"the message cannot be read: {error.strerror or error}") from None
        deadline = time.monotonic() + IN_PROCESS_SECONDS
        try:
            structure, bodies = walk_bodies(content, len(content), self._limits, deadline)
        except OutOfTime:
            return None
        looked_into = (_holds_nothing(part, body, deadline) for part, body in zip(structure.parts, bodies, strict=True))
        return structure if all(looked_into) else None

    async def probe(self) -> str:
        """That the service takes connections. Raises EngineFailure."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                connection = await self._connect()
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"the inspection did not answer within {_PROBE_TIMEOUT:g} s") from None
        connection.close()
        return "answers"

    async def _ask(self, spooled: SpooledMessage) -> Structure:
        try:
            async with asyncio.timeout(self._timeout):
                return read_answer(await self._exchange(spooled))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"the inspection did not answer within {self._timeout:g} s") from None
        except WireError as error:
            raise EngineFailure(Reason.ERROR, f"the inspection sent {error}") from None

    async def _exchange(self, spooled: SpooledMessage) -> bytes:
        connection = await self._connect()
        try:
            _pass(connection, request_bytes(self._limits), spooled)
            (length,) = LENGTH.unpack(await _receive(connection, LENGTH.size))
            if length > LONGEST_ANSWER:
                raise WireError("an answer that is too long")
            return await _receive(connection, length)
        except OSError as error:
            raise EngineFailure(Reason.ERROR, f"the inspection failed: {error.strerror or error}") from None
        finally:
            connection.close()

    async def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(connection, str(self._path))
        except OSError as error:
            connection.close()
            text = f"the inspection cannot be reached: {error.strerror or error}"
            raise EngineFailure(Reason.UNREACHABLE, text) from None
        except BaseException:
            connection.close()
            raise
        return connection


def _traced(spooled: SpooledMessage, structure: Structure) -> None:
    found = f"{len(structure.parts)} parts, problems: {[*map(str, structure.problems)]}"
    _trace.write(f"{spooled.text(b'Message-ID')}, {spooled.size} bytes: {found}")
    for part in structure.parts:
        _trace.write(f"part: {part}", Level.DEBUG)


def _holds_nothing(part: Part, body: Body, deadline: float) -> bool:
    """Whether the service would say of a part what the walk has said."""
    if not opens(part):
        return True
    return part.true_type == PDF and time.monotonic() < deadline and plain_pdf(body.decoded(), deadline)


def _content(spooled: SpooledMessage) -> bytes:
    if spooled.failure:
        raise spooled.failure
    return spooled.content()


def _pass(connection: socket.socket, request: bytes, spooled: SpooledMessage) -> None:
    """Sends the request and the open file; so little always fits into an empty socket."""
    descriptor = os.open(spooled.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        rights = array.array("i", [descriptor])
        connection.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    finally:
        os.close(descriptor)


async def _receive(connection: socket.socket, length: int) -> bytes:
    loop, received = asyncio.get_running_loop(), bytearray()
    while len(received) < length:
        piece = await loop.sock_recv(connection, min(length - len(received), 262_144))
        if not piece:
            raise EngineFailure(Reason.ERROR, "the inspection ended without an answer")
        received += piece
    return bytes(received)
