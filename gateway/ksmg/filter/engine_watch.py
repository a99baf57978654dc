"""Watches the engines: each change between working and not is a system event, whether mail or a probe noticed it."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ksmg.checks.verdict import Check
from ksmg.engines.failure import EngineFailure
from ksmg.stores.system_events import Name, SystemEvent

_log = logging.getLogger(__name__)
PROBE_SECONDS = 10.0


class EngineWatch:
    """Knows for each check whether its engine works. An engine counts as working until something else is seen."""

    def __init__(self, checks: Sequence[Check], record: Callable[[SystemEvent], None]) -> None:
        self._checks = checks
        self._record = record
        self._down: dict[str, bool] = {}
        self._versions: dict[str, str] = {}

    def failed(self, check: str, failure: EngineFailure) -> None:
        """A check could not be made.

        Only failures of the engine itself count, not a message that is too much for it.
        """
        if failure.reason.engine_down and not self._down.get(check):
            self._down[check] = True
            self._record(SystemEvent(Name.ENGINE_DOWN, {"check": check, "cause": str(failure)}))

    def answered(self, check: str) -> None:
        """An engine answered."""
        if self._down.get(check):
            self._record(SystemEvent(Name.ENGINE_UP, {"check": check}))
        self._down[check] = False

    async def watch(self) -> None:
        """Probes every engine again and again, so that one that is back is seen without mail. Never returns."""
        while True:
            await self.probe()
            await asyncio.sleep(PROBE_SECONDS)

    async def probe(self) -> None:
        """Probes every engine once."""
        for check in self._checks:
            try:
                version = await check.probe()
            except EngineFailure as failure:
                self.failed(check.name, failure)
            else:
                self.answered(check.name)
                self._compare(check.name, version, check.outdated)

    def _compare(self, check: str, version: str, outdated: bool) -> None:
        before = self._versions.get(check)
        if version == before:
            return
        self._versions[check] = version
        if outdated:
            self._record(SystemEvent(Name.SIGNATURES_OUTDATED, {"check": check, "version": version}))
        elif before is not None:
            self._record(SystemEvent(Name.SIGNATURES_UPDATED, {"check": check, "version": version, "before": before}))
