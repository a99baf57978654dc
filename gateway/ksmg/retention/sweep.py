"""`python3 -m ksmg.retention.sweep`: the look after what no writer keeps in order by itself.

Log files are brought below caps that shrank, the directory cache goes without a directory, keys go with their setting,
what was replaced is overwritten, and a cap that was reached becomes a system event, once a day for each place.
"""

import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from ksmg.certificates.dkim import Signer
from ksmg.policy import DataPolicy, PolicyError, load_policy
from ksmg.retention.filesystems import MountTable, mount_table
from ksmg.retention.measure import Holding, measure
from ksmg.retention.replaced import erase_replaced
from ksmg.retention.rotation import lock_log, make_room, recover
from ksmg.retention.slack import at_cap
from ksmg.retention.units import environment, log_caps, part_size
from ksmg.settings import Settings, SettingsError, load_settings
from ksmg.settings.table import SETTINGS
from ksmg.stores.durable import erase_file, replace_durably
from ksmg.stores.locations import open_system_events, settings_file
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.account import acting_as_owner
from ksmg.system.systemd import state_directory

_UNITS_FILE = "units.env"
"""Environment of rsyslog's service, kept for the next start of the machine in the state directory of this one's."""
_DIRECTORY_SETTINGS = "directory."
"""Settings of a directory integration begin with it; there are none yet."""
_MOST_RUNS = 100
_QUIET_SECONDS, _LOOK_SECONDS = 5.0, 0.2
_EVENTS_LOOKED_AT = 100_000
_log = logging.getLogger(__name__)


class Sweep:
    """One run. Each step raises OSError; the others are done all the same."""

    def __init__(self, policy: DataPolicy, settings: Settings | None, state: Path) -> None:
        self._policy = policy
        self._settings = settings
        self._units = state / _UNITS_FILE

    def run(self) -> int:
        """Does every step; returns how many failed."""
        return sum(not self._done(step) for step in (
            self.cap_logs, self.follow_the_disk, self.erase_directory_cache, self.erase_removed_keys,
            self.erase_replaced, self.tell_caps,
        ))  # fmt: skip

    def _done(self, step: Callable[[], object]) -> bool:
        try:
            step()
        except (OSError, sqlite3.Error) as error:
            _log.error("%s: %s", step.__name__, error)
            return False
        return True

    def cap_logs(self) -> int:
        """Erases the oldest parts of logs above the caps that they have on this disk now; returns how many."""
        erased = 0
        for log, cap in log_caps(self._policy, self._known):
            lock = lock_log(log)
            try:
                recover(log)
                erased += make_room(log, cap, part_size(cap))
            finally:
                os.close(lock)
        return erased

    def follow_the_disk(self) -> bool:
        """Tells rsyslog the part sizes of this disk when it has others; whether it was told."""
        wanted = environment(log_caps(self._policy, self._known))
        if self._units.exists() and self._units.read_text(encoding="utf-8") == wanted:
            return False
        replace_durably(self._units, wanted.encode())
        command = ["systemctl", "try-restart", "--no-block", "rsyslog.service"]
        if subprocess.run(command, check=False).returncode:
            self._units.unlink()  # so that the next run tries again
            raise OSError(f"{' '.join(command)} failed")
        return True

    def erase_directory_cache(self) -> bool:
        """Erases the cache of a directory that is not in use; whether there was one."""
        cache = Path(self._policy.place("directory_cache"))
        if any(self._known[row.key] is not None for row in SETTINGS if row.key.startswith(_DIRECTORY_SETTINGS)):
            return False
        existed = cache.exists()
        erase_file(cache)
        return existed

    def erase_removed_keys(self) -> list[Path]:
        """Erases the DKIM keys of domains whose mail is not signed any more; none while there are no settings."""
        if self._settings is None:
            return []
        directory = Path(next(at.place for at in self._policy.row("mta_settings").locations if at.place.name == "dkim"))
        wanted = {Signer(**facts).file(directory) for facts in self._settings["dkim"]}
        removed = [file for file in directory.glob("*.key") if file not in wanted]
        for file in removed:
            erase_file(file)
        return removed

    def erase_replaced(self) -> list[Path]:
        """Overwrites files of settings that were replaced or removed."""
        mounts = mount_table()
        return erase_replaced(self._policy, lambda file: is_in_image(mounts, file))

    def tell_caps(self) -> list[SystemEvent]:
        """Records each place that is at its cap, unless that was recorded today."""
        reached = [holding for holding in measure(self._policy, self._known) if at_cap(holding)]
        place = Path(self._policy.place("system_events"))
        with acting_as_owner(place):
            log = open_system_events(self._policy, self._known)
            told = set(_told_today(log.newest(_EVENTS_LOOKED_AT, _midnight()))) if reached else set()
            events = [_event(holding) for holding in reached if (str(holding.place), holding.stream) not in told]
            log.add_all(events)
        return events

    @property
    def _known(self) -> Settings:
        return self._settings or Settings({})


def is_in_image(mounts: MountTable, file: Path) -> bool:
    """Whether a file is still the one of the system's image: below an overlay that has none of its own."""
    original = mounts.original(PurePosixPath(file))
    return original is not None and mounts.original(PurePosixPath("/")) is None and not Path(original).exists()


def _event(holding: Holding) -> SystemEvent:
    return SystemEvent(Name.CAP_REACHED, {
        "place": str(holding.place), "stream": holding.stream, "row": holding.row, "bytes": holding.bytes,
        "records": holding.records, "cap_bytes": holding.effective.bytes, "cap_records": holding.effective.records,
    })  # fmt: skip


def _told_today(events: list[SystemEvent]) -> Iterator[tuple[str, str | None]]:
    for event in events:
        if event.name is Name.CAP_REACHED:
            yield str(PurePosixPath(event.detail["place"])), event.detail["stream"]


def _midnight() -> float:
    return datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def main() -> int:
    """Runs it on this appliance, as the service. Exit code 1 when a step failed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        state = state_directory()
        policy = load_policy()
        for _ in range(_MOST_RUNS):
            before = _changes(policy)  # and only then the settings: keys of a new one must not go
            failed = Sweep(policy, load_settings(settings_file(policy)), state).run()
            if _quiet(policy, before):
                break
    except (PolicyError, SettingsError, OSError) as error:
        _log.error("%s", error)
        return 1
    return 1 if failed else 0


def _quiet(policy: DataPolicy, before: list[int]) -> bool:
    """Whether nothing changes for a while: changes come in a row, and one between two runs would wait for the timer."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while _changes(policy) == before:
        if time.monotonic() >= deadline:
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _changes(policy: DataPolicy) -> list[int]:
    """When the directories last changed that start this: what changes while it runs starts nothing."""
    places = [at for _, at in policy.locations() if at.retention.limit in ("setting", "integration")]
    directories = {Path(at.place if at.type == "directory" else at.place.parent) for at in places}
    return [directory.stat().st_mtime_ns for directory in sorted(directories) if directory.exists()]


if __name__ == "__main__":
    sys.exit(main())
