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
_DEVICE, _ROOT, _POINT = 2, 3, 4
"""Columns of mountinfo, proc_pid_mountinfo(5)."""
_HIDING = "/systemd/inaccessible/"
"""What systemd mounts over the places of InaccessiblePaths=, systemd.exec(5)."""
_EMPTY = "tmpfs"
"""What systemd mounts over the directory that TemporaryFileSystem= empties. No place with a cap is in memory."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mount point and the device on it, as `major:minor`."""

    point: PurePosixPath
    device: str


@dataclass(frozen=True)
class MountTable:
    """The mounts of this process, later ones over earlier ones, without those that only hide a place."""

    mounts: tuple[Mount, ...]

    def device(self, place: PurePosixPath) -> str:
        """The device that a place is on, whether the place exists or not; empty when nothing is mounted at all."""
        over = [mount for mount in self.mounts if place.is_relative_to(mount.point)]
        return max(over, key=lambda mount: len(mount.point.parts)).device if over else ""


def parse_mounts(text: str) -> MountTable:
    """The table out of mountinfo's text."""
    columns = (line.split(" ") for line in text.splitlines())
    found: dict[PurePosixPath, str] = {}
    for line in columns:
        if _HIDING not in line[_ROOT] and _EMPTY not in line:
            found[PurePosixPath(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), line[_POINT]))] = line[_DEVICE]
    return MountTable(tuple(Mount(point, device) for point, device in found.items()))


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
