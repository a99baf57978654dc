"""What is in a message: its MIME parts as mail clients show them, and what archives among them hold."""

import enum
from dataclasses import dataclass


class Problem(enum.Enum):
    """Why a message could not be looked into as a whole. Each makes it unscanned, and none is ever taken for clean."""

    PARTS = "too many parts"
    """More MIME parts than the limit."""
    DEPTH = "nested too deeply"
    """MIME parts or archives within each other beyond the limit."""
    HEADER = "header too long"
    """A header section, or the number of fields in it, beyond the limit."""
    MEMBERS = "too many files in an archive"
    """More members in archives than the limit."""
    EXPANDED = "archive too large when unpacked"
    """Members beyond the limit of unpacked bytes, or beyond what the anti-virus engine looks at."""
    AMBIGUOUS = "clients could read it differently"
    """Broken or contradictory MIME that mail clients are known to read in different ways."""
    BROKEN = "an archive cannot be read"
    """An archive or document whose content could not be listed."""
    TIME = "took too long"
    """The inspection's time ran out."""


@dataclass(frozen=True)
class Member:
    """A file within an archive or a document. `path` as the archive has it, made readable; `size` unpacked bytes."""

    path: str
    size: int
    true_type: str = ""
    encrypted: bool = False
    macro: bool = False
    depth: int = 1
    """1 for a member of the attachment itself, 2 for one of an archive within it."""


@dataclass(frozen=True)
class Part:
    """One MIME part. Number 0 is the message itself; children follow their parent, depth first."""

    number: int
    parent: int
    """Its parent's number; -1 for the message itself."""
    depth: int
    content_type: str
    """Declared, lower case, without parameters: `text/plain` when none is declared."""
    true_type: str
    """By its content: a media type such as `application/pdf`, `application/x-dosexec`; empty for containers."""
    charset: str
    encoding: str
    """Content-Transfer-Encoding, lower case; empty when none is declared."""
    disposition: str
    """`attachment`, `inline` or empty."""
    names: tuple[str, ...]
    """Every file name that some mail client would show for it, the most usual reading first."""
    start: int
    """Offset of its header section in the spooled file; 0 for the message itself."""
    body: int
    """Offset of its body."""
    end: int
    """Offset after its body, without the line break that belongs to the boundary."""
    size: int
    """Bytes of its body once decoded."""
    container: bool = False
    """Whether it is a multipart or a message, with parts of its own."""
    encrypted: bool = False
    macro: bool = False
    members: tuple[Member, ...] = ()

    @property
    def name(self) -> str:
        """The name that most clients show; empty when it has none."""
        return self.names[0] if self.names else ""

    @property
    def attachment(self) -> bool:
        """Whether clients offer it as a file rather than as the message's text."""
        if self.container:
            return bool(self.names) and self.content_type.startswith("message/")
        return bool(self.names) or self.disposition == "attachment" or not self.content_type.startswith("text/")


@dataclass(frozen=True)
class Structure:
    """A message's parts, and what kept the inspection from seeing all of it."""

    parts: tuple[Part, ...]
    problems: tuple[tuple[Problem, str], ...] = ()
    """Each with a detail for people."""

    @property
    def attachments(self) -> tuple[Part, ...]:
        """The parts that clients offer as files."""
        return tuple(part for part in self.parts if part.attachment)

    @property
    def attachment_names(self) -> tuple[str, ...]:
        """Their names, each once, in order."""
        return tuple(dict.fromkeys(name for part in self.attachments for name in part.names[:1]))
