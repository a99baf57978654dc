"""Mounts of a process, as proc_pid_mountinfo(5) has them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ksmg.audit.promise import is_within

INITRD_ROOT = "/sysroot"
"""Where the initial RAM disk has the system: it is the one that mounts the overlay."""
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One mount. `root` is the directory of the file system that is seen at `point`.

    `upper` is where an overlay keeps what was changed, as the machine sees it; empty for other kinds.
    """

    device: str
    root: str
    point: str
    options: frozenset[str]
    kind: str
    writable: bool
    upper: str = ""

    def position(self, path: str) -> str:
        """Where in its file system a path below the mount lies."""
        return join(self.root, relative(path, self.point))

    def path_of(self, position: str) -> str:
        """The path below the mount of a position in its file system."""
        return join(self.point, relative(position, self.root))


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """Every mount, those that were mounted later further back."""
    return tuple(_parse(line.split(" ")) for line in text.splitlines() if " - " in line)


def _parse(fields: list[str]) -> Mount:
    rest = fields[fields.index("-") + 1 :]
    options = frozenset(fields[5].split(","))
    writable = "rw" in options and "rw" in rest[2].split(",")
    upper = next((word[9:] for word in rest[2].split(",") if word.startswith("upperdir=")), "")
    return Mount(
        fields[2],
        _text(fields[3]),
        _text(fields[4]),
        options,
        rest[0],
        writable,
        _text(upper).removeprefix(INITRD_ROOT),
    )


def _text(field: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)


def holder(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that a path lies on: of those with the longest mount point the latest."""
    found: Mount | None = None
    for mount in mounts:
        if is_within(path, mount.point) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def relative(path: str, directory: str) -> str:
    """The part of a path below a directory; empty for the directory itself."""
    return path[len(directory.rstrip("/")) :].strip("/")


def join(directory: str, rest: str) -> str:
    """A path below a directory."""
    return f"{directory.rstrip('/')}/{rest}" if rest else directory
