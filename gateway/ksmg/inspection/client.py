"""The filter's side of the inspection: it walks a message's MIME parts itself."""

import time

from ksmg.engines.failure import EngineFailure, Reason
from ksmg.inspection.limits import Limits
from ksmg.inspection.walk import OutOfTime, walk
from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Problem, Structure


class Inspector:
    """Looks into messages."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def inspect(self, spooled: SpooledMessage) -> Structure:
        """What is in a message. Raises EngineFailure when its file cannot be read."""
        try:
            content = _content(spooled)
        except OSError as error:
            raise EngineFailure(Reason.ERROR, f"the message cannot be read: {error.strerror or error}") from None
        try:
            return walk(content, len(content), self._limits, time.monotonic() + self._limits.seconds)
        except OutOfTime:
            return Structure((), ((Problem.TIME, f"more than {self._limits.seconds:g} s"),))


def _content(spooled: SpooledMessage) -> bytes:
    if spooled.failure:
        raise spooled.failure
    return spooled.path.read_bytes()
