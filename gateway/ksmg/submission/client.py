"""The submission service's clients: the filter, which waits for nothing in its own thread, and the command."""

import asyncio
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from ksmg.diagnostics.trace import Trace
from ksmg.submission.protocol import LONGEST_LINE, SOCKET, Request, SubmissionFailure, parse_answer

PATIENCE = 360.0
"""Seconds after which an answer is not waited for any more; the service itself gives up before."""

Address = bytes | str
_trace = Trace("submit")


async def submit(
    file: Path, sender: Address, recipients: Iterable[Address], *, smtputf8: bool = False, once: bytes = b""
) -> str:
    """Hands a message to Postfix and returns its queue id, once Postfix has it on disk.

    `once` says which message it is (`ledger.content_digest`): recipients who got it before are left out, and the
    queue id is empty when that is all of them. Raises SubmissionFailure: then nobody got it, unless the failure is
    that no answer came.
    """
    return await asyncio.to_thread(submit_now, file, sender, tuple(recipients), smtputf8=smtputf8, once=once)


def submit_now(
    file: Path,
    sender: Address,
    recipients: Iterable[Address],
    *,
    smtputf8: bool = False,
    once: bytes = b"",
    address: Path = SOCKET,
) -> str:
    """The same, blocking."""
    level = _trace.level.name.lower()
    request = Request(_encoded(sender), tuple(map(_encoded, recipients)), smtputf8, once, level)
    try:
        return parse_answer(_ask(address, request.encode(), file))
    except TimeoutError:
        raise SubmissionFailure("the submission service did not answer in time") from None
    except OSError as error:
        raise SubmissionFailure(f"the submission service cannot be reached: {error.strerror or error}") from None


def _ask(address: Path, request: bytes, file: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(address))
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sent = socket.send_fds(connection, [request], [descriptor])
        finally:
            os.close(descriptor)
        if sent < len(request):
            connection.sendall(request[sent:])
        with connection.makefile("rb") as answers:
            return answers.readline(LONGEST_LINE)


def _encoded(address: Address) -> bytes:
    return address.encode("utf-8", "surrogateescape") if isinstance(address, str) else address
