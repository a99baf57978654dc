"""How much of a message is looked into. Beyond a limit it has a problem, and counts as unscanned."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one inspection. Each bounds time or memory; none is near what people send."""

    parts: int = 1_000
    """MIME parts. A digest of a busy list has about 100."""
    depth: int = 50
    """Parts within each other. Clients and the anti-virus engine stop at fewer; forwards of forwards reach about 10."""
    header_bytes: int = 1_048_576
    """Bytes of one header section. Postfix cuts each field at 100 kB."""
    header_fields: int = 1_000
    """Fields of one header section."""
    names: int = 32
    """File names of one part, over all readings."""
    members: int = 10_000
    """Members of all archives in a message: the anti-virus engine's MaxFiles."""
    nesting: int = 8
    """Archives within each other. The anti-virus engine stops at 17, and counts MIME parts too."""
    unpacked: int = 209_715_200
    """Bytes of all members of all archives, unpacked: the anti-virus engine's MaxScanSize."""
    nested: int = 67_108_864
    """Bytes of archives within archives, which are held in memory, all together."""
    seconds: float = 10.0
    """Time for one message."""


IN_PROCESS_BYTES = 2_000_000
"""Messages up to this size are walked within the filter: their walk takes at most a few milliseconds."""
IN_PROCESS_SECONDS = 0.02
"""What takes longer within the filter is given to the service: meanwhile no other message would move."""
