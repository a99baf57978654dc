"""How a command ends: exit codes, and failures that people are told about."""

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of every verb."""

    DONE = 0
    """Done."""
    FAILED = 1
    """Could not be done; a sentence on stderr says why."""
    USAGE = 2
    """The command line is wrong."""
    NOT_FOUND = 3
    """What was asked for does not exist."""
    DENIED = 4
    """The account may not do this."""
    UNHEALTHY = 5
    """`status` found something that does not work."""
    DIFFERENT = 6
    """`replay` or `audit` found a difference."""


class CommandFailure(Exception):
    """A verb could not do its work. The sentence says what is wrong, the hint what can be done."""

    def __init__(self, sentence: str, hint: str = "", code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(sentence)
        self.hint = hint
        self.code = code
