"""What is said on the submission socket: one line of JSON with an open file, and one line of JSON back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksmg.diagnostics.trace import Level

SOCKET = Path("/run/ksmg-submit/submit.sock")
"""Where the service listens; its unit's socket has the same path."""
LONGEST_LINE = 4_194_304
"""Bytes of a request: 10,000 recipients with the longest addresses."""


class SubmissionFailure(Exception):
    """Postfix does not have the message. `permanent`: it refused it for good, so that trying again is of no use."""

    def __init__(self, text: str, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


@dataclass(frozen=True)
class Request:
    """A message to hand over. Addresses as SMTP has them, without angle brackets; an empty sender is a bounce's."""

    sender: bytes
    recipients: tuple[bytes, ...]
    smtputf8: bool = False
    once: bytes = b""
    """Says which message it is. Whoever got it before, from this sender, does not get it again. Empty: everybody."""
    trace: str = "off"
    """The level of the service's trace, which it cannot read in the settings itself."""

    def encode(self) -> bytes:
        """The request as a line."""
        return _line(
            {
                "sender": _text(self.sender),
                "recipients": list(map(_text, self.recipients)),
                "smtputf8": self.smtputf8,
                "once": self.once.hex(),
                "trace": self.trace,
            }
        )


def parse_request(line: bytes) -> Request:
    """Raises SubmissionFailure for a line that is no request, or with an address that SMTP cannot carry."""
    try:
        found = json.loads(line)
        recipients = tuple(_address(recipient) for recipient in found["recipients"])
        sender, level = _address(found["sender"]), Level[found["trace"].upper()].name.lower()
        request = Request(sender, recipients, bool(found["smtputf8"]), bytes.fromhex(found["once"]), level)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SubmissionFailure(f"a malformed request: {error}", permanent=True) from None
    if not recipients or not all(recipients):
        raise SubmissionFailure("a message without recipients", permanent=True)
    return request


def encode_answer(queue_id: str) -> bytes:
    """The answer when Postfix has the message; without a queue id when all recipients had got it before."""
    return _line({"queue_id": queue_id})


def encode_failure(failure: SubmissionFailure) -> bytes:
    """The answer when Postfix does not have it."""
    return _line({"error": str(failure), "permanent": failure.permanent})


def parse_answer(line: bytes) -> str:
    """The queue id. Raises SubmissionFailure for the failure that is told, and for a line that is no answer."""
    try:
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise SubmissionFailure(str(found["error"]), bool(found["permanent"]))
        return str(found["queue_id"])
    except (ValueError, TypeError, KeyError):
        raise SubmissionFailure("the submission service ended before its answer") from None


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=True).encode("ascii") + b"\n"


def _text(address: bytes) -> str:
    return address.decode("utf-8", "surrogateescape")


def _address(text: str) -> bytes:
    address = text.encode("utf-8", "surrogateescape")
    if any(byte < 0x20 or byte in b"<>\x7f" for byte in address) or len(address) > 512:
        raise ValueError("an address that SMTP cannot carry")
    return address
