"""The inspection's service as a real process, and the filter's client of it."""

import asyncio
import base64
import dataclasses
import io
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.inspection import client
from ksmg.inspection.budget import Budget
from ksmg.inspection.client import Inspector
from ksmg.inspection.limits import Limits
from ksmg.inspection.pdf import PdfContent, plain_pdf
from ksmg.inspection.wire import LENGTH, WireError, answer_bytes, read_answer, read_request, request_bytes
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.mail.structure import Member, Part, Problem, Structure

LIMITS = Limits()
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
from ksmg.inspection import service
service.WALL_SECONDS = float(sys.argv[2])
service.InspectionService.__init__.__defaults__ = (service.MOST_WORKERS, service.WALL_SECONDS)
from ksmg.inspection.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def wall() -> float:
    return 15.0


@pytest.fixture
def service(tmp_path: Path, wall: float) -> Iterator[Path]:
    path = tmp_path / "inspect.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        number = listening.fileno()
        process = subprocess.Popen([sys.executable, "-c", START, str(number), str(wall)], pass_fds=(number,))
    yield path
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def zipped(name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, b"MZ\x90\0")
    return target.getvalue()


def spooled(tmp_path: Path, content: bytes, name: bytes = b"a.zip") -> SpooledMessage:
    message = Spool(tmp_path).new_message()
    message.add_header(b"Content-Type", b" application/octet-stream; name=" + name)
    message.add_header(b"Content-Transfer-Encoding", b" base64")
    message.finish(base64.encodebytes(content).replace(b"\n", b"\r\n"))
    return message


async def test_an_archive_is_opened_by_the_service(service: Path, tmp_path: Path) -> None:
    with spooled(tmp_path, zipped("a.exe")) as message:
        found = await Inspector(LIMITS, service).inspect(message)
    assert [member.path for member in found.parts[0].members] == ["a.exe"]


async def test_many_messages_at_a_time_are_all_answered(service: Path, tmp_path: Path) -> None:
    inspector = Inspector(LIMITS, service, concurrency=20)
    messages = [spooled(tmp_path, zipped(f"{number}.exe")) for number in range(20)]
    found = await asyncio.gather(*map(inspector.inspect, messages))
    assert [structure.parts[0].members[0].path for structure in found] == [f"{number}.exe" for number in range(20)]
    for message in messages:
        message.__exit__(None, None, None)


async def test_a_plain_message_needs_no_service(tmp_path: Path) -> None:
    with spooled(tmp_path, b"hello", b"a.txt") as message:
        found = await Inspector(LIMITS, tmp_path / "nothing").inspect(message)
    assert found.attachment_names == ("a.txt",)


PDF = b"%PDF-1.7\n1 0 obj <</Type/Catalog/#50ages 2 0 R>> endobj\n3 0 obj <</Length 5>>stream\nsaved\nendstream\n%%EOF"


async def test_a_pdf_that_holds_nothing_needs_no_service_and_is_what_the_service_says(
    service: Path, tmp_path: Path
) -> None:
    with spooled(tmp_path, PDF, b"a.pdf") as message:
        here = await Inspector(LIMITS, tmp_path / "nothing").inspect(message)
        assert here == await Inspector(LIMITS, service)._ask(message)


@pytest.mark.parametrize(
    "inside", ["ObjStm", "#4fbjStm", "EmbeddedFile", "Filespec", "EF", "Encrypt", "J#53", "Launch"]
)
async def test_a_pdf_that_may_hold_something_goes_to_the_service(tmp_path: Path, inside: str) -> None:
    with (
        spooled(tmp_path, PDF.replace(b"/Length", b"/%s 1/Length" % inside.encode()), b"a.pdf") as message,
        pytest.raises(EngineFailure, match="cannot be reached"),
    ):
        await Inspector(LIMITS, tmp_path / "nothing").inspect(message)


async def test_a_pdf_for_which_there_is_no_time_goes_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "plain_pdf", lambda data, _: plain_pdf(data, time.monotonic() - 1.0))
    with spooled(tmp_path, PDF, b"a.pdf") as message, pytest.raises(EngineFailure, match="cannot be reached"):
        await Inspector(LIMITS, tmp_path / "nothing").inspect(message)


PIECES = [b"/ObjStm", b"#2FObj#53tm", b"/EF", b"/Type", b" obj", b"stream\n", b"endstream", b"/J", b"S ", b"#", b"x"]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_whatever_counts_as_a_plain_pdf_holds_nothing(pieces: list[bytes]) -> None:
    data = b"%PDF-1.7\n" + b"".join(pieces)
    if plain_pdf(data, time.monotonic() + 9.0):
        found = PdfContent(data, Budget(LIMITS, time.monotonic() + 9.0))
        assert (found.files, found.file_names, found.scripts, found.encrypted) == ([], [], [], False)


async def test_a_service_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    inspector = Inspector(LIMITS, tmp_path / "nothing")
    with spooled(tmp_path, zipped("a.exe")) as message, pytest.raises(EngineFailure) as failure:
        await inspector.inspect(message)
    assert failure.value.reason is Reason.UNREACHABLE


async def test_a_service_that_ends_without_an_answer_is_a_failure(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(serve, path=str(tmp_path / "s")):
        with spooled(tmp_path, zipped("a.exe")) as message, pytest.raises(EngineFailure) as failure:
            await Inspector(LIMITS, tmp_path / "s").inspect(message)
    assert failure.value.reason is Reason.ERROR


async def test_a_service_that_is_silent_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_TRANSPORT_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listening, spooled(tmp_path, zipped("a.exe")) as message:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with pytest.raises(EngineFailure) as failure:
            await Inspector(dataclasses.replace(LIMITS, seconds=0.0), tmp_path / "s").inspect(message)
    assert failure.value.reason is Reason.TIMEOUT


async def test_a_probe_leaves_the_service_as_it_is(service: Path, tmp_path: Path) -> None:
    inspector = Inspector(LIMITS, service)
    assert [await inspector.probe() for _ in range(5)] == ["answers"] * 5
    with spooled(tmp_path, zipped("a.exe")) as message:
        assert (await inspector.inspect(message)).problems == ()


async def test_the_service_outlives_what_is_no_request(service: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(service))
        connection.sendall(b"\0\0\0\2hi")
        assert await asyncio.to_thread(connection.recv, 10) == b""
    with spooled(tmp_path, zipped("a.exe")) as message:
        assert (await Inspector(LIMITS, service).inspect(message)).problems == ()


@pytest.mark.parametrize("wall", [0.3])
async def test_a_worker_that_takes_too_long_is_ended_and_the_filter_told(service: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(service))
        connection.sendall(b"\0")
        raw = await asyncio.to_thread(connection.recv, 1000)
    assert [problem for problem, _ in read_answer(raw[LENGTH.size :]).problems] == [Problem.TIME]


async def test_a_message_that_needs_too_much_memory_is_a_problem(service: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.eml"
    with path.open("wb") as file:  # sparse: a body of 600 MB that is decoded as a whole
        file.write(b"Content-Type: application/zip; name=a.zip\r\n\r\nPK\3\4")
        file.truncate(600_000_000)
    large = SimpleNamespace(path=path, size=600_000_000, failure=None)
    found = await Inspector(LIMITS, service).inspect(cast(SpooledMessage, large))
    assert [problem for problem, _ in found.problems] == [Problem.EXPANDED]
    path.unlink()


def test_a_request_cannot_ask_for_more_than_the_service_gives() -> None:
    asked = dataclasses.replace(LIMITS, seconds=10_000.0, nested=10**12, parts=10**9)
    assert read_request(request_bytes(asked)[LENGTH.size :]) == LIMITS


PART = Part(0, -1, 0, "a/b", "c/d", "utf-8", "base64", "inline", ("x", "y"), 1, 2, 3, 4)
STRUCTURE = Structure(
    (dataclasses.replace(PART, members=(Member("é/\udcff".encode("utf-8", "replace").decode(), 5, macro=True),)),),
    ((Problem.TIME, "x"),),
)


def test_a_structure_comes_over_the_wire_as_it_is() -> None:
    assert read_answer(answer_bytes(STRUCTURE)[LENGTH.size :]) == STRUCTURE


@given(st.binary(max_size=200) | st.builds(lambda cut: answer_bytes(STRUCTURE)[4 : 4 + cut], st.integers(0, 200)))
def test_an_answer_that_is_none_is_an_error(raw: bytes) -> None:
    try:
        read_answer(raw)
    except WireError:
        return
    assert raw == answer_bytes(STRUCTURE)[LENGTH.size :]


def test_the_service_wants_its_socket() -> None:
    environment = {**os.environ, "LISTEN_FDS": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "ksmg.inspection"], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, "ksmg-inspect.socket" in done.stderr) == (1, True)
