"""Differences anywhere on the writable file systems: files that raise privileges, copies and second names of data."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from ksmg.audit.contents import SMALLEST_COPY, Inventory, beginning
from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.mount_table import Mount, holder
from ksmg.audit.promise import Place, is_within, place_of

KNOWN = frozenset(
    {
        "/usr/bin/chage",
        "/usr/bin/chfn",
        "/usr/bin/chsh",
        "/usr/bin/crontab",
        "/usr/bin/dotlockfile",
        "/usr/bin/expiry",
        "/usr/bin/gpasswd",
        "/usr/bin/mount",
        "/usr/bin/newgrp",
        "/usr/bin/passwd",
        "/usr/bin/ping",
        "/usr/bin/ssh-agent",
        "/usr/bin/su",
        "/usr/bin/sudo",
        "/usr/bin/umount",
        "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
        "/usr/lib/openssh/ssh-keysign",
        "/usr/lib/polkit-1/polkit-agent-helper-1",
        "/usr/sbin/postdrop",
        "/usr/sbin/postlog",
        "/usr/sbin/postqueue",
        "/usr/sbin/unix_chkpwd",
    }
)
"""Files with set-uid, set-gid or capabilities that Debian's packages bring, and that may have them."""
KINDS = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "vfat", "xfs"})
"""Kinds of file systems that files are kept on."""
PRIVATE = ("/run/credentials", "/usr", "/proc", "/sys", "/dev")
"""Where copies are not looked for: what systemd hands to services, Debian's own files, and no files at all.

Nor in what an overlay changed: that is the places themselves, with the modes of their directories.
"""
_MOST_COMPARED = 65_536


def file_system_differences(
    mounts: tuple[Mount, ...], places: tuple[Place, ...], inventory: Inventory
) -> Iterator[Difference]:
    """Looks at every file of every writable file system, once."""
    linked = {entry.identity: entry.path for entry in inventory.links_outside()}
    own = (*PRIVATE, *(mount.upper for mount in mounts if mount.upper))
    for path, status, closed in _files(mounts):
        if status.st_mode & stat.S_IXUSR | status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            yield from _privileged(path, status)
        identity = (status.st_dev, status.st_ino)
        if (known := linked.get(identity)) and place_of(places, path) is None:
            yield _hard_link(places, known, path)
        elif identity in inventory.owners:
            continue  # a place's own file
        elif not closed and _is_open(status) and place_of(places, path) is None and not _is_below(path, own):
            yield from _copy(places, path, status, inventory)


def _files(mounts: tuple[Mount, ...]) -> Iterator[tuple[str, os.stat_result, bool]]:
    """Regular files, each with whether a directory of root's above it keeps others out."""
    top = {mount.point for mount in mounts if _is_walked(mounts, mount)}
    points = {mount.point for mount in mounts}
    seen: set[tuple[int, int]] = set()
    waiting = [(point, False) for point in sorted(top)]
    while waiting:
        folder, closed = waiting.pop()
        try:
            with os.scandir(folder) as found:
                children = list(found)
        except OSError:
            continue  # gone, or a place that even root cannot enter: no account can
        for child in children:
            try:
                status = child.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield child.path, status, closed
            elif _is_new_directory(child.path, status, points, seen):
                shut = closed or (status.st_uid == 0 and status.st_gid == 0 and not status.st_mode & 0o011)
                waiting.append((child.path, shut))


def _is_below(path: str, directories: tuple[str, ...]) -> bool:
    return any(is_within(path, directory) for directory in directories)


def _is_new_directory(path: str, status: os.stat_result, points: set[str], seen: set[tuple[int, int]]) -> bool:
    """Whether to go into a directory: once, however often it is mounted, and not where another mount begins."""
    key = (status.st_dev, status.st_ino)
    if not stat.S_ISDIR(status.st_mode) or path in points or key in seen:
        return False
    seen.add(key)
    return True


def _is_walked(mounts: tuple[Mount, ...], mount: Mount) -> bool:
    return mount.kind in KINDS and mount.writable and holder(mounts, mount.point) is mount


def _privileged(path: str, status: os.stat_result) -> Iterator[Difference]:
    if path in KNOWN:
        return
    raised = [name for name, bit in (("set-uid", stat.S_ISUID), ("set-gid", stat.S_ISGID)) if status.st_mode & bit]
    with suppress(OSError):  # gone, or a file system without attributes: there are no capabilities
        raised += ["capabilities"] if "security.capability" in os.listxattr(path, follow_symlinks=False) else []
    if raised:
        cure = f"{command('chmod', 'ug-s', path)}; {command('setcap', '-r', path)}; {command('ls', '-l', path)}"
        found = f"{' and '.join(raised)}, owner uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"
        yield Difference(Kind.PRIVILEGED_FILE, path, "no privileges", found, cure)


def _hard_link(places: tuple[Place, ...], known: str, path: str) -> Difference:
    found = f"it is {path} as well"
    return Difference(Kind.HARD_LINK, known, "one name", found, command("rm", path), _row(places, known))


def _row(places: tuple[Place, ...], path: str) -> str:
    place = place_of(places, path)
    return place.row if place else ""


def _is_open(status: os.stat_result) -> bool:
    """Whether anybody but root may read a file."""
    mode = status.st_mode
    return bool(mode & stat.S_IROTH or status.st_uid or (mode & stat.S_IRGRP and status.st_gid))


def _copy(places: tuple[Place, ...], path: str, status: os.stat_result, inventory: Inventory) -> Iterator[Difference]:
    """A file that begins as a data file does, and goes on as it does as far as it goes."""
    if not inventory.heads or status.st_size < SMALLEST_COPY:
        return
    for source in inventory.heads.get(beginning(path), ()):
        if _same_text(path, source):
            found = f"a copy that others can read, mode {stat.S_IMODE(status.st_mode):04o}, at {path}"
            cure = command("rm", path)
            yield Difference(Kind.COPY, source, "no copy that others can read", found, cure, _row(places, source))
            return


def _same_text(first: str, second: str) -> bool:
    try:
        with open(first, "rb") as one, open(second, "rb") as other:
            a, b = one.read(_MOST_COMPARED), other.read(_MOST_COMPARED)
    except OSError:
        return False
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]
