"""Argument lists that run a command in namespaces of its own: mounts and processes end with it, whatever happens.

``unshare --kill-child`` ends everything inside when the builder dies, and the kernel then drops the private mounts:
an interrupted build leaves nothing mounted and nothing running.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLEAN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}


@dataclass(frozen=True)
class Mount:
    """One mount(8) call; the mount point is made when it is missing."""

    source: str
    place: Path
    type: str = ""
    options: str = ""
    bind: bool = False
    file: bool = False  # the source is a file, and so is the mount point

    def shell(self) -> str:
        """The mount as a shell command."""
        words = ["mount", *(["--bind"] if self.bind else []), *(["-t", self.type] if self.type else [])]
        words += [*(["-o", self.options] if self.options else []), self.source, str(self.place)]
        return shlex.join(words)


def bind(source: Path, place: Path) -> Mount:
    """The same tree a second time at another place."""
    return Mount(str(source), place, bind=True)


def overlay(lower: Sequence[Path], upper: Path, work: Path, place: Path) -> Mount:
    """An overlay whose changes land in ``upper``; ``lower`` is given topmost first."""
    layers = ":".join(str(layer) for layer in lower)
    return Mount("overlay", place, "overlay", f"lowerdir={layers},upperdir={upper},workdir={work}")


def merged(lower: Sequence[Path], place: Path) -> Mount:
    """Several layers, topmost first, as one read-only tree."""
    if len(lower) == 1:
        return Mount(str(lower[0]), place, bind=True)
    return Mount("overlay", place, "overlay", "ro,lowerdir=" + ":".join(str(layer) for layer in lower))


def system(root: Path) -> list[Mount]:
    """What programs expect of a root that is not booted: /proc, /sys (read-only), /dev, an empty /run and /tmp."""
    return [
        Mount("proc", root / "proc", "proc"),
        Mount("sysfs", root / "sys", "sysfs", "ro"),
        bind(Path("/dev"), root / "dev"),
        Mount("tmpfs", root / "dev/shm", "tmpfs", "mode=1777"),
        Mount("tmpfs", root / "run", "tmpfs", "mode=755"),
        Mount("tmpfs", root / "tmp", "tmpfs", "mode=1777"),
    ]


def enter(mounts: Sequence[Mount], command: Sequence[str], *, network: bool = False) -> list[str]:
    """Run ``command`` with its own mounts and process ids, and with no network but loopback unless asked for."""
    # programs that ask which interfaces there are have to find one
    lines = ["mount -t proc proc /proc", *([] if network else ["ip link set lo up"])]
    for mount in mounts:
        place = shlex.quote(str(mount.place))
        lines.append(f"touch {place}" if mount.file else f"[ -d {place} ] || mkdir -p {place}")
        lines.append(mount.shell())
    lines.append(f"exec {shlex.join(command)}")
    separate = [
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        *([] if network else ["--net"]),
    ]
    return ["unshare", *separate, "sh", "-euc", "\n".join(lines)]


def in_tree(tree: Path, mounts: Sequence[Mount], command: Sequence[str], **environment: str) -> list[str]:
    """Run ``command`` inside another root file system (chroot) with a clean environment."""
    words = [f"{key}={value}" for key, value in {**CLEAN_ENVIRONMENT, **environment}.items()]
    return enter([*system(tree), *mounts], ["chroot", str(tree), "env", "-i", *words, *command])
