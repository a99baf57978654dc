"""A message with its changes: as packets for the mail server, or as a file of its own."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ksmg.changes.edits import Changes, HeaderEdit, Kind
from ksmg.changes.fields import date_text
from ksmg.changes.source import Field, Source
from ksmg.mail.envelope import Envelope
from ksmg.mail.message import Message
from ksmg.milter.packets import Packet
from ksmg.milter.replies import BODY_CHUNK, append_header, change_header, insert_header, replace_body

_TRACE_WORD = re.compile(r"[A-Za-z0-9._:-]{1,255}|\[[A-Za-z0-9.:]{1,60}\]")


def packets(changes: Changes) -> Iterator[Packet]:
    """The packets, without the reply that ends the message. Raises OSError.

    A new body is opened now and read while they are taken: its file may go in the meantime.
    """
    body = changes.body.open("rb") if changes.body is not None else None
    return _packets(changes.headers, body)


def _packets(headers: Iterable[HeaderEdit], body: BinaryIO | None) -> Iterator[Packet]:
    yield from map(_packet, headers)
    if body is not None:
        with body:
            yield from replace_body(_chunks(body))


def received(envelope: Envelope, host: str, now: float | None = None) -> HeaderEdit:
    """The trace field of a message as this host received it (RFC 5321 4.4). `now`: seconds since 1970."""
    client = envelope.client
    name = _word(client.hostname.decode("ascii", "replace"))
    address = f" [{_word(client.address)}]" if client.address else ""
    lines = (
        f" from {_word(client.helo.decode('ascii', 'replace'))} ({name}{address})",
        f"by {_word(host)} (gateway) id {_word(envelope.queue_id)};",
        date_text(now),
    )
    return HeaderEdit(Kind.INSERT_FIRST, b"Received", 1, "\n\t".join(lines).encode("ascii"))


def _word(text: str) -> str:
    """A name or address as it can stand in a trace field."""
    return text if _TRACE_WORD.fullmatch(text) else "unknown"


def _packet(edit: HeaderEdit) -> Packet:
    match edit.kind:
        case Kind.ADD:
            return append_header(edit.name, edit.value)
        case Kind.INSERT_FIRST:
            return insert_header(edit.name, edit.value)
        case Kind.CHANGE:
            return change_header(edit.name, edit.index, edit.value)
        case Kind.REMOVE:
            return change_header(edit.name, edit.index, b"")


def write_copy(message: Message, changes: Changes, target: Path, host: str = "") -> None:
    """Writes the whole changed message to a new file, CRLF line ends. Raises OSError; no file is left then.

    With this host's name the copy says from whom it was received: the mail server's own Received field is not in what
    a filter gets to see, and the one that the copy will have names this host alone.
    """
    try:
        with open(target, "xb", opener=_private) as file, Source(message.spooled) as source:
            edits = (*changes.headers, received(message.envelope, host)) if host else changes.headers
            file.writelines(field.raw for field in edited(source.fields(0, source.body), edits))
            file.write(b"\r\n")
            if changes.body is not None:
                with changes.body.open("rb") as body:
                    file.writelines(_chunks(body))
            else:
                file.writelines(
                    source.content[at : min(at + BODY_CHUNK, source.size)]
                    for at in range(source.body, source.size, BODY_CHUNK)
                )
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def edited(fields: list[Field], edits: tuple[HeaderEdit, ...]) -> list[Field]:
    """The fields after the edits, one after the other, as the mail server makes them."""
    for edit in edits:
        new = Field(edit.name, edit.value.replace(b"\n", b"\r\n"))
        match edit.kind:
            case Kind.ADD:
                fields = [*fields, new]
            case Kind.INSERT_FIRST:
                fields = [new, *fields]
            case Kind.CHANGE | Kind.REMOVE:
                place = _place(fields, edit)
                fields = [*fields[:place], *([new] if edit.kind is Kind.CHANGE else []), *fields[place + 1 :]]
    return fields


def _place(fields: list[Field], edit: HeaderEdit) -> int:
    seen: Counter[bytes] = Counter()
    for place, field in enumerate(fields):
        seen[field.name.lower()] += 1
        if field.name.lower() == edit.name.lower() and seen[edit.name.lower()] == edit.index:
            return place
    return len(fields)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(BODY_CHUNK):
        yield chunk


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
