"""A message as text that is safe to look at: nothing in it can be clicked, fetched, run, or steer a terminal."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.cli.page_text import page_text
from ksmg.inspection.limits import Limits
from ksmg.inspection.walk import Body, OutOfTime, walk_bodies
from ksmg.mail.readable import decoded_header, readable
from ksmg.mail.structure import Part

SHOWN_HEADERS = (
    "From", "Sender", "Reply-To", "To", "Cc", "Date", "Subject", "Message-ID", "Return-Path", "Received",
    "Authentication-Results", "List-Unsubscribe", "User-Agent", "X-Mailer",
)  # fmt: skip
"""The fields that are shown, in this order."""
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_MOST_OF_A_FIELD = 5
_LONGEST_HEADER = 1_048_576
_LONGEST_TEXT = 200_000
"""Characters of one part that are shown."""
_LONGEST_LINE = 1000
_SECONDS = 10.0


@dataclass(frozen=True)
class View:
    """What is shown of a message, every line readable."""

    headers: tuple[tuple[str, str], ...]
    text: tuple[str, ...]
    attachments: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    """What kept it from being shown as a whole."""


def view(content: bytes) -> View:
    """The view of a message. Takes bounded time, whatever is in it."""
    try:
        structure, bodies = walk_bodies(content, len(content), Limits(), time.monotonic() + _SECONDS)
    except OutOfTime:
        return View(tuple(_headers(content[:_LONGEST_HEADER])), (), (), ("its structure takes too long to read",))
    parts = structure.parts
    header = content[: min(parts[0].body, _LONGEST_HEADER)] if parts else content[:_LONGEST_HEADER]
    texts = [_text(part, body) for part, body in zip(parts, bodies, strict=True) if _is_text(part)]
    return View(
        headers=tuple(_headers(header)),
        text=tuple(line for text in texts for line in (*text, "")),
        attachments=tuple(_named(part) for part in structure.attachments),
        remarks=tuple(
            f"{problem.value}: {detail}" if detail else problem.value for problem, detail in structure.problems
        ),
    )


def _headers(header: bytes) -> Iterator[tuple[str, str]]:
    found: dict[str, list[bytes]] = {}
    for name, value in _FIELD.findall(header.replace(b"\r\n", b"\n")):
        found.setdefault(name.decode("ascii").lower(), []).append(value)
    for name in SHOWN_HEADERS:
        for value in found.get(name.lower(), [])[:_MOST_OF_A_FIELD]:
            yield name, decoded_header(value.strip())


def _is_text(part: Part) -> bool:
    return not part.container and not part.attachment


def _text(part: Part, body: Body) -> list[str]:
    raw = body.decoded()[: 4 * _LONGEST_TEXT]
    try:
        text = raw.decode(part.charset or "utf-8", "replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", "replace")
    if part.content_type == "text/html":
        text = page_text(text)
    cut = len(text) > _LONGEST_TEXT
    return [*readable_lines(text[:_LONGEST_TEXT]), *(["[the rest is not shown]"] if cut else [])]


def readable_lines(text: str) -> Iterator[str]:
    """The lines of a text without control characters, long ones wrapped, of several empty ones only one."""
    empty = True
    for line in text.splitlines():
        cleaned = line.replace("\t", "    ").rstrip()
        if cleaned or not empty:
            yield from (
                readable_piece(cleaned[at : at + _LONGEST_LINE]) for at in range(0, len(cleaned) or 1, _LONGEST_LINE)
            )
        empty = not cleaned


def readable_piece(piece: str) -> str:
    """A piece of a line without control characters, its indentation kept."""
    return piece[: len(piece) - len(piece.lstrip(" "))] + readable(piece)


def _named(part: Part) -> str:
    name = part.name or "without a name"
    kind = part.true_type or part.content_type
    declared = f", declared as {part.content_type}" if part.true_type and part.true_type != part.content_type else ""
    return readable(f"{name} ({kind}{declared}, {part.size} bytes)")
