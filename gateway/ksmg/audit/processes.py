"""Differences among the processes: strangers as an account of the policy, files that a process may not have open."""

import os
from collections.abc import Iterable, Iterator

from ksmg.audit.contents import Inventory
from ksmg.audit.difference import Difference, Kind, command
from ksmg.audit.directory import Directory
from ksmg.audit.process_table import Process, bound_sockets, open_files
from ksmg.audit.promise import READ, ROOT, WRITE, Place, place_of
from ksmg.policy import DataPolicy

PASSING = {
    "chown": 0, "dac_override": 1, "dac_read_search": 2, "fowner": 3, "fsetid": 4, "setgid": 6, "setuid": 7,
    "sys_module": 16, "sys_rawio": 17, "sys_chroot": 18, "sys_ptrace": 19, "sys_admin": 21, "mknod": 27,
    "setfcap": 31, "mac_override": 32,
}  # fmt: skip
"""Capabilities that get a process past the permissions of files, with their numbers: capabilities(7)."""
COMMAND = "/usr/bin/ksmg"
"""The appliance's own command: root becomes the gateway's account in it."""


def process_differences(
    policy: DataPolicy,
    places: tuple[Place, ...],
    directory: Directory,
    inventory: Inventory,
    processes: Iterable[Process],
) -> Iterator[Difference]:
    """Everything about every process but root's own, also where that acts as another account for a moment.

    One that ends meanwhile is left out.
    """
    accounts = {name for name, account in policy.accounts.items() if account.kind != "web" and name != ROOT}
    groups = {gid for name in accounts if (gid := directory.gid(policy.accounts[name].group or name)) is not None}
    for process in processes:
        if process.acting:
            continue
        account = directory.user(process.who.uid)
        if account in accounts:
            yield from _outside(policy, process, account)
        elif process.who.uid:
            yield from _in_group(process, groups, directory)
        if process.who.uid:
            yield from _capabilities(process)
            yield from _open(places, inventory, process, account)


def _outside(policy: DataPolicy, process: Process, account: str) -> Iterator[Difference]:
    """A process as an account of the policy that belongs to none of its services."""
    units = {name for name, unit in policy.units.items() if unit.account == account}
    if process.unit not in units and COMMAND not in process.arguments[1:2]:
        found = f"{process} runs as {account}"
        wanted = f"only {', '.join(sorted(units))} and the command ksmg do"
        yield Difference(Kind.PROCESS_ACCOUNT, account, wanted, found, command("kill", str(process.pid)))


def _in_group(process: Process, groups: set[int], directory: Directory) -> Iterator[Difference]:
    for gid in sorted((process.who.groups | {process.who.gid}) & groups):
        name = directory.group(gid)
        found = f"{process} is in it, as {directory.user(process.who.uid)}"
        cure = command("kill", str(process.pid))
        yield Difference(Kind.PROCESS_GROUP, name, "no process of another account is in it", found, cure)


def _capabilities(process: Process) -> Iterator[Difference]:
    """A process in a user namespace of its own has capabilities over nothing outside of it."""
    held = [name for name, number in PASSING.items() if (process.who.capabilities or 0) >> number & 1]
    if held and not _has_own_users(process.pid):
        wanted = "none that pass over file permissions"
        found = f"{process} has {', '.join(held)}"
        yield Difference(Kind.PROCESS_CAPABILITY, process.name, wanted, found, command("kill", str(process.pid)))


def _has_own_users(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino
    except OSError:
        return False


def _open(places: tuple[Place, ...], inventory: Inventory, process: Process, account: str) -> Iterator[Difference]:
    """Files and sockets of places where the account has no business: neither at rest nor in process."""
    seen = set()
    for path, place in (*_files(places, inventory, process.pid), *_sockets(places, process.pid)):
        may = {READ, WRITE} & place.may(account) or account in place.in_process
        if not may and path not in seen:
            seen.add(path)
            found = f"{process} has it open, as {account}"
            cure = command("kill", str(process.pid))
            yield Difference(Kind.OPEN_FILE, path, "open for accounts of the row only", found, cure, place.row)


def _files(places: tuple[Place, ...], inventory: Inventory, pid: int) -> Iterator[tuple[str, Place]]:
    for file in open_files(pid):
        place = inventory.owners.get(file.identity) or place_of(places, file.path)
        if place:
            yield file.path, place


def _sockets(places: tuple[Place, ...], pid: int) -> Iterator[tuple[str, Place]]:
    held = {int(link[8:-1]) for link in _links(pid) if link.startswith("socket:[")}
    if not held:
        return
    for inode, path in bound_sockets(pid).items():
        if inode in held and (place := place_of(places, path)):
            yield path, place


def _links(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    found = []
    try:
        for name in os.listdir(folder):
            found.append(os.readlink(f"{folder}/{name}"))
    except OSError:
        return found  # it ended, or closed a file, while we looked
    return found
