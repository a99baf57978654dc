"""The names of a message's attachments for its event, when no check has looked into the message."""

import time

from ksmg.inspection.limits import IN_PROCESS_BYTES, IN_PROCESS_SECONDS, Limits
from ksmg.inspection.walk import OutOfTime, walk
from ksmg.mail.spool import SpooledMessage

_LIMITS = Limits()


def attachment_names(message: SpooledMessage) -> tuple[str, ...]:
    """The names, in order, each once; readable text. None for a message that could not be spooled.

    Nothing is decided by these names, so that a message is not held up for them: of one that is too large, or takes too
    long to walk, there are none.
    """
    if message.failure or not 0 < message.size <= IN_PROCESS_BYTES:
        return ()
    content = message.path.read_bytes()
    try:
        return walk(content, len(content), _LIMITS, time.monotonic() + IN_PROCESS_SECONDS).attachment_names
    except OutOfTime:
        return ()
