"""What can be done with a message."""

import enum
import functools


@functools.total_ordering
class Action(enum.Enum):
    """The actions, from the mildest to the strictest. When verdicts ask for different ones, the strictest wins."""

    DELIVER = "deliver"
    """Pass the message on, unchanged."""
    TAG = "tag"
    """Pass it on with a tagged subject and headers that say why."""
    TEMPFAIL = "tempfail"
    """Ask the sender to come back later (451)."""
    REJECT = "reject"
    """Refuse the message (550), keeping a copy in Backup."""

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Action):
            return NotImplemented
        order = list(Action)
        return order.index(self) < order.index(other)


class OnFailure(enum.Enum):
    """What becomes of a message that a check could not judge."""

    TEMPFAIL = "tempfail"
    """Ask the sender to come back later (451)."""
    DELIVER_MARKED = "deliver_marked"
    """Pass it on with a header that says that it is unscanned."""
