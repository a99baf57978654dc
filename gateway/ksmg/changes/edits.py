"""The changes of a message as values."""

import enum
from dataclasses import dataclass
from pathlib import Path


class UnchangeableMessage(Exception):
    """A message that cannot be given the changes that are due. The text says why; it must not be delivered as it is."""


class Kind(enum.Enum):
    """What is done with a header field."""

    ADD = "add"
    """A new field after all others."""
    CHANGE = "change"
    """Another value for a field that is there."""
    REMOVE = "remove"
    """The field goes."""
    INSERT_FIRST = "insert first"
    """A new field before all others."""


@dataclass(frozen=True)
class HeaderEdit:
    """One field's edit. They are done one after the other, so fields of a name are removed from the last one on.

    `index` counts the fields of that name, from 1. `value` begins with the space after the colon; LF separates its
    lines. Both come from `fields` only, which is why no value can begin a field of its own.
    """

    kind: Kind
    name: bytes
    index: int = 1
    value: bytes = b""


@dataclass(frozen=True)
class Changes:
    """All changes of a message."""

    headers: tuple[HeaderEdit, ...] = ()
    body: Path | None = None
    """A file with the new body, CRLF line ends; None: the body stays."""
    marks: tuple[str, ...] = ()
    """What was done, for people and events."""

    def discard(self) -> None:
        """Removes the file, once the answer has opened it and copies are handed over."""
        if self.body is not None:
            self.body.unlink(missing_ok=True)
