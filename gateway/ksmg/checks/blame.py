"""Which attachments of an infected message the malware is in: asked of clamd part by part, and never guessed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ksmg.engines.clamd import Clamd
from ksmg.engines.failure import EngineFailure
from ksmg.engines.handover import Span
from ksmg.engines.shared import file_of
from ksmg.mail.message import Message
from ksmg.mail.structure import Part, Structure

MOST_SCANS = 50
"""Attachments that are scanned on their own; in a message with more, none is blamed."""
_AS_A_MESSAGE = b"MIME-Version: 1.0\r\n"
"""Put before a part's own header, which with its body is a message like any other then."""


async def infected_parts(clamd: Clamd, message: Message, structure: Structure) -> tuple[int, ...]:
    """Numbers of the attachments without which clamd finds the message clean; none when there are no such.

    A part is scanned with its own header, so that clamd decodes it as it did within the message. That it cannot be
    done is no failure: then nobody can say which attachment it is, and the message is treated as a whole.
    """
    suspects = [part for part in structure.attachments if not part.container]
    if not suspects or len(suspects) > MOST_SCANS or structure.problems:
        return ()
    try:
        file, size = file_of(message), message.spooled.size
        blamed = [part for part in suspects if await _infected(clamd, file, [(part.start, part.end)])]
        if not blamed or await _infected(clamd, file, list(_without(blamed, size)), before=b""):
            return ()
    except EngineFailure:
        return ()
    return tuple(part.number for part in blamed)


async def _infected(clamd: Clamd, file: Path, spans: Sequence[Span], before: bytes = _AS_A_MESSAGE) -> bool:
    return (await clamd.scan_spans(file, spans, before)).malware is not None


def _without(parts: Sequence[Part], size: int) -> Iterator[Span]:
    """The message without the bodies of some parts."""
    start = 0
    for part in parts:
        yield start, part.body
        start = part.end
    yield start, size
