"""The diagnostic archives that are kept: root's own, encrypted, and overwritten after a day."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ksmg.policy import DataPolicy, Location
from ksmg.stores.durable import erase_file, sync_directory

_NAME = re.compile(r"diagnostics-\d{8}T\d{6}Z-[0-9a-f]{6}\.pem")
_BEING_WRITTEN = ".new"
_DAY = 86_400.0
EARLY_SECONDS = 900.0
"""How much before its time an archive goes: the timer looks that often, and none may be there for longer than a day."""
_WRITING_SECONDS = 3600.0
_SHARE_OF_FREE = 4
"""An archive takes at most this part of what is free on the disk."""


@dataclass(frozen=True)
class Archive:
    """One archive. `made` is when it was begun."""

    path: Path
    made: float
    size: int

    @property
    def name(self) -> str:
        """Its name; it tells the time and nothing else."""
        return self.path.name


class Archives:
    """The archives in their place. All of it is root's."""

    def __init__(self, location: Location, cap: int, clock: Callable[[], float] = time.time) -> None:
        self._directory = Path(location.place)
        self._age = (location.retention.days or 0) * _DAY
        self._cap = cap
        self._clock = clock

    def all(self) -> list[Archive]:
        """The archives, newest first."""
        return sorted((_archive(path) for path in self._files(_NAME.fullmatch)), key=lambda found: -found.made)

    def evict(self, wanted: int) -> list[Archive]:
        """Overwrites and deletes the oldest archives until `wanted` bytes fit below the cap; returns them."""
        kept, evicted = self.all(), list[Archive]()
        while kept and sum(archive.size for archive in kept) + wanted > self._cap:
            evicted.append(kept.pop())
            self.delete(evicted[-1])
        return evicted

    def room(self, wanted: int) -> int:
        """How many of the `wanted` bytes cap and disk let an archive have."""
        disk = os.statvfs(self._directory)
        return min(wanted, self._cap, disk.f_bavail * disk.f_frsize // _SHARE_OF_FREE)

    def new(self) -> tuple[Path, Path]:
        """The name of a new archive while it is written, and afterwards."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        name = f"diagnostics-{moment}-{os.urandom(3).hex()}.pem"
        return self._directory / (name + _BEING_WRITTEN), self._directory / name

    def finish(self, written: Path, path: Path) -> Archive:
        """Makes a whole archive one of those that are kept. Raises OSError."""
        written.rename(path)
        sync_directory(self._directory)
        return _archive(path)

    def find(self, name: str) -> Archive | None:
        """The archive of that name."""
        return next((archive for archive in self.all() if archive.name == name), None)

    def delete(self, archive: Archive) -> None:
        """Overwrites and deletes one. Raises OSError."""
        erase_file(archive.path)
        sync_directory(self._directory)

    def expire(self) -> list[Archive]:
        """Overwrites and deletes those whose day is over, and what an interruption left; returns them."""
        now = self._clock()
        left = [_archive(path) for path in self._files(lambda name: name.endswith(_BEING_WRITTEN))]
        over = [found for found in (*self.all(), *left) if not -EARLY_SECONDS < now - found.made < self._limit(found)]
        for archive in over:
            self.delete(archive)
        return over

    def _limit(self, archive: Archive) -> float:
        """Seconds; one that is still being written after so long never will be finished."""
        return self._age - EARLY_SECONDS if _NAME.fullmatch(archive.name) else _WRITING_SECONDS

    def _files(self, wanted: Callable[[str], object]) -> Iterator[Path]:
        if self._directory.is_dir():
            yield from (path for path in self._directory.iterdir() if wanted(path.name))


def archive_location(policy: DataPolicy) -> Location:
    """Where archives are kept, and with which caps."""
    return _own_location(policy, "diagnostics")


def dump_location(policy: DataPolicy) -> Location:
    """Where dumps are kept, and with which caps."""
    return _own_location(policy, "dumps")


def _own_location(policy: DataPolicy, name: str) -> Location:
    return next(at for at in policy.row("traces").locations if at.place.name == name)


def _archive(path: Path) -> Archive:
    facts = path.stat()
    return Archive(path, facts.st_mtime, facts.st_size)
