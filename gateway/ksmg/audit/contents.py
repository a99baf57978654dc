"""Differences within the places: whose the files are, whom they are open to, what names they have elsewhere."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest

from ksmg.audit import access_list
from ksmg.audit.access_list import AccessList
from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.directory import Directory
from ksmg.audit.promise import ROOT, Place, is_within
from ksmg.audit.trial import SAMPLES
from ksmg.retention.replaced import SECOND_NAME

MOST_FILES = 200_000
"""Files that are looked at in one place; a queue can have more."""
POSTFIX_PARTS = frozenset({"etc", "usr", "lib", "dev", "pid"})
"""What Postfix keeps beside its queues: copies of the system's own files, no mail."""
OTHER_GROUPS = {"mta_queue": frozenset({"postdrop"})}
"""Groups of files that are not the owners' own, by row: the doors of the queue."""
_HEAD = 256
SMALLEST_COPY = 64
"""Bytes of a file whose copies are looked for: shorter ones are alike by chance."""

_EMPTY_DATABASE = re.compile(rb"SQLite format 3\0.{84}\r..\0\0", re.DOTALL)
"""How an SQLite file begins whose first page is a leaf without entries: it has no table (its file format, 1.3, 1.6)."""

Identity = tuple[int, int]
"""Device and inode of a file."""


@dataclass(frozen=True)
class Entry:
    """A file within a place."""

    path: str
    status: os.stat_result

    @property
    def identity(self) -> Identity:
        """Which file it is, whatever its name."""
        return self.status.st_dev, self.status.st_ino


@dataclass
class Inventory:
    """What lies in all places: which files, how many of their names were met, and how their contents begin."""

    owners: dict[Identity, Place] = field(default_factory=dict)
    names: Counter[Identity] = field(default_factory=Counter)
    linked: dict[Identity, Entry] = field(default_factory=dict)
    heads: dict[bytes, list[str]] = field(default_factory=dict)

    def add(self, place: Place, entry: Entry) -> None:
        """Takes note of a regular file."""
        self.owners[entry.identity] = place
        self.names[entry.identity] += 1
        if entry.status.st_nlink > 1:
            self.linked[entry.identity] = entry

    def add_head(self, path: str) -> None:
        """Takes note of how a file begins, so that its copies are known.

        All databases are alike whose tables are in the write-ahead log alone: those are not copies of each other.
        """
        head = beginning(path)
        if len(head) >= SMALLEST_COPY and not _EMPTY_DATABASE.match(head):
            self.heads.setdefault(head, []).append(path)

    def links_outside(self) -> list[Entry]:
        """Files that have more names than were met."""
        return [entry for key, entry in self.linked.items() if entry.status.st_nlink > self.names[key]]


def beginning(path: str) -> bytes:
    """The first bytes of a file; none when it cannot be read any more."""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def entries(place: Place) -> Iterator[Entry]:
    """Everything within a place; for a file, the file itself, its rotated parts, and the names it is held by."""
    if place.directory:
        yield from _below(place.path)
        return
    folder, name = os.path.split(place.path)
    beside = (f"{name}.", f"{name}-") if place.log else (SECOND_NAME,)
    for entry in _children(folder):
        if entry.name == name or entry.name.startswith(beside):
            yield from _looked_at(entry)


def _below(top: str) -> Iterator[Entry]:
    waiting, seen = [top], 0
    while waiting and seen < MOST_FILES:
        for child in _children(waiting.pop()):
            for entry in _looked_at(child):
                seen += 1
                yield entry
                if stat.S_ISDIR(entry.status.st_mode):
                    waiting.append(entry.path)


def _children(directory: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []  # gone meanwhile, as files of a queue are


def _looked_at(entry: "os.DirEntry[str]") -> Iterator[Entry]:
    try:
        yield Entry(entry.path, entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return


def samples(found: list[Entry]) -> tuple[str, ...]:
    """The newest regular files: those are tried."""
    regular = [entry for entry in found if stat.S_ISREG(entry.status.st_mode)]
    return tuple(entry.path for entry in nlargest(SAMPLES, regular, key=lambda entry: entry.status.st_mtime))


def content_differences(place: Place, entry: Entry, directory: Directory) -> Iterator[Difference]:
    """Everything about one file within a place."""
    mode = entry.status.st_mode
    if entry.path == place.path:
        return
    if not _is_postfix_part(place, entry.path):
        yield from _owner(place, entry, directory)
    if stat.S_ISLNK(mode):
        yield from _link(place, entry)
    elif stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        cure = command("rm", entry.path)
        yield Difference(Kind.FILE_TYPE, entry.path, "files and directories", "a device", cure, place.row)
    elif stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        yield from _mode(place, entry)
        yield from _list(place, entry, directory)


def _owner(place: Place, entry: Entry, directory: Directory) -> Iterator[Difference]:
    owner, group = directory.user(entry.status.st_uid), directory.group(entry.status.st_gid)
    owners = {ROOT, place.owner, place.writer}
    groups = {ROOT, place.group, place.owner, place.writer} | OTHER_GROUPS.get(place.row, frozenset())
    if owner not in owners or group not in groups:
        cure = command("chown", f"{place.owner}:{place.group}", entry.path)
        wanted = f"one of {', '.join(sorted(owners))}"
        yield Difference(Kind.FILE_OWNER, entry.path, wanted, f"{owner}:{group}", cure, place.row)


def _link(place: Place, entry: Entry) -> Iterator[Difference]:
    target = os.path.realpath(entry.path)
    if not is_within(target, os.path.realpath(place.path)) and not is_within(target, "/usr"):
        cure = command("rm", entry.path)
        found = f"a symbolic link to {target}"
        yield Difference(Kind.SYMLINK, entry.path, "no link out of the place", found, cure, place.row)


def _mode(place: Place, entry: Entry) -> Iterator[Difference]:
    mode = stat.S_IMODE(entry.status.st_mode)
    public = place.path.startswith("/etc/") or _is_postfix_part(place, entry.path)  # its directory guards it
    if mode & (0o002 if public else 0o007):
        cure = command("chmod", "o-rwx", entry.path)
        yield Difference(Kind.FILE_MODE, entry.path, "nothing for others", f"mode {mode:04o}", cure, place.row)


def is_data(place: Place, entry: Entry) -> bool:
    """Whether a file is data of the place, and not one of its daemon's own files beside it."""
    return not place.directory or entry.path.startswith(f"{place.data}/")


def _is_postfix_part(place: Place, path: str) -> bool:
    return place.row == "mta_queue" and path[len(place.path) + 1 :].partition("/")[0] in POSTFIX_PARTS


def _list(place: Place, entry: Entry, directory: Directory) -> Iterator[Difference]:
    try:
        lists = [access_list.read(entry.path)]
        if stat.S_ISDIR(entry.status.st_mode):
            lists.append(access_list.read(entry.path, access_list.DEFAULT))
    except FileNotFoundError:
        return
    strangers = sorted({name for found in lists for name in _strangers(place, found, directory)})
    if strangers:
        cure = command("setfacl", "-b", entry.path)
        found = f"entries of {', '.join(strangers)}"
        yield Difference(Kind.FILE_ACCESS_LIST, entry.path, "only accounts of the row", found, cure, place.row)


def _strangers(place: Place, found: AccessList, directory: Directory) -> set[str]:
    """Who has an entry in force without having rights here."""
    users = {directory.user(uid) for uid, given in found.users.items() if given}
    groups = {directory.group(gid) for gid, given in found.groups.items() if given}
    return (users - {ROOT, place.owner, *place.rights}) | {f"group {group}" for group in groups - {place.group}}
