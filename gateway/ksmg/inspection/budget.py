"""What is left of an inspection's limits while archives are opened, and what was found on the way."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ksmg.inspection.limits import Limits
from ksmg.mail.readable import readable
from ksmg.mail.structure import Problem

LONGEST_DETAIL = 200
_MOST_PROBLEMS = 20


class Exceeded(Exception):
    """A limit is reached: nothing more is opened."""


class Unreadable(Exception):
    """An archive or document that is broken, or of a kind that nobody here can read."""


class Budget:
    """Counts down over one message."""

    def __init__(self, limits: Limits, deadline: float) -> None:
        self.limits = limits
        self.problems: dict[tuple[Problem, str], None] = {}
        self._deadline = deadline
        self._members = limits.members
        self._bytes = limits.unpacked
        self._held = limits.nested

    def note(self, problem: Problem, detail: str) -> None:
        """Adds a problem; the inspection goes on."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems[problem, readable(detail)[:LONGEST_DETAIL]] = None

    def count_member(self) -> None:
        """One more member. Raises Exceeded."""
        self._members -= 1
        if self._members < 0:
            self.too_many_members()
        self.check_time()

    def too_many_members(self) -> NoReturn:
        """For an archive that alone has more than the limit. Raises Exceeded."""
        self._end(Problem.MEMBERS, f"more than {self.limits.members} files in archives")

    def count_bytes(self, size: int) -> None:
        """So many more unpacked bytes. Raises Exceeded."""
        self._bytes -= size
        if self._bytes < 0:
            self._end(Problem.EXPANDED, f"archives unpack to more than {self.limits.unpacked} bytes")
        self.check_time()

    def check_time(self) -> None:
        """Raises Exceeded when the time is over."""
        if time.monotonic() > self._deadline:
            self._end(Problem.TIME, f"more than {self.limits.seconds:g} s")

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that reckons with so many more bytes in memory until the block ends. It raises Exceeded."""
        before = self._held

        def hold(size: int) -> None:
            self._held -= size
            if self._held < 0:
                self._end(Problem.EXPANDED, f"archives within archives are larger than {self.limits.nested} bytes")

        try:
            yield hold
        finally:
            self._held = before

    def _end(self, problem: Problem, detail: str) -> NoReturn:
        self.note(problem, detail)
        raise Exceeded(detail)
