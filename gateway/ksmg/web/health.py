"""Whether this appliance should get mail, for load balancers.

No personal data, and no detail that helps an attacker.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ksmg.checks.verdict import Check
from ksmg.engines.failure import EngineFailure

FILTER_SOCKET = Path("/run/ksmg-filter/milter.sock")
LEAST_FREE = 0.02
"""The part of the stores' file system that must be free."""
_REMEMBERED_SECONDS = 2.0
_TIMEOUT = 3.0


@dataclass(frozen=True)
class Health:
    """What works, by name."""

    parts: dict[str, bool]

    @property
    def healthy(self) -> bool:
        """Whether everything works."""
        return all(self.parts.values())


class HealthProbe:
    """Looks at filter, engines and free space; remembers the answer for two seconds, so that nobody can wear
    engines out.
    """

    def __init__(self, checks: Sequence[Check], stores: Path, filter_socket: Path = FILTER_SOCKET) -> None:
        self._checks = checks
        self._stores = stores
        self._filter_socket = filter_socket
        self._lock = asyncio.Lock()
        self._last: tuple[float, Health] | None = None

    async def health(self) -> Health:
        """The state now, or two seconds ago."""
        async with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > _REMEMBERED_SECONDS:
                self._last = (time.monotonic(), await self._look())
            return self._last[1]

    async def _look(self) -> Health:
        works = await asyncio.gather(self._filter(), *(_engine(check) for check in self._checks))
        names = ["filter", *(check.name for check in self._checks)]
        return Health({**dict(zip(names, works, strict=True)), "storage": self._storage()})

    async def _filter(self) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT):
                _, writer = await asyncio.open_unix_connection(str(self._filter_socket))
        except OSError:
            return False
        writer.close()
        return True

    def _storage(self) -> bool:
        try:
            status = os.statvfs(self._stores)
        except OSError:
            return False
        return status.f_bavail >= LEAST_FREE * status.f_blocks


async def _engine(check: Check) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT):
            await check.probe()
    except (EngineFailure, TimeoutError):
        return False
    return True
