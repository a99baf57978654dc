"""The names of a message's attachments for its event, when no check has looked into the message."""

import time

from ksmg.inspection.limits import IN_PROCESS_BYTES, IN_PROCESS_SECONDS, Limits
from ksmg.inspection.walk import OutOfTime, names_within
from ksmg.mail.spool import SpooledMessage

_LIMITS = Limits()


def attachment_names(message: SpooledMessage) -> tuple[str, ...]:
    """The names, in order, each once; readable text. None for a message that could not be spooled.

    Nothing is decided by these names, so that a message is not held up for them: of one that is too large, or takes too
    long to walk, there are none.
    """
    if message.failure or not 0 < message.size <= IN_PROCESS_BYTES:
        return ()
    content = message.content()
    if not _may_have_names(content):
        return ()
    try:
        return names_within(content, len(content), _LIMITS, time.monotonic() + IN_PROCESS_SECONDS)
    except OutOfTime:
        return ()


def _may_have_names(content: bytes) -> bool:
    """Whether a walk could find a name at all: of a MIME parameter, or of a file encoded within the text."""
    if b"name" in content:
        return True
    small = content.lower()
    return b"name" in small or b"\nbegin" in small or b"\n=ybegin" in small or b"ms-tnef" in small
