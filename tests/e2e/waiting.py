"""Waiting for a condition, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 60.0
PAUSE = 0.1


def until(condition: Callable[[], T | None], what: str, limit: float = LIMIT) -> T:
    """The condition's first answer that is true. `what` completes the sentence "there was no ..."."""
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {limit:.0f} s there was no {what}")
        time.sleep(PAUSE)
    return answer
