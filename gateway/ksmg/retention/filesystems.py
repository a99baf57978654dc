"""Which file system a place is on, and how much that can hold.

Read from the mount table rather than from the place: a daemon's sandbox hides most places behind empty mounts, and
every process has to come to the same answer.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_TABLE = Path("/proc/self/mountinfo")
_DEVICE, _ROOT, _POINT, _OPTIONS = 2, 3, 4, -1
"""Columns of mountinfo, proc_pid_mountinfo(5)."""
_HIDING = "/systemd/inaccessible/"
"""What systemd mounts over the places of InaccessiblePaths=, systemd.exec(5)."""
_EMPTY = "tmpfs"
"""What systemd mounts over the directory that TemporaryFileSystem= empties. No place with a cap is in memory."""
_UPPER = re.compile(r"(?:^|,)upperdir=(?:/sysroot)?([^,]+)")
"""Of an overlay: where its own files are. The initial RAM disk sees the disk below /sysroot."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mount point and the device on it, as `major:minor`. `upper`: where an overlay has its own files."""

    point: PurePosixPath
    device: str
    upper: PurePosixPath | None = None


@dataclass(frozen=True)
class MountTable:
    """The mounts of this process, later ones over earlier ones, without those that only hide a place."""

    mounts: tuple[Mount, ...]

    def device(self, place: PurePosixPath) -> str:
        """The device that a place is on, whether the place exists or not; empty when nothing is mounted at all."""
        mount = self._over(place)
        return mount.device if mount else ""

    def original(self, place: PurePosixPath) -> PurePosixPath | None:
        """Where a place is when it is an overlay's own: in its upper directory; None when no overlay is there."""
        mount = self._over(place)
        return mount.upper / place.relative_to(mount.point) if mount and mount.upper else None

    def _over(self, place: PurePosixPath) -> Mount | None:
        over = [mount for mount in self.mounts if place.is_relative_to(mount.point)]
        return max(over, key=lambda mount: len(mount.point.parts), default=None)


def parse_mounts(text: str) -> MountTable:
    """The table out of mountinfo's text."""
    found: dict[PurePosixPath, Mount] = {}
    for line in (line.split(" ") for line in text.splitlines()):
        if _HIDING not in line[_ROOT] and _EMPTY not in line:
            point, upper = _path(line[_POINT]), _UPPER.search(line[_OPTIONS])
            found[point] = Mount(point, line[_DEVICE], _path(upper[1]) if upper else None)
    return MountTable(tuple(found.values()))


def _path(text: str) -> PurePosixPath:
    return PurePosixPath(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), text))


def mount_table() -> MountTable:
    """The table as it is now. Raises OSError."""
    return parse_mounts(_TABLE.read_text(encoding="utf-8", errors="surrogateescape"))


def capacity(place: PurePosixPath) -> int:
    """Bytes that accounts other than root can put on a place's file system, when it is empty. Raises OSError."""
    existing = Path(place)
    while not existing.exists():
        existing = existing.parent
    disk = os.statvfs(existing)
    return (disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize
