"""clamd's protocol (man 8 clamd): NUL-terminated commands over its unix socket.

Messages are scanned over sessions that stay open (IDSESSION), one after the other in each: a connection for every
message costs clamd a tenth of the whole scan, and the filter more than half of its part.
"""

import asyncio
import os
import re
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ksmg.diagnostics.trace import Trace
from ksmg.engines.clamd_session import ClamdSession
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.handover import Span, open_descriptor, pieces, whole

SOCKET = Path("/run/clamav/clamd.ctl")
LIMIT_PREFIX = "Heuristics.Limits.Exceeded"
"""How clamd names a message that it did not look at as a whole (with AlertExceedsMax). That is no malware name."""
SIGNATURES_VALID_FOR = timedelta(days=7)
"""Signatures older than that are reported as outdated."""

_trace = Trace("antivirus")
_LONGEST_REPLY = 65_536
_PROBE_TIMEOUT = 5.0
_FOUND = re.compile(r"^[^:]*: (?P<name>.+) FOUND$")
_VERSION = re.compile(r"^ClamAV (?P<engine>[^/\s]+)(?:/(?P<signatures>\d+)/(?P<date>.+))?$")


@dataclass(frozen=True)
class Scan:
    """The verdict of one scan. `malware` is None for a clean file."""

    malware: str | None

    @property
    def phishing(self) -> bool:
        """Whether it is about phishing, by a signature or by clamd's own comparison of links."""
        return self.malware is not None and "phish" in self.malware.lower()

    @property
    def heuristic_phishing(self) -> bool:
        """Whether it is clamd's comparison of a link with its text: no malware, and it may be wrong."""
        return self.malware is not None and self.malware.startswith("Heuristics.Phishing.")


@dataclass(frozen=True)
class Version:
    """The engine's version, and the vendor's signature set when one is loaded."""

    engine: str
    signatures: str | None = None
    published: datetime | None = None

    def outdated(self, now: datetime) -> bool:
        """Whether signatures are missing or older than `SIGNATURES_VALID_FOR`."""
        return self.published is None or now - self.published > SIGNATURES_VALID_FOR

    def __str__(self) -> str:
        if self.published is None:
            return f"{self.engine}, no vendor signatures"
        return f"{self.engine}, signatures {self.signatures} of {self.published:%Y-%m-%d}"


def parse_scan(reply: str) -> Scan:
    """The verdict out of clamd's reply to a scan. Raises EngineFailure for anything but OK and FOUND."""
    if found := _FOUND.match(reply):
        name = found["name"]
        if name.startswith(LIMIT_PREFIX):
            raise EngineFailure(Reason.LIMIT, f"clamd did not look at all of the message: {name}")
        return Scan(name)
    if reply.endswith(": OK"):
        return Scan(None)
    if "size limit exceeded" in reply:
        raise EngineFailure(Reason.LIMIT, "the message is larger than clamd's stream limit")
    raise EngineFailure(Reason.ERROR, f"clamd answered: {reply[:200]}")


def parse_version(reply: str) -> Version:
    """Versions out of clamd's reply to VERSION. Raises EngineFailure when it is none."""
    match = _VERSION.match(reply)
    if match is None:
        raise EngineFailure(Reason.ERROR, f"clamd answered: {reply[:200]}")
    published = None
    if match["date"]:
        try:  # the C library's asctime() in the engine's time zone, UTC on the appliance
            published = datetime.strptime(match["date"].strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        except ValueError:
            published = None
    return Version(match["engine"], match["signatures"], published)


class Clamd:
    """A clamd behind a unix socket. At most `concurrency` scans are under way; the others wait their turn."""

    def __init__(self, path: Path = SOCKET, timeout: float = 120.0, concurrency: int = 3) -> None:
        self._path = path
        self._timeout = timeout
        self._turn = asyncio.Semaphore(concurrency)
        self._passes_descriptors = True
        self._sessions: list[ClamdSession] = []

    async def scan(self, content: bytes | Path) -> Scan:
        """Scans a message, or the file that holds it. Raises EngineFailure.

        An open file is handed over (FILDES), so that clamd needs no access to the spool and copies nothing. A clamd
        whose own confinement refuses that gets the content (INSTREAM) instead, from then on.
        """
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                if self._passes_descriptors:
                    reply = await self._pass_file(content)
                    if not reply.endswith("ERROR"):
                        return parse_scan(reply)
                    streamed = parse_scan(await self._exchange(b"zINSTREAM\0", whole(content)))
                    self._passes_descriptors = False
                    return streamed
                return parse_scan(await self._exchange(b"zINSTREAM\0", whole(content)))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"clamd did not answer within {self._timeout:g} s") from None

    async def scan_spans(self, file: Path, spans: Sequence[Span], before: bytes = b"") -> Scan:
        """Scans pieces of a file as if they were one, with something before them. Raises EngineFailure."""
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                return parse_scan(await self._exchange(b"zINSTREAM\0", pieces(file, spans, before)))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"clamd did not answer within {self._timeout:g} s") from None

    async def version(self) -> Version:
        """The engine's and its signatures' version. Raises EngineFailure."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                return parse_version(await self._exchange(b"zVERSION\0"))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"clamd did not answer within {_PROBE_TIMEOUT:g} s") from None

    def close(self) -> None:
        """Ends the sessions."""
        while self._sessions:
            self._sessions.pop().close()

    async def _pass_file(self, content: bytes | Path) -> str:
        """clamd's reply to an open file. A session that was closed while it was idle is replaced, once."""
        with open_descriptor(content) as descriptor:
            session = self._idle_session()
            reply = await self._ask(session, descriptor) if session else None
            if reply is None:
                reply = await self._ask(ClamdSession(await self._connect()), descriptor)
        if reply is None:
            raise _no_answer()
        return reply

    def _idle_session(self) -> ClamdSession | None:
        while self._sessions:
            session = self._sessions.pop()
            if session.usable:
                return session
        return None

    async def _ask(self, session: ClamdSession, descriptor: int) -> str | None:
        """The reply in a session, which is kept for the next file when there is one; None when it ended instead."""
        reply = await session.pass_file(descriptor)
        if _trace.enabled:
            _trace.write(f"a file of {os.fstat(descriptor).st_size} bytes: {reply}")
        if reply is None:
            return None
        if reply.endswith("ERROR"):
            session.close()
        else:
            self._sessions.append(session)
        return reply.partition(": ")[2]

    async def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(connection, str(self._path))
        except OSError as error:
            connection.close()
            raise EngineFailure(Reason.UNREACHABLE, f"clamd cannot be reached: {error.strerror or error}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    async def _exchange(self, command: bytes, content: Iterator[bytes] | None = None) -> str:
        """The reply to a command that has a connection of its own."""
        with await self._connect() as connection:
            try:
                await asyncio.get_running_loop().sock_sendall(connection, command)
                if content is not None:
                    await _stream(connection, content)
                reply = await _reply(connection)
            except OSError as error:
                raise EngineFailure(Reason.UNREACHABLE, f"clamd hung up: {error.strerror or error}") from None
        if _trace.enabled:
            _trace.write(f"{command.decode()}: {reply}")
        if reply is None:
            raise _no_answer()
        return reply


def _no_answer() -> EngineFailure:
    return EngineFailure(Reason.UNREACHABLE, "clamd closed the connection without an answer")


async def _stream(connection: socket.socket, content: Iterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    try:
        for chunk in content:
            await loop.sock_sendall(connection, struct.pack("!I", len(chunk)) + chunk)
        await loop.sock_sendall(connection, struct.pack("!I", 0))
    except (BrokenPipeError, ConnectionResetError):
        pass  # over its stream limit clamd answers and closes without reading on: the reply says so


async def _reply(connection: socket.socket) -> str | None:
    """One reply; None when the connection ended before its end."""
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < _LONGEST_REPLY:
        piece = await loop.sock_recv(connection, 4096)
        if not piece:
            break
        received += piece
        if received.endswith(b"\0"):
            return received[:-1].decode("utf-8", "backslashreplace")
    return None
