"""The clients of clamd and rspamd, against fake engines."""

import array
import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.engines import clamd, rspamd
from ksmg.engines.clamd import Clamd
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.rspamd import Rspamd
from ksmg.mail.envelope import Client, Envelope

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CONTENT = b"Subject: x\r\n\r\nbody\r\n"
ENVELOPE = Envelope(Client("192.0.2.1", b"host", b"helo"), b"a@example.com", (), [b"b@x\r\nIP: 6.6.6.6"], "4X", "user")
GOOD = {
    "action": "no action",
    "score": 1.25,
    "required_score": 15,
    "symbols": {"A": {"score": 0.1}, "B": {"score": -3}},
}


@pytest.fixture
def message(tmp_path: Path) -> Path:
    file = tmp_path / "message.eml"
    file.write_bytes(CONTENT)
    return file


@asynccontextmanager
async def engine(path: Path, serve: Serve) -> AsyncIterator[None]:
    """A fake engine on a unix socket, until the block ends and every connection is closed."""
    connections: list[asyncio.Task[None] | None] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async with await asyncio.start_unix_server(connection, path=str(path)):
        yield
    await asyncio.gather(*filter(None, connections))


class SessionClamd:
    """A fake clamd that gets files in sessions, and ends each session after a number of them."""

    def __init__(self, path: Path, scans_per_session: int = 99) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._scans = scans_per_session
        self._thread = threading.Thread(target=self._serve)
        self.sessions: list[list[bytes]] = []

    def __enter__(self) -> "SessionClamd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the end of the test
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    self._session(connection)

    def _session(self, connection: socket.socket) -> None:
        assert connection.recv(len(b"zIDSESSION\0")) == b"zIDSESSION\0"
        contents: list[bytes] = []
        self.sessions.append(contents)
        while len(contents) < self._scans:
            command, ancillary, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
            if not command:
                return
            assert command == b"zFILDES\0\0"
            (descriptor,) = array.array("i", ancillary[0][2])
            with os.fdopen(descriptor, "rb") as file:
                file.seek(0)
                contents.append(file.read())
            connection.sendall(b"%d: fd[9]: Eicar-Test FOUND\0" % len(contents))


async def test_open_files_are_handed_to_clamd_in_one_session(tmp_path: Path, message: Path) -> None:
    with SessionClamd(tmp_path / "clamd") as fake:
        client = Clamd(tmp_path / "clamd", timeout=5)
        assert [(await client.scan(message)).malware for _ in range(3)] == ["Eicar-Test"] * 3
        client.close()
    assert fake.sessions == [[CONTENT] * 3]


async def test_a_message_in_memory_is_handed_to_clamd_as_a_file(tmp_path: Path) -> None:
    with SessionClamd(tmp_path / "clamd") as fake:
        client = Clamd(tmp_path / "clamd", timeout=5)
        assert (await client.scan(CONTENT)).malware == "Eicar-Test"
        client.close()
    assert fake.sessions == [[CONTENT]]


async def test_clamd_never_gets_a_part_of_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    with pytest.raises(EngineFailure) as failure:
        await Clamd(tmp_path / "clamd").scan(CONTENT)
    assert failure.value.reason is Reason.ERROR


async def test_a_session_that_clamd_ended_is_replaced(tmp_path: Path, message: Path) -> None:
    with SessionClamd(tmp_path / "clamd", scans_per_session=1) as fake:
        client = Clamd(tmp_path / "clamd", timeout=5)
        for _ in range(3):
            assert (await client.scan(message)).malware == "Eicar-Test"
        client.close()
    assert fake.sessions == [[CONTENT]] * 3


async def test_each_scan_under_way_has_its_own_session(tmp_path: Path, message: Path) -> None:
    waiting: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"FILDES\0")
        waiting.append(writer)
        if len(waiting) == 2:
            for number, both in enumerate(waiting):
                both.write(b"1: fd[9]: Malware-%d FOUND\0" % number)
        await reader.read()

    async with engine(tmp_path / "clamd", serve):
        client = Clamd(tmp_path / "clamd", timeout=5)
        found = await asyncio.gather(client.scan(message), client.scan(message))
        client.close()
    assert {scan.malware for scan in found} == {"Malware-0", "Malware-1"}


async def test_a_late_answer_is_not_taken_for_the_next_message(tmp_path: Path, message: Path) -> None:
    sessions = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        await reader.readuntil(b"FILDES\0")
        if sessions == 1:
            await reader.read()  # until the client gives up
        writer.write(b"1: fd[9]: OK\0" if sessions == 2 else b"1: fd[9]: Late FOUND\0")
        await reader.read()

    async with engine(tmp_path / "clamd", serve):
        client = Clamd(tmp_path / "clamd", timeout=0.2)
        with pytest.raises(EngineFailure):
            await client.scan(message)
        assert (await client.scan(message)).malware is None
        client.close()


async def test_a_message_that_is_gone_is_no_failure_of_clamd(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure) as failure:
        await Clamd(tmp_path / "clamd").scan(tmp_path / "gone")
    assert failure.value.reason is Reason.ERROR


async def test_pieces_of_a_message_are_streamed_with_something_before_them(tmp_path: Path, message: Path) -> None:
    received = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"zINSTREAM\0")
        while size := int.from_bytes(await reader.readexactly(4)):
            received.append(await reader.readexactly(size))
        writer.write(b"stream: OK\0")

    async with engine(tmp_path / "clamd", serve):
        await Clamd(tmp_path / "clamd").scan_spans(message, [(0, 7), (14, 18)], b"X: y\r\n")
    assert b"".join(received) == b"X: y\r\nSubjectbody"


async def test_content_is_streamed_to_a_clamd_that_refuses_files(tmp_path: Path, message: Path) -> None:
    received = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = await reader.readuntil(b"\0")
        if command == b"zINSTREAM\0":
            size = int.from_bytes(await reader.readexactly(4))
            received.append(await reader.readexactly(size))
            writer.write(b"stream: OK\0")
        else:
            writer.write(b"1: fd[9]: Not a regular file. ERROR\0")

    async with engine(tmp_path / "clamd", serve):
        client = Clamd(tmp_path / "clamd")
        for _ in range(2):
            assert (await client.scan(message)).malware is None
    assert received == [CONTENT] * 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("fd[1]: Heuristics.Limits.Exceeded.MaxFileSize FOUND", Reason.LIMIT),
        ("INSTREAM size limit exceeded. ERROR", Reason.LIMIT),
        ("fd[1]: Can't allocate memory ERROR", Reason.ERROR),
        ("UNKNOWN COMMAND", Reason.ERROR),
        ("", Reason.ERROR),
    ],
)
def test_a_reply_that_is_no_verdict_is_a_failure(reply: str, reason: Reason) -> None:
    with pytest.raises(EngineFailure) as failure:
        clamd.parse_scan(reply)
    assert failure.value.reason is reason


@given(st.text(max_size=200))
def test_only_ok_is_clean(reply: str) -> None:
    try:
        scan = clamd.parse_scan(reply)
    except EngineFailure:
        return
    assert scan.malware or reply.endswith(": OK")


@pytest.mark.parametrize(
    ("reply", "signatures", "outdated"),
    [
        ("ClamAV 1.4.6", None, True),
        ("ClamAV 1.4.6/27000/Mon Nov 23 09:00:00 2026", "27000", False),
        ("ClamAV 1.4.6/26000/Mon Nov  2 09:00:00 2026", "26000", True),
        ("ClamAV 1.4.6/0/nonsense", "0", True),
    ],
)
def test_versions_say_whether_signatures_are_outdated(reply: str, signatures: str | None, outdated: bool) -> None:
    version = clamd.parse_version(reply)
    assert version.signatures == signatures
    assert version.outdated(datetime(2026, 11, 24, tzinfo=UTC)) is outdated


def test_signatures_are_outdated_after_a_week() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert not clamd.Version("1", "1", now - timedelta(days=7)).outdated(now)
    assert clamd.Version("1", "1", now - timedelta(days=7, seconds=1)).outdated(now)


async def test_no_clamd_is_unreachable(tmp_path: Path, message: Path) -> None:
    with pytest.raises(EngineFailure) as failure:
        await Clamd(tmp_path / "none").scan(message)
    assert failure.value.reason is Reason.UNREACHABLE
    assert failure.value.reason.engine_down


async def test_a_clamd_that_hangs_is_a_timeout(tmp_path: Path, message: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with engine(tmp_path / "clamd", serve):
        with pytest.raises(EngineFailure) as failure:
            await Clamd(tmp_path / "clamd", timeout=0.05).scan(message)
    assert failure.value.reason is Reason.TIMEOUT


async def test_a_clamd_that_hangs_up_is_unreachable(tmp_path: Path, message: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0")

    async with engine(tmp_path / "clamd", serve):
        with pytest.raises(EngineFailure) as failure:
            await Clamd(tmp_path / "clamd").scan(message)
    assert failure.value.reason is Reason.UNREACHABLE


def test_rspamd_is_told_of_the_session_and_no_value_adds_a_header() -> None:
    lines = rspamd.request_headers(ENVELOPE, 10).split(b"\r\n")
    assert {b"From: a@example.com", b"IP: 192.0.2.1", b"Helo: helo", b"Queue-Id: 4X", b"User: user"} <= set(lines)
    assert b"Rcpt: b@xIP: 6.6.6.6" in lines
    assert lines[-2:] == [b"", b""]


@pytest.mark.parametrize("in_memory", [True, False])
async def test_rspamd_gets_the_message_and_answers(tmp_path: Path, message: Path, in_memory: bool) -> None:
    bodies = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readexactly(len(CONTENT)))
        answer = json.dumps(GOOD).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nServer: rspamd/3.12.1\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        await reader.read()

    async with engine(tmp_path / "rspamd", serve):
        found = await Rspamd(tmp_path / "rspamd", timeout=5).check(
            ENVELOPE, CONTENT if in_memory else message, len(CONTENT)
        )
    assert bodies == [CONTENT]
    assert (found.action, found.score, found.engine) == (rspamd.Action.NO_ACTION, 1.25, "Rspamd 3.12.1")
    assert [str(symbol) for symbol in found.symbols] == ["B(-3.00)", "A(0.10)"]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", Reason.UNREACHABLE),
        (b"HTTP/1.1 500 Oops\r\n\r\n", Reason.ERROR),
        (b"HTTP/1.1 200 OK\r\n\r\n{", Reason.ERROR),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", Reason.ERROR),
        (b'HTTP/1.1 200 OK\r\n\r\n{"action": "dance", "score": 1, "required_score": 2}', Reason.ERROR),
        (b'HTTP/1.1 200 OK\r\n\r\n{"error": "x"}', Reason.ERROR),
    ],
)
def test_a_response_without_an_assessment_is_a_failure(response: bytes, reason: Reason) -> None:
    with pytest.raises(EngineFailure) as failure:
        rspamd.parse_response(response)
    assert failure.value.reason is reason


async def test_no_rspamd_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure) as failure:
        await Rspamd(tmp_path / "none").ping()
    assert failure.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("action", rspamd.Action)
def test_only_no_action_and_greylist_are_not_spam(action: rspamd.Action) -> None:
    assert action.spam is (action.value not in ("no action", "greylist"))
