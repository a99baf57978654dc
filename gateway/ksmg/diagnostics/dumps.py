"""Dumps of crashed components: off, unless the superuser switches them on at the console, for a limited time.

What is in force is the kernel's `core_pattern`: its value for "off" is the one that the role `hardening` sets at every
start. While dumps are on, the kernel hands each to `dump_writer`, which keeps it in root's own place under its cap.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ksmg.diagnostics.archives import dump_location
from ksmg.diagnostics.console import require_console
from ksmg.policy import DataPolicy
from ksmg.stores.durable import erase_file, replace_durably, sync_directory

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
CONTAINER = Path("/run/systemd/container")
"""There when systemd runs in a container, systemd.io's "Container Interface"."""
OFF = "|/bin/false"
"""No dump, for nobody: as in sysctl.d/90-hardening.conf."""
ON = "|/usr/bin/python3 -I -m ksmg.diagnostics.dump_writer %P %s %t %e"
"""core(5): process, signal, time and name of what crashed."""
MOST_HOURS = 24
_STATE = "state.json"
_SUFFIX = ".core"
_REMIND_SECONDS = 43_200.0


class DumpsRefused(Exception):
    """Dumps cannot be switched on here. The text is a sentence for people."""


@dataclass(frozen=True)
class DumpState:
    """Whether dumps are made. `until`: when they end; None when they are off, or when only root may know."""

    enabled: bool
    until: float | None = None
    own_kernel: bool = True
    """False in a container: the kernel is another machine's, and decides about dumps there."""


def state(policy: DataPolicy | None = None, pattern: Path = CORE_PATTERN, container: Path = CONTAINER) -> DumpState:
    """What is in force. Anybody may ask; only root, who gives the policy, hears when it ends. Raises OSError."""
    if container.exists():
        return DumpState(False, own_kernel=False)
    if pattern.read_text().strip() == OFF:
        return DumpState(False)
    noted = {} if policy is None or os.geteuid() != 0 else Dumps(policy).noted()
    return DumpState(True, noted.get("until"))


def dump_files(policy: DataPolicy) -> list[Path]:
    """The dumps that are kept, oldest first."""
    found = Path(dump_location(policy).place).glob(f"*{_SUFFIX}")
    return sorted(found, key=lambda path: path.stat().st_mtime)


class Dumps:
    """The switch and its place. Everything here is for root."""

    def __init__(
        self,
        policy: DataPolicy,
        pattern: Path = CORE_PATTERN,
        clock: Callable[[], float] = time.time,
        container: Path = CONTAINER,
    ) -> None:
        self._policy = policy
        self._directory = Path(dump_location(policy).place)
        self._pattern = pattern
        self._clock = clock
        self._container = container

    def enable(self, hours: int, console: Callable[[], str] = require_console) -> DumpState:
        """Switches dumps on. Raises NotOnConsole, DumpsRefused or OSError; then nothing has changed."""
        if os.geteuid() != 0:
            raise DumpsRefused("Only the superuser may switch dumps on.")
        console()
        if self._container.exists():
            raise DumpsRefused("This is a container: its kernel is another machine's, and is not changed from here.")
        if not 1 <= hours <= MOST_HOURS:
            raise DumpsRefused(f"Dumps can be on for 1 to {MOST_HOURS} hours.")
        now = self._clock()
        self._note({"until": now + hours * 3600.0, "reminded": now})
        self._pattern.write_text(ON)
        return DumpState(True, now + hours * 3600.0)

    def disable(self) -> int:
        """Switches dumps off and overwrites those that there are; returns how many. Raises OSError."""
        if self._on():
            self._pattern.write_text(OFF)
        kept = dump_files(self._policy)
        for path in self._files():
            erase_file(path)
        sync_directory(self._directory)
        return len(kept)

    def over(self) -> bool:
        """Whether dumps have to go: their time is over, or the machine was started anew, which switches them off."""
        if not self._on():
            return bool(self._files())
        return not self._clock() < self.noted().get("until", 0.0)

    def due(self) -> bool:
        """Whether somebody should be reminded that dumps are on; notes that it is done."""
        noted, now = self.noted(), self._clock()
        if not self._on() or now < noted.get("reminded", 0.0) + _REMIND_SECONDS:
            return False
        self._note({**noted, "reminded": now})
        return True

    def noted(self) -> dict[str, float]:
        """What was noted when dumps were switched on; nothing when they were not."""
        try:
            return dict(json.loads((self._directory / _STATE).read_text()))
        except FileNotFoundError:
            return {}
        except ValueError:  # a note that was cut off by a power cut: dumps end at once
            return {"until": 0.0, "reminded": 0.0}

    def _files(self) -> list[Path]:
        """Whatever is in the place: dumps, the note, and what a process that was killed left half-written."""
        return list(self._directory.glob("*"))

    def _on(self) -> bool:
        return state(pattern=self._pattern, container=self._container).enabled

    def _note(self, noted: dict[str, float]) -> None:
        replace_durably(self._directory / _STATE, json.dumps(noted).encode())
