"""SMTP to Postfix's door on this host (RFC 5321, 6152, 6531): one message, taken for all its recipients or for none."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ksmg.diagnostics.trace import Level, Trace, shown
from ksmg.submission.protocol import Request, SubmissionFailure

COMMAND_SECONDS = 60.0
"""How long Postfix may take for a command."""
END_OF_DATA_SECONDS = 300.0
"""How long it may take to write a message and have it signed."""
_trace = Trace("submit")
_CHUNK = 262_144
_LONGEST_REPLY = 65_536
_QUEUED = re.compile(r"queued as (\S+)")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_DOT = re.compile(rb"(?m)^\.")


def hand_over(door: Path, request: Request, message: BinaryIO) -> str:
    """Hands a message over and returns its queue id. Raises SubmissionFailure, and OSError for a broken connection."""
    with _Conversation(door) as smtp:
        smtp.expect(2)
        offers = smtp.command(b"EHLO localhost", 2).upper()
        smtp.command(b"MAIL FROM:<" + request.sender + b">" + _parameters(offers, request, message), 2)
        for recipient in request.recipients:
            smtp.command(b"RCPT TO:<" + recipient + b">", 2)
        smtp.command(b"DATA", 3)
        reply = smtp.data(message)
        found = _QUEUED.search(reply)
        return found[1] if found else "unknown"


def _parameters(offers: str, request: Request, message: BinaryIO) -> bytes:
    found = b""
    if "8BITMIME" in offers and _eight_bit(message):
        found += b" BODY=8BITMIME"
    addresses = (request.sender, *request.recipients)
    if request.smtputf8 or not all(address.isascii() for address in addresses):
        if "SMTPUTF8" not in offers:
            raise SubmissionFailure("Postfix does not take international addresses", permanent=True)
        found += b" SMTPUTF8"
    return found


def _eight_bit(message: BinaryIO) -> bool:
    try:
        return any(not chunk.isascii() for chunk in iter(lambda: message.read(_CHUNK), b""))
    finally:
        message.seek(0)


def dotted(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A message as SMTP's DATA has it, its end included.

    Every line ends with CRLF, also one that ended with LF alone: two servers must not see different lines (SMTP
    smuggling, CVE-2023-51764).
    """
    held, line_start = b"", True
    for chunk in chunks:
        chunk = held + chunk  # noqa: PLW2901
        held = b"\r" if chunk.endswith(b"\r") else b""
        text = _BARE_LF.sub(b"\r\n", chunk.removesuffix(b"\r"))
        if text:
            stuffed = _DOT.sub(b"..", text)
            yield stuffed if line_start or not text.startswith(b".") else stuffed[1:]
            line_start = text.endswith(b"\n")
    yield held + (b"\r\n" if held or not line_start else b"") + b".\r\n"


class _Conversation:
    """A connection to the door."""

    def __init__(self, door: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(COMMAND_SECONDS)
        try:
            self._socket.connect(str(door))
        except OSError:
            self._socket.close()
            raise
        self._replies = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._replies.close()
        self._socket.close()

    def command(self, line: bytes, expected: int) -> str:
        """Sends a command and returns the text of its reply."""
        if _trace.detailed:
            _trace.write(f"ours: {shown(line)}", Level.DEBUG)
        self._socket.sendall(line + b"\r\n")
        return self.expect(expected)

    def data(self, message: BinaryIO) -> str:
        """Sends the message; returns the reply to its end."""
        for piece in dotted(iter(lambda: message.read(_CHUNK), b"")):
            self._socket.sendall(piece)
        self._socket.settimeout(END_OF_DATA_SECONDS)
        return self.expect(2)

    def expect(self, wanted: int) -> str:
        """The text of a reply whose first digit is `wanted`. Raises SubmissionFailure for another one."""
        lines = []
        while True:
            line = self._replies.readline(_LONGEST_REPLY)
            if len(line) < 4 or not line.endswith(b"\n"):
                raise SubmissionFailure("Postfix ended the conversation")
            if _trace.detailed:
                _trace.write(f"Postfix: {shown(line)}", Level.DEBUG)
            lines.append(line[4:].decode("utf-8", "replace").rstrip())
            if line[3:4] != b"-":
                break
        if line[:1] != str(wanted).encode():
            text = f"Postfix answered {line[:3].decode('ascii', 'replace')} {' '.join(lines)}"
            raise SubmissionFailure(text, permanent=line[:1] == b"5")
        return "\n".join(lines)
