"""Differences in the places themselves: type, owner, mode, access lists, and the directories above them."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from ksmg.audit import access_list
from ksmg.audit.access import TMPFILES, repair
from ksmg.audit.access_list import AccessList
from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.directory import Directory
from ksmg.audit.promise import Place


def place_differences(place: Place, directory: Directory) -> Iterator[Difference]:
    """Everything about one place, but not its content. Raises OSError when it cannot be looked at."""
    try:
        status = os.lstat(place.path)
    except (FileNotFoundError, NotADirectoryError):
        if not place.optional:
            cure = command("systemd-tmpfiles", "--create", TMPFILES)
            yield Difference(Kind.MISSING, place.path, "it is there", "it is missing", cure, place.row)
        return
    yield from _type(place, status)
    if not stat.S_ISLNK(status.st_mode):
        yield from _owner(place, status, directory)
        yield from _mode(place, status)
        yield from _lists(place, directory)


def ancestor_differences(places: tuple[Place, ...]) -> Iterator[Difference]:
    """Directories above the places: real ones, root's, and writable for nobody else (or sticky, as /tmp)."""
    known = {place.path for place in places}
    above = {str(parent) for place in places for parent in PurePosixPath(place.path).parents}
    for path in sorted(above - known):
        row = next((place.row for place in places if place.path.startswith(path.rstrip("/") + "/")), "")
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue  # the place itself is reported
        if stat.S_ISLNK(status.st_mode):
            yield _symlink(path, row)
        elif status.st_uid or (status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX):
            cure = f"{command('chown', 'root', path)} && {command('chmod', 'go-w', path)}"
            found = f"uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"
            yield Difference(Kind.ANCESTOR, path, "root's, and writable for root alone", found, cure, row)
        else:
            yield from _open_ancestor(path, row)


def _open_ancestor(path: str, row: str) -> Iterator[Difference]:
    """Accounts that may swap what lies in the directory, by its access list."""
    entries = access_list.read(path)
    if any(given & 2 for given in (*entries.users.values(), *entries.groups.values())):
        cure = command("setfacl", "-b", path)
        yield Difference(Kind.ANCESTOR, path, "writable for root alone", "others by its access list", cure, row)


def _symlink(path: str, row: str) -> Difference:
    found = f"it is a symbolic link to {os.readlink(path)}"
    cure = f"{command('rm', path)} && {command('systemd-tmpfiles', '--create', TMPFILES)}"
    return Difference(Kind.SYMLINK, path, "no symbolic link", found, cure, row)


def _type(place: Place, status: os.stat_result) -> Iterator[Difference]:
    if stat.S_ISLNK(status.st_mode):
        yield _symlink(place.path, place.row)
    elif stat.S_ISDIR(status.st_mode) != place.directory or not (place.directory or stat.S_ISREG(status.st_mode)):
        wanted = "a directory" if place.directory else "a regular file"
        cure = f"{command('rm', '-r', place.path)} && {command('systemd-tmpfiles', '--create', TMPFILES)}"
        found = f"another type of file ({stat.filemode(status.st_mode)})"
        yield Difference(Kind.WRONG_TYPE, place.path, wanted, found, cure, place.row)


def _owner(place: Place, status: os.stat_result, directory: Directory) -> Iterator[Difference]:
    found = f"{directory.user(status.st_uid)}:{directory.group(status.st_gid)}"
    wanted = f"{place.owner}:{place.group}"
    if found != wanted:
        yield Difference(Kind.OWNER, place.path, wanted, found, command("chown", wanted, place.path), place.row)


def _mode(place: Place, status: os.stat_result) -> Iterator[Difference]:
    found = stat.S_IMODE(status.st_mode)
    if found != place.mode:
        cure = command("chmod", f"{place.mode:04o}", place.path)
        yield Difference(Kind.MODE, place.path, f"{place.mode:04o}", f"{found:04o}", cure, place.row)


def _lists(place: Place, directory: Directory) -> Iterator[Difference]:
    pairs = [(Kind.ACCESS_LIST, access_list.ACCESS, place.acl)]
    if place.directory:
        pairs.append((Kind.DEFAULT_ACCESS_LIST, access_list.DEFAULT, place.default_acl))
    for kind, attribute, wanted in pairs:
        found = _named(access_list.read(place.path, attribute), directory)
        promised = {f"user:{account}": access_list.bits(text) for account, text in wanted.items()}
        if found != promised:
            yield Difference(kind, place.path, _said(promised), _said(found), repair(place.path), place.row)


def _named(entries: AccessList, directory: Directory) -> dict[str, int]:
    """The entries by the names of accounts; what is open to everybody counts as one."""
    found = {f"user:{directory.user(uid)}": given for uid, given in entries.users.items()}
    found |= {f"group:{directory.group(gid)}": given for gid, given in entries.groups.items()}
    return found | ({"other": entries.other} if entries.other else {})


def _said(entries: Mapping[str, int]) -> str:
    return ", ".join(f"{name}:{access_list.letters(bits)}" for name, bits in sorted(entries.items())) or "no entries"
