"""How many notifications go out: a flood of bad mail must not become a flood of notifications."""

import time
from collections import Counter, deque
from collections.abc import Callable

HOUR = 3600.0


class Limits:
    """Counts notifications of the last hour. What it remembers is at most as much as it permits."""

    def __init__(self, per_address: int = 10, per_hour: int = 100, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address = per_address
        self._per_hour = per_hour
        self._clock = clock
        self._sent: deque[tuple[float, str]] = deque()
        self._of: Counter[str] = Counter()
        self.suppressed = 0
        """Notifications that were not permitted, since this was last set to 0."""

    def take(self, address: str) -> bool:
        """Counts one more to an address; False, and `suppressed` grows, when that is too much."""
        address = address.lower()
        since = self._clock() - HOUR
        while self._sent and self._sent[0][0] <= since:
            _, old = self._sent.popleft()
            self._of[old] -= 1
            if not self._of[old]:
                del self._of[old]
        if len(self._sent) >= self._per_hour or self._of[address] >= self._per_address:
            self.suppressed += 1
            return False
        self._sent.append((self._clock(), address))
        self._of[address] += 1
        return True
