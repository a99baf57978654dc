"""Messages for the tests of changes: spooled, looked into by a plain reading of MIME, changed, and read again."""

import email
import email.policy
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from email.message import Message as Parsed
from pathlib import Path
from typing import Any

from ksmg.changes import Changes, plan, write_copy
from ksmg.checks.verdict import Finding, Status, Verdict
from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.facts import Facts
from ksmg.mail.message import Message
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.mail.structure import Part, Problem, Structure
from ksmg.rules.treatment import Action, Cause, Decision, Inserted, Treatment

TOP = Inserted("Caution: this message is from outside.")
BOTTOM = Inserted("Confidential.\nExample Ltd.", at_top=False)


def crlf(text: str | bytes) -> bytes:
    """Bytes with CRLF line ends."""
    raw = text.encode("utf-8") if isinstance(text, str) else text
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def spool(directory: Path, content: bytes) -> SpooledMessage:
    """A message as the mail server passes it on."""
    spooled = Spool(directory).new_message()
    head, _, body = content.partition(b"\r\n\r\n")
    for field in head.replace(b"\r\n ", b"\n ").replace(b"\r\n\t", b"\n\t").split(b"\r\n"):
        name, _, value = field.partition(b":")
        spooled.add_header(name, value)
    spooled.finish(body)
    return spooled


def message_of(spooled: SpooledMessage) -> Message:
    """The message; nobody looks into it by itself."""

    async def inspect(_: SpooledMessage) -> Structure:
        raise AssertionError

    envelope = Envelope(Client(), b"anna@partner.test", (), [b"boris@example.test"])
    return Message(envelope, spooled, Facts("anna@partner.test", ("boris@example.test",), (), ""), inspect)


def structure_of(content: bytes, *problems: Problem) -> Structure:
    """The parts of a well-formed message."""
    parts: list[Part] = []
    _walk(content, 0, len(content), (-1, 0), parts)
    return Structure(tuple(parts), tuple((problem, "") for problem in problems))


def _walk(content: bytes, start: int, end: int, place: tuple[int, int], parts: list[Part]) -> None:
    body = start + 2 if content.startswith(b"\r\n", start) else content.find(b"\r\n\r\n", start, end) + 4
    header: Parsed[str, str] = email.message_from_bytes(content[start:body])
    number, kind, name = len(parts), header.get_content_type(), header.get_filename()
    container = kind.startswith(("multipart/", "message/"))
    values: dict[str, Any] = {
        "content_type": kind,
        "true_type": "" if container else kind,
        "charset": str(header.get_param("charset") or "").lower(),
        "encoding": str(header.get("Content-Transfer-Encoding", "")).strip().lower(),
        "disposition": header.get_content_disposition() or "",
        "names": (name,) if name else (),
    }
    parts.append(Part(number, *place, start=start, body=body, end=end, size=end - body, container=container, **values))
    if kind.startswith("message/"):
        _walk(content, body, end, (number, place[1] + 1), parts)
    elif kind.startswith("multipart/"):
        for first, last in _ranges(content, body, end, str(header.get_boundary()).encode()):
            _walk(content, first, last, (number, place[1] + 1), parts)


def _ranges(content: bytes, body: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    delimiter = b"\r\n--" + boundary
    at = content.find(delimiter, body - 2, end)
    while at >= 0 and not content.startswith(b"--", at + len(delimiter)):
        first = content.index(b"\r\n", at + len(delimiter)) + 2
        at = content.find(delimiter, first - 2, end)
        yield first, at if at >= 0 else end


def inserting(*inserts: Inserted) -> Decision:
    """A rule that puts texts into every message."""
    return Decision("Rule", Action.SKIP, inserts=inserts)


def removing(*parts: int, detail: str = "Eicar", inserts: Sequence[Inserted] = ()) -> Decision:
    """A rule that removes parts."""
    cause = Cause("antivirus", Finding(Status.INFECTED, detail, parts), Treatment(Action.DELETE_ATTACHMENT))
    return Decision("Rule", Action.DELETE_ATTACHMENT, (cause,), tuple(inserts))


def tagging(*tags: str, status: Status = Status.SPAM, **more: Any) -> Decision:
    """A rule that tags spam."""
    causes = tuple(Cause("antispam", Finding(status, "8.3/15.0"), Treatment(tag=tag, **more)) for tag in tags)
    return Decision("Rule", Action.SKIP, causes)


def changes_of(
    directory: Path, content: bytes, decision: Decision, *problems: Problem, verdicts: Sequence[Verdict] = ()
) -> Changes:
    """The changes that a decision makes in a message."""
    with spool(directory, content) as spooled:
        return plan(message_of(spooled), structure_of(content, *problems), decision, directory, verdicts)


def changed(directory: Path, content: bytes, decision: Decision, *problems: Problem) -> bytes:
    """The message after the changes."""
    target = directory / "copy.eml"
    target.unlink(missing_ok=True)
    with spool(directory, content) as spooled:
        message = message_of(spooled)
        changes = plan(message, structure_of(content, *problems), decision, directory)
        write_copy(message, changes, target)
    changes.discard()
    return target.read_bytes()


def parsed(content: bytes) -> EmailMessage:
    """The message as Python reads it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def texts(content: bytes, kind: str = "plain") -> list[str]:
    """The texts of a subtype, lines separated by LF."""
    found = [part for part in parsed(content).walk() if part.get_content_type() == f"text/{kind}"]
    return [str(part.get_content()).replace("\r\n", "\n") for part in found]


def simple(fields: str, body: str | bytes) -> bytes:
    """A message of one part."""
    raw = body.encode() if isinstance(body, str) else body
    return crlf(f"From: anna@partner.test\nSubject: Minutes\nMIME-Version: 1.0\n{fields}\n") + raw


def multipart(subtype: str, boundary: str, *parts: bytes) -> bytes:
    """A part with parts, header and body."""
    line = f"--{boundary}".encode()
    pieces = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode() + pieces + line + b"--\r\n"


def message(part: bytes) -> bytes:
    """A message whose content is that part."""
    return crlf("From: anna@partner.test\nSubject: Minutes\nMIME-Version: 1.0\n") + part


PLAIN = crlf('Content-Type: text/plain; charset="us-ascii"\n\nSee you at nine.')
HTML = crlf("Content-Type: text/html; charset=utf-8\n\n<html><body bgcolor='a>b'><p>At nine.</p></body></html>")
PDF = crlf('Content-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64\n\nJVBERi0=')
