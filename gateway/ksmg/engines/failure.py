"""Why an engine could not judge a message."""

import enum


class Reason(enum.Enum):
    """The kinds of failure. The rule decides by its own settings what becomes of the message; each is an event."""

    UNREACHABLE = "unreachable"
    """No connection to the engine, or it ended before the answer."""
    TIMEOUT = "timeout"
    """No answer in time."""
    ERROR = "error"
    """The engine answered that it failed, or something that is no answer."""
    LIMIT = "limit"
    """The message, or something in it, is larger or deeper than the engine looks into."""

    @property
    def engine_down(self) -> bool:
        """Whether it says that the engine itself does not work, rather than that this message is too much for it."""
        return self in (Reason.UNREACHABLE, Reason.TIMEOUT)


class EngineFailure(Exception):
    """An engine did not judge a message. `reason` for machines, the text for people."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
