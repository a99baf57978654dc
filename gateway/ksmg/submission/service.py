"""The submission service: takes messages from the gateway's account and hands them to Postfix."""

import contextlib
import logging
import os
import signal
import socket
import sqlite3
import stat
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ksmg.diagnostics import trace
from ksmg.submission.ledger import Entry, Ledger, key
from ksmg.submission.protocol import (
    LONGEST_LINE,
    Request,
    SubmissionFailure,
    encode_answer,
    encode_failure,
    parse_request,
)
from ksmg.submission.smtp import hand_over
from ksmg.system.systemd import notify

_log = logging.getLogger(__name__)
DOOR = Path("/run/ksmg-submit/postfix/ksmg-submit")
"""Postfix's door, in the one directory of the queue that the unit sees."""
THREADS = 16
"""Messages that are handed over at the same time."""
REQUEST_SECONDS = 10.0
"""How long a client may take for its request."""
_CHUNK = 65_536
_CREDENTIALS = struct.Struct("3i")
_trace = trace.Trace("submit")


class _Ended(BaseException):
    """The service was told to end."""


class SubmissionService:
    """Hands over what clients give it."""

    def __init__(self, ledger: Ledger, door: Path = DOOR) -> None:
        self._ledger = ledger
        self._door = door

    def serve(self, listening: socket.socket) -> None:
        """Serves until SIGTERM or SIGINT; what is under way is finished."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        with ThreadPoolExecutor(THREADS, "submit") as pool, contextlib.suppress(_Ended):
            notify("READY=1")
            while True:
                connection, _ = listening.accept()
                pool.submit(self.answer, connection)

    def answer(self, connection: socket.socket) -> None:
        """Serves one client. Never raises."""
        with connection:
            try:
                connection.settimeout(REQUEST_SECONDS)
                connection.sendall(self._answer(connection))
            except OSError as error:
                _log.warning("a client of the submission service is gone: %s", error)
            except Exception:
                _log.exception("a message could not be handed over")

    def _answer(self, connection: socket.socket) -> bytes:
        try:
            if _peer(connection) not in (0, os.geteuid()):
                raise SubmissionFailure("only the gateway may hand over mail", permanent=True)
            with _received(connection) as (request, descriptor):
                trace.apply({_trace.component: request.trace})
                queue_id = self._hand_over(request, descriptor)
                _trace.write(f"{request}: {queue_id or 'all of them had it'}")
                return encode_answer(queue_id)
        except SubmissionFailure as failure:
            _trace.write(f"not handed over: {failure}", trace.Level.ERROR)
            return encode_failure(failure)

    def _hand_over(self, request: Request, descriptor: int) -> str:
        wanted = {recipient: key(request.once, request.sender, recipient) for recipient in request.recipients}
        if not request.once:
            return self._speak(request, descriptor)
        with self._remembered(wanted) as recipients:
            left = Request(request.sender, recipients, request.smtputf8)
            return self._speak(left, descriptor) if recipients else ""

    @contextlib.contextmanager
    def _remembered(self, wanted: dict[bytes, bytes]) -> Iterator[tuple[bytes, ...]]:
        """The recipients who have not got the message; when the block ends well, they have."""
        new: list[bytes] = []
        try:
            for recipient in sorted(wanted):  # always in the same order, so that no two wait for each other
                if self._ledger.begin(wanted[recipient]) is Entry.NEW:
                    new.append(recipient)
            yield tuple(new)
        except sqlite3.Error as error:
            self._ledger.failed(*(wanted[recipient] for recipient in new))
            raise SubmissionFailure(f"the ledger of handed over mail cannot be read: {error}") from None
        except BaseException:
            self._ledger.failed(*(wanted[recipient] for recipient in new))
            raise
        try:
            self._ledger.done(*(wanted[recipient] for recipient in new))
        except sqlite3.Error as error:  # Postfix has it: a failure now would only bring a second copy
            _log.error("the ledger of handed over mail cannot be written: %s", error)

    def _speak(self, request: Request, descriptor: int) -> str:
        try:
            with open(descriptor, "rb", closefd=False) as message:
                message.seek(0)
                return hand_over(self._door, request, message)
        except TimeoutError:
            raise SubmissionFailure("Postfix did not answer in time") from None
        except OSError as error:
            raise SubmissionFailure(f"Postfix cannot be reached: {error.strerror or error}") from None


@contextlib.contextmanager
def _received(connection: socket.socket) -> Iterator[tuple[Request, int]]:
    """A client's request and the open file that came with it. Raises SubmissionFailure."""
    line, descriptors = b"", list[int]()
    try:
        while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
            data, more, _, _ = socket.recv_fds(connection, _CHUNK, 4)
            descriptors += more
            if not data:
                break
            line += data
        if len(descriptors) != 1 or not stat.S_ISREG(os.fstat(descriptors[0]).st_mode):
            raise SubmissionFailure("a request without a file", permanent=True)
        yield parse_request(line), descriptors[0]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _peer(connection: socket.socket) -> int:
    """The client's uid (SO_PEERCRED, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def _end(*_: object) -> None:
    raise _Ended
