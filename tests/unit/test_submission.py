"""Handing mail to Postfix: the client, the service and the SMTP that it speaks, with a fake door."""

import contextlib
import io
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.submission import SubmissionFailure, submit, submit_now
from ksmg.submission.ledger import Ledger
from ksmg.submission.protocol import LONGEST_LINE, Request, encode_answer, parse_answer, parse_request
from ksmg.submission.service import SubmissionService
from ksmg.submission.smtp import dotted

Stream = io.BufferedRWPair
OFFERS = b"250-gw1\r\n250-8BITMIME\r\n250 SMTPUTF8"
ONCE = b"\1" * 32
BORIS, EVA = b"boris@example.test", b"eva@example.test"


class FakePostfix:
    """A door that takes one message after another. `refusals` are replies to commands that begin with a text."""

    def __init__(self, path: Path) -> None:
        self.commands: list[bytes] = []
        self.messages: list[bytes] = []
        self.refusals: dict[bytes, bytes] = {}
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, connection.makefile("rwb") as stream, contextlib.suppress(OSError):
                    self._talk(stream)

    def _talk(self, stream: Stream) -> None:
        self._say(stream, b"220 gw1 ESMTP")
        while line := stream.readline():
            command = line.rstrip(b"\r\n")
            self.commands.append(command)
            refusal = next((reply for start, reply in self.refusals.items() if command.startswith(start)), None)
            if refusal is not None:
                self._say(stream, refusal)
            elif command == b"DATA":
                self._say(stream, b"354 go on")
                self._take(stream)
            else:
                self._say(
                    stream, b"250-gw1\r\n250-8BITMIME\r\n250 SMTPUTF8" if command.startswith(b"EHLO") else b"250 Ok"
                )

    def _take(self, stream: Stream) -> None:
        lines = list(iter(stream.readline, b".\r\n"))
        self.messages.append(b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines))
        self._say(stream, self.refusals.get(b".", b"250 2.0.0 Ok: queued as 4XyZ1"))

    def _say(self, stream: Stream, reply: bytes) -> None:
        stream.write(reply + b"\r\n")
        stream.flush()


@pytest.fixture
def postfix(tmp_path: Path) -> Iterator[FakePostfix]:
    with contextlib.closing(FakePostfix(tmp_path / "door")) as fake:
        yield fake


@pytest.fixture
def address(tmp_path: Path, postfix: FakePostfix) -> Iterator[Path]:
    """A running service's socket."""
    path, threads = tmp_path / "submit.sock", list[threading.Thread]()
    with (
        contextlib.closing(Ledger(tmp_path / "ledger")) as ledger,
        socket.socket(socket.AF_UNIX) as listening,
    ):
        listening.bind(str(path))
        listening.listen()
        service = SubmissionService(ledger, tmp_path / "door")

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=service.answer, args=(listening.accept()[0],)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield path
        listening.shutdown(socket.SHUT_RDWR)
        for thread in (accepting, *threads):
            thread.join(10)


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: x\r\n\r\n.one\r\ntwo\r\n")
    return path


def test_a_message_is_handed_over_with_its_envelope(postfix: FakePostfix, address: Path, message: Path) -> None:
    assert submit_now(message, "anna@partner.test", [BORIS, EVA], address=address) == "4XyZ1"
    assert postfix.messages == [message.read_bytes()]
    assert postfix.commands == [
        b"EHLO localhost",
        b"MAIL FROM:<anna@partner.test>",
        b"RCPT TO:<boris@example.test>",
        b"RCPT TO:<eva@example.test>",
        b"DATA",
    ]


async def test_the_filter_waits_without_its_own_thread(
    postfix: FakePostfix, address: Path, message: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(submit_now.__kwdefaults__, "address", address)  # type: ignore[arg-type]
    assert await submit(message, b"", [BORIS]) == "4XyZ1"
    assert b"MAIL FROM:<>" in postfix.commands


@pytest.mark.parametrize(
    ("sender", "content", "parameters"),
    [
        (b"a@b.c", b"A: b\r\n\r\nx\r\n", b""),
        (b"a@b.c", b"A: b\r\n\r\n\xff\r\n", b" BODY=8BITMIME"),
        ("ü@b.c".encode(), b"A: b\r\n\r\nx\r\n", b" SMTPUTF8"),
        (b"\xff@b.c", b"A: b\r\n\r\nx\r\n", b" SMTPUTF8"),
    ],
)
def test_postfix_hears_what_a_message_needs(
    postfix: FakePostfix, address: Path, message: Path, sender: bytes, content: bytes, parameters: bytes
) -> None:
    message.write_bytes(content)
    submit_now(message, sender, [BORIS], address=address)
    assert postfix.commands[1] == b"MAIL FROM:<" + sender + b">" + parameters


@pytest.mark.parametrize(("reply", "permanent"), [(b"451 4.3.0 later", False), (b"550 5.1.1 no", True)])
@pytest.mark.parametrize("command", [b"EHLO", b"MAIL", b"RCPT TO:<eva", b"DATA", b"."])
def test_what_postfix_refuses_for_one_nobody_gets(
    postfix: FakePostfix, address: Path, message: Path, command: bytes, reply: bytes, permanent: bool
) -> None:
    postfix.refusals[command] = reply
    with pytest.raises(SubmissionFailure, match=reply.decode()) as caught:
        submit_now(message, b"a@b.c", [BORIS, EVA], address=address)
    assert caught.value.permanent is permanent


def test_a_door_that_closes_is_a_failure_for_now(postfix: FakePostfix, address: Path, message: Path) -> None:
    postfix.refusals[b"."] = b"2"
    with pytest.raises(SubmissionFailure, match="ended") as caught:
        submit_now(message, b"a@b.c", [BORIS], address=address)
    assert not caught.value.permanent


def test_without_the_service_it_is_a_failure(tmp_path: Path, message: Path) -> None:
    with pytest.raises(SubmissionFailure, match="cannot be reached"):
        submit_now(message, b"a@b.c", [BORIS], address=tmp_path / "none")


@pytest.mark.parametrize("recipient", [b"a@b.c>\r\nRCPT TO:<x@y.z", b"a\0@b.c", b"<a@b.c>", b"", b"a" * 600])
def test_no_address_becomes_a_command(postfix: FakePostfix, address: Path, message: Path, recipient: bytes) -> None:
    with pytest.raises(SubmissionFailure) as caught:
        submit_now(message, b"a@b.c", [recipient], address=address)
    assert (caught.value.permanent, postfix.commands) == (True, [])


def test_who_has_a_message_does_not_get_it_again(postfix: FakePostfix, address: Path, message: Path) -> None:
    submit_now(message, b"a@b.c", [BORIS], once=ONCE, address=address)
    assert submit_now(message, b"a@b.c", [BORIS], once=ONCE, address=address) == ""
    submit_now(message, b"a@b.c", [BORIS, EVA], once=ONCE, address=address)
    assert [line for line in postfix.commands if line.startswith(b"RCPT")] == [
        b"RCPT TO:<boris@example.test>",
        b"RCPT TO:<eva@example.test>",
    ]


def test_what_failed_is_handed_over_when_it_comes_again(postfix: FakePostfix, address: Path, message: Path) -> None:
    postfix.refusals[b"."] = b"451 later"
    with pytest.raises(SubmissionFailure):
        submit_now(message, b"a@b.c", [BORIS], once=ONCE, address=address)
    postfix.refusals.clear()
    assert submit_now(message, b"a@b.c", [BORIS], once=ONCE, address=address) == "4XyZ1"


def test_a_request_without_a_file_is_refused(address: Path, postfix: FakePostfix) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        connection.sendall(Request(b"a@b.c", (BORIS,)).encode())
        with pytest.raises(SubmissionFailure, match="without a file"):
            parse_answer(connection.makefile("rb").readline(LONGEST_LINE))


def test_a_pipe_is_no_file(address: Path, postfix: FakePostfix) -> None:
    read, write = os.pipe()
    os.close(write)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        socket.send_fds(connection, [Request(b"a@b.c", (BORIS,)).encode()], [read])
        os.close(read)
        with pytest.raises(SubmissionFailure, match="without a file"):
            parse_answer(connection.makefile("rb").readline(LONGEST_LINE))


@given(st.binary(max_size=500))
def test_garbage_is_no_request_and_no_answer(line: bytes) -> None:
    for parse in (parse_request, parse_answer):
        with pytest.raises(SubmissionFailure):
            parse(line)


@given(sender=st.binary(max_size=50), recipients=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_a_request_survives_the_socket(sender: bytes, recipients: list[bytes]) -> None:
    request = Request(sender, tuple(recipients), True, ONCE)
    with contextlib.suppress(SubmissionFailure):
        assert parse_request(request.encode()) == request
    assert parse_answer(encode_answer("4X")) == "4X"


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"x", b"\r\n", b"\r\n.\r\n", b"\n.\n"]), max_size=12), st.data())
def test_no_content_ends_a_message_early_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    content = b"".join(pieces)
    cut = data.draw(st.integers(0, len(content)))
    whole = b"".join(dotted(iter([content])))
    assert b"".join(dotted(iter([content[:cut], content[cut:]]))) == whole
    assert whole.endswith(b"\r\n.\r\n") or whole == b".\r\n"
    lines = whole[:-3].split(b"\r\n")
    assert all(not line.startswith(b".") or line.startswith(b"..") for line in lines)
    assert not any(b"\n" in line for line in lines)
