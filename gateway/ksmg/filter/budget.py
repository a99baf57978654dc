"""How many messages may pass unscanned: a rule may let them, but only so many in an hour."""

import time
from collections import deque
from collections.abc import Callable, Iterable

HOUR = 3600.0


class Budget:
    """Counts messages that passed although a module could not judge them, over the last hour."""

    def __init__(self, per_hour: int, past: Iterable[float] = (), clock: Callable[[], float] = time.time) -> None:
        """`past`: when messages passed unscanned before this process began, in seconds since 1970, oldest first."""
        self._per_hour = per_hour
        self._clock = clock
        self._passed: deque[float] = deque(past, maxlen=max(per_hour, 1))

    def take(self) -> bool:
        """Counts one more; False when there is none left, and none is counted."""
        if self.left < 1:
            return False
        self._passed.append(self._clock())
        return True

    @property
    def left(self) -> int:
        """How many may still pass now."""
        since = self._clock() - HOUR
        while self._passed and self._passed[0] <= since:
            self._passed.popleft()
        return self._per_hour - len(self._passed)
