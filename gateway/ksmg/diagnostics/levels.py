"""The levels of a running service's traces: they follow the settings file, without a restart."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ksmg.diagnostics import trace
from ksmg.policy import DataPolicy, Location
from ksmg.retention.caps import effective_cap
from ksmg.settings import Settings, SettingsError, load_settings
from ksmg.stores.locations import settings_file
from ksmg.stores.system_events import Name, SystemEvent

_log = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
"""How often the file is looked at: a level is in force after that time at the latest."""


class LevelsInForce:
    """Starts the traces of this process, and changes their levels when the settings say others."""

    def __init__(self, policy: DataPolicy, settings: Settings, record: Callable[[SystemEvent], None]) -> None:
        self._file = settings_file(policy)
        self._record = record
        self._seen: tuple[int, int, int] | None = (
            None  # a change since the settings were read is seen by the first look
        )
        start_traces(policy, settings, self._stopped)
        trace.apply(trace.levels(settings))

    async def watch(self) -> None:
        """Looks at the file again and again. Never returns."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.refresh()

    def refresh(self) -> None:
        """Reads the levels again when the file changed. One that is wrong changes nothing."""
        seen = _signature(self._file)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            settings = load_settings(self._file)
        except (SettingsError, OSError) as error:
            _log.error("The levels of the traces stay as they were: %s", error)
        else:
            trace.apply(trace.levels(settings or Settings({})))

    def _stopped(self, component: str, cause: str) -> None:
        self._record(SystemEvent(Name.TRACE_STOPPED, {"component": component, "cause": cause}))


def start_traces(policy: DataPolicy, settings: Settings, report: Callable[[str, str], None]) -> None:
    """Says where this process traces to, under the caps that this disk can bear."""

    def cap(location: Location) -> int | None:
        return effective_cap(policy, settings, location.place).bytes

    trace.start(policy, report, cap)


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
