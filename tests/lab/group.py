"""Control groups: every process of a lab is in one with the lab's name, so that none is lost or mistaken."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from lab.command import LabError
from lab.place import Place

ROOT = Path("/sys/fs/cgroup")
TIME_LIMIT = 20.0


def hierarchies() -> Iterator[Path]:
    """The unified tree first; on a hybrid machine also systemd's named one, which nspawn uses as well."""
    if (ROOT / "cgroup.procs").exists():
        yield ROOT
        return
    yield from (tree for tree in (ROOT / "unified", ROOT / "systemd") if tree.is_dir())


def join(place: Place, member: str) -> None:
    """Put the calling process, and so its later children, into the member's group."""
    for tree in hierarchies():
        group = tree / place.netns / member
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(str(os.getpid()))


def populated(place: Place, member: str) -> bool:
    """Whether any process of the member is alive."""
    events = next(hierarchies()) / place.netns / member / "cgroup.events"
    try:
        return "populated 1" in events.read_text()
    except OSError:
        return False


def members(place: Place) -> list[str]:
    """Names of the groups that exist."""
    return sorted(p.name for p in (next(hierarchies()) / place.netns).glob("*") if p.is_dir())


def end(place: Place, member: str) -> None:
    """End every process of the member and remove its groups."""
    unified = next(hierarchies()) / place.netns / member
    if unified.exists():
        (unified / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + TIME_LIMIT
    while populated(place, member):
        if time.monotonic() > deadline:
            raise LabError(f"Processes of {member} do not end: see {unified}/cgroup.procs.")
        time.sleep(0.02)
    for tree in hierarchies():
        remove(tree / place.netns / member)


def remove(group: Path) -> None:
    """Remove an empty group with its children; the kernel needs a moment after the last exit."""
    for path in sorted(group.glob("**/"), reverse=True):
        deadline = time.monotonic() + TIME_LIMIT
        while path.exists():
            try:
                path.rmdir()
            except OSError as busy:
                if time.monotonic() > deadline:
                    raise LabError(f"{path} stays busy.") from busy
                time.sleep(0.02)
