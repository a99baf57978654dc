"""rspamd's `/checkv2`: a lean HTTP/1.1 request over its unix socket. rspamd closes each connection after its answer."""

import asyncio
import contextlib
import enum
import functools
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ksmg.diagnostics.trace import Level, Trace, shown
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.mail.envelope import Envelope
from ksmg.mail.readable import readable

SOCKET = Path("/run/rspamd/rspamd.sock")
_CHUNK = 262_144
_CONTROL = bytes([*range(0x20), 0x7F])
_PROBE_TIMEOUT = 5.0
_LONGEST_ANSWER = 4_194_304
_trace = Trace("antispam")


class Action(enum.Enum):
    """What rspamd recommends (rspamd documentation, "Actions")."""

    NO_ACTION = "no action"
    """Nothing points to spam."""
    GREYLIST = "greylist"
    """Doubtful. This appliance does not greylist: the message is not spam."""
    ADD_HEADER = "add header"
    """Probable spam."""
    REWRITE_SUBJECT = "rewrite subject"
    """Probable spam."""
    SOFT_REJECT = "soft reject"
    """Refuse for now."""
    REJECT = "reject"
    """Spam."""

    @property
    def spam(self) -> bool:
        """Whether the message counts as spam."""
        return self not in (Action.NO_ACTION, Action.GREYLIST)


class Symbol(NamedTuple):
    """A rule of rspamd that applied, what it added to the score, and what it applied to."""

    name: str
    score: float = 0.0
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({self.score:.2f})"


class Link(NamedTuple):
    """A link in the message. `domain` as registered, such as `example.co.uk`; `shown` is what its text pretends."""

    url: str
    domain: str
    shown: str = ""
    misleading: bool = False
    """Whether its text shows an address in another domain."""


@dataclass(frozen=True)
class Assessment:
    """rspamd's judgement of one message. `symbols` begin with those that weigh most."""

    action: Action
    score: float
    required_score: float
    symbols: tuple[Symbol, ...] = ()
    links: tuple[Link, ...] = ()
    engine: str = ""
    """The engine's version."""

    @property
    def beyond_doubt(self) -> bool:
        """Whether rspamd says that it is spam whatever the score, as of a test message."""
        return self.action is Action.REJECT and self.score < self.required_score


def request_headers(envelope: Envelope, length: int) -> bytes:
    """The request line and headers that tell rspamd of the SMTP session, ended by the empty line."""
    fields = [b"POST /checkv2 HTTP/1.1", b"Host: localhost", b"URL-Format: extended", b"Content-Length: %d" % length]
    fields += [name + b": " + _safe(value) for name, value in _session_fields(envelope) if value]
    return b"\r\n".join(fields) + b"\r\n\r\n"


def _session_fields(envelope: Envelope) -> Iterator[tuple[bytes, bytes]]:
    yield b"From", envelope.sender or b"<>"
    for recipient in envelope.recipients:
        yield b"Rcpt", recipient
    yield b"IP", (envelope.client.address or "").encode()
    yield b"Hostname", envelope.client.hostname
    yield b"Helo", envelope.client.helo
    yield b"Queue-Id", envelope.queue_id.encode()
    yield b"User", envelope.account.encode()


def _safe(value: bytes) -> bytes:
    """Without control characters: an address must not become a header of the request."""
    return value.translate(None, _CONTROL)


def parse_response(response: bytes) -> Assessment:
    """The assessment out of a whole HTTP response. Raises EngineFailure when it is none."""
    head, end, body = response.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if not end or len(status) < 2:
        raise EngineFailure(Reason.UNREACHABLE, "rspamd closed the connection without an answer")
    if status[1] != b"200":
        raise EngineFailure(
            Reason.ERROR, f"rspamd answered with HTTP status {status[1].decode('ascii', 'replace')[:20]}"
        )
    try:
        return _assessment(json.loads(body.decode()), _engine(head.partition(b"\r\nServer:")[2].partition(b"\r\n")[0]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EngineFailure(Reason.ERROR, "rspamd's answer cannot be understood") from None


@functools.lru_cache(maxsize=16)
def _engine(server: bytes) -> str:
    """The engine's version out of the value of `Server`, `rspamd/3.12.1`."""
    name, _, version = server.strip()[:60].decode("ascii", "replace").partition("/")
    return f"{name.capitalize()} {readable(version)}".strip()


def _assessment(answer: Mapping[str, Any], engine: str) -> Assessment:
    symbols = [_symbol(name, facts) for name, facts in answer.get("symbols", {}).items()]
    return Assessment(
        action=Action(answer["action"]),
        score=float(answer["score"]),
        required_score=float(answer["required_score"]),
        symbols=tuple(sorted(symbols, key=lambda symbol: -abs(symbol.score))),
        links=tuple(_link(facts) for facts in answer.get("urls", ())),
        engine=engine,
    )


def _symbol(name: str, facts: Mapping[str, Any]) -> Symbol:
    options = facts.get("options")
    return Symbol(name, float(facts.get("score", 0)), tuple(map(str, options)) if options else ())


def _link(facts: Mapping[str, Any]) -> Link:
    """With `URL-Format: extended`; `linked_url` of a link that is `phished` is the address in its text."""
    misleading = "phished" in facts.get("flags", ())
    shown = facts.get("linked_url", {}) if misleading else {}
    domain, pretended = str(facts.get("tld", "")), str(shown.get("tld", ""))
    return Link(str(facts["url"]), domain, str(shown.get("url", "")), bool(pretended) and pretended != domain)


class Rspamd:
    """An rspamd behind a unix socket. At most `concurrency` messages are with it; the others wait their turn."""

    def __init__(self, path: Path = SOCKET, timeout: float = 60.0, concurrency: int = 4) -> None:
        self._path = path
        self._timeout = timeout
        self._turn = asyncio.Semaphore(concurrency)

    async def check(self, envelope: Envelope, content: bytes | Path, size: int) -> Assessment:
        """Has a message assessed, or the file that holds it. Raises EngineFailure."""
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                return parse_response(await self._exchange(request_headers(envelope, size), content))
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"rspamd did not answer within {self._timeout:g} s") from None

    async def ping(self) -> None:
        """Returns when rspamd answers. Raises EngineFailure."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                response = await self._exchange(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        except TimeoutError:
            raise EngineFailure(Reason.TIMEOUT, f"rspamd did not answer within {_PROBE_TIMEOUT:g} s") from None
        if b"pong" not in response:
            raise EngineFailure(Reason.ERROR, "rspamd does not answer to ping")

    async def _exchange(self, request: bytes, content: bytes | Path = b"") -> bytes:
        """A whole response. Sockets as they are: streams cost twice as much processor time."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
            try:
                await asyncio.get_running_loop().sock_connect(connection, str(self._path))
            except OSError as error:
                raise _unreachable("rspamd cannot be reached", error) from None
            try:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # an early answer: it says why
                    await _send(connection, request, content)
                response = await _response(connection)
            except OSError as error:
                raise _unreachable("the connection to rspamd broke", error) from None
        if _trace.enabled:
            _traced(request, response)
        return response


def _traced(request: bytes, response: bytes) -> None:
    """The envelope that rspamd was told and all that it answered; the message itself is not in this trace."""
    line = shown(response[: response.find(b"\r\n")])
    _trace.write(f"{shown(request[: request.find(b' HTTP')])}: {line}, {len(response)} bytes")
    _trace.write(f"request: {shown(request)}", Level.DEBUG)
    _trace.write(f"response: {shown(response)}", Level.DEBUG)


def _unreachable(what: str, error: OSError) -> EngineFailure:
    return EngineFailure(Reason.UNREACHABLE, f"{what}: {error.strerror or error}")


async def _send(connection: socket.socket, request: bytes, content: bytes | Path) -> None:
    loop = asyncio.get_running_loop()
    if isinstance(content, bytes):
        await loop.sock_sendall(connection, request + content)
        return
    with content.open("rb", buffering=0) as file:
        data = request + file.read(_CHUNK)
        while data:
            await loop.sock_sendall(connection, data)
            data = file.read(_CHUNK)


async def _response(connection: socket.socket) -> bytes:
    """A whole response: until its Content-Length is there, or until the end of the connection."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < _LONGEST_ANSWER and not _complete(received):
        piece = await loop.sock_recv(connection, _CHUNK)
        if not piece:
            break
        received += piece
    return bytes(received)


def _complete(received: bytearray) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False
