"""clamd's protocol (man 8 clamd): one connection per command, NUL-terminated, over its unix socket."""

import array
import asyncio
import re
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ksmg.engines.failure import EngineFailure, Reason

SOCKET = Path("/run/clamav/clamd.ctl")
LIMIT_PREFIX = "Heuristics.Limits.Exceeded"
"""How clamd names a message that it did not look at as a whole (with AlertExceedsMax). That is no malware name."""
SIGNATURES_VALID_FOR = timedelta(days=7)
"""Signatures older than that are reported as outdated."""

Span = tuple[int, int]
"""A piece of a file: offset of its first byte, and of the byte after its last."""

_LONGEST_REPLY = 65_536
_CHUNK = 262_144
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

    async def scan(self, file: Path) -> Scan:
        """Scans a file. Raises EngineFailure.

        The open file is handed over (FILDES), so that clamd needs no access to the spool and nothing is copied. A
        clamd whose own confinement refuses that gets the content (INSTREAM) instead, from then on.
        """
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                if self._passes_descriptors:
                    reply = await self._exchange(b"zFILDES\0", descriptor_of=file)
                    if not reply.endswith("ERROR"):
                        return parse_scan(reply)
                    streamed = parse_scan(await self._exchange(b"zINSTREAM\0", content=_whole(file)))
                    self._passes_descriptors = False
                    return streamed
                return parse_scan(await self._exchange(b"zINSTREAM\0", content=_whole(file)))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"clamd did not answer within {self._timeout:g} s") from None

    async def scan_spans(self, file: Path, spans: Sequence[Span], before: bytes = b"") -> Scan:
        """Scans pieces of a file as if they were one, with something before them. Raises EngineFailure."""
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                return parse_scan(await self._exchange(b"zINSTREAM\0", content=_pieces(file, spans, before)))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"clamd did not answer within {self._timeout:g} s") from None

    async def version(self) -> Version:
        """The engine's and its signatures' version. Raises EngineFailure."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                return parse_version(await self._exchange(b"zVERSION\0"))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"clamd did not answer within {_PROBE_TIMEOUT:g} s") from None

    async def _exchange(
        self, command: bytes, descriptor_of: Path | None = None, content: Iterator[bytes] | None = None
    ) -> str:
        loop = asyncio.get_running_loop()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await loop.sock_connect(connection, str(self._path))
            await loop.sock_sendall(connection, command)
            if descriptor_of is not None:
                _pass_descriptor(connection, descriptor_of)
            if content is not None:
                await _stream(connection, content)
            return await _reply(connection)
        except OSError as error:
            raise EngineFailure(Reason.UNREACHABLE, f"clamd cannot be reached: {error.strerror or error}") from None
        finally:
            connection.close()


def _pass_descriptor(connection: socket.socket, file: Path) -> None:
    with file.open("rb") as opened:
        rights = array.array("i", [opened.fileno()])
        connection.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def _whole(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk


def _pieces(file: Path, spans: Sequence[Span], before: bytes) -> Iterator[bytes]:
    if before:
        yield before
    with file.open("rb") as opened:
        for start, end in spans:
            opened.seek(start)
            left = end - start
            while left > 0 and (chunk := opened.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk


async def _stream(connection: socket.socket, content: Iterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    try:
        for chunk in content:
            await loop.sock_sendall(connection, struct.pack("!I", len(chunk)) + chunk)
        await loop.sock_sendall(connection, struct.pack("!I", 0))
    except (BrokenPipeError, ConnectionResetError):
        pass  # over its stream limit clamd answers and closes without reading on: the reply says so


async def _reply(connection: socket.socket) -> str:
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < _LONGEST_REPLY:
        piece = await loop.sock_recv(connection, 4096)
        if not piece:
            break
        received += piece
        if received.endswith(b"\0"):
            return received[:-1].decode("utf-8", "backslashreplace")
    raise EngineFailure(Reason.UNREACHABLE, "clamd closed the connection without an answer")
