"""The whole of `ksmg audit access`: tries everything, looks at everything, and says what differs from the policy."""

import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksmg.audit import contents
from ksmg.audit.access import account_differences, service_differences
from ksmg.audit.accounts import account_state, schedule_differences, sudo_differences
from ksmg.audit.contents import Entry, Inventory, content_differences
from ksmg.audit.credentials import Credentials
from ksmg.audit.difference import Difference
from ksmg.audit.directory import Account, Directory, read_directory
from ksmg.audit.file_systems import file_system_differences
from ksmg.audit.mount_table import Mount, parse_mounts
from ksmg.audit.mounts import mount_differences, unit_mount_differences
from ksmg.audit.place_state import ancestor_differences, place_differences
from ksmg.audit.process_table import Process, read_processes
from ksmg.audit.processes import process_differences
from ksmg.audit.promise import ROOT, Place, may_in_unit, places, unit_view
from ksmg.audit.system_files import system_file_differences
from ksmg.audit.trial import Found, Probe, probes, try_as
from ksmg.audit.units import Units, read_units, unit_differences
from ksmg.policy import DataPolicy

MOST_HEADS = 500
"""Files of each place whose copies are looked for, the newest ones."""


@dataclass(frozen=True)
class Verification:
    """What one run found. `rows` counts the differences of each row, `differences` has those of no single row too."""

    differences: tuple[Difference, ...]
    rows: dict[str, int]
    accounts: tuple[str, ...]
    units: tuple[str, ...]
    not_running: tuple[str, ...]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """What the system event of a run says."""
        return {
            "rows": self.rows,
            "accounts": len(self.accounts),
            "units": len(self.units),
            "seconds": round(self.seconds, 3),
            "differences": len(self.differences),
        }

    def document(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            **self.summary(),
            "differences": [difference.document() for difference in self.differences],
            "accounts": list(self.accounts),
            "units": list(self.units),
            "not_running": list(self.not_running),
        }


@dataclass
class Machine:
    """What is read once: who there is, what runs, what is mounted, and what lies in the places."""

    policy: DataPolicy
    places: tuple[Place, ...]
    directory: Directory
    processes: tuple[Process, ...]
    mounts: tuple[Mount, ...]
    units: Units = field(default_factory=lambda: Units({}))
    inventory: Inventory = field(default_factory=Inventory)
    samples: dict[str, tuple[str, ...]] = field(default_factory=dict)


def verify(policy: DataPolicy) -> Verification:
    """One run, as root. Raises OSError or subprocess.SubprocessError when something cannot be looked at at all."""
    started = time.monotonic()
    with ThreadPoolExecutor(1) as beside:  # systemd takes as long for its answer as what can be read without it
        units = beside.submit(read_units, policy)
        machine = Machine(
            policy,
            places(policy),
            read_directory(),
            read_processes(),
            parse_mounts(Path("/proc/self/mountinfo").read_text(errors="replace")),
        )
        found = list(_contents(machine))
        machine.units = units.result()
    found += _state(machine)
    services = _running_services(machine)
    with probes(machine.places, lambda place: machine.samples.get(place.path, ()), _writer(machine)) as every:
        accounts = {
            account.name: try_as(_as_account(machine, account), every) for account in machine.directory.accounts
        }
        found += account_differences(every, accounts)
        found += _services(machine, every, services)
    found += file_system_differences(machine.mounts, machine.places, machine.inventory)
    found += process_differences(policy, machine.places, machine.directory, machine.inventory, machine.processes)
    return Verification(
        differences=tuple(dict.fromkeys(found)),
        rows={row.id: sum(item.row == row.id for item in dict.fromkeys(found)) for row in policy.rows},
        accounts=tuple(accounts),
        units=tuple(services),
        not_running=tuple(unit for unit in policy.units if unit not in services),
        seconds=time.monotonic() - started,
    )


def _state(machine: Machine) -> Iterator[Difference]:
    """What can be seen without trying."""
    for place in machine.places:
        yield from place_differences(place, machine.directory)
    yield from ancestor_differences(machine.places)
    yield from account_state(machine.policy, machine.directory)
    yield from sudo_differences()
    yield from schedule_differences(machine.policy)
    yield from system_file_differences()
    yield from unit_differences(machine.policy, machine.units)
    yield from mount_differences(machine.places, machine.mounts)
    yield from _mounts_of_processes(machine)


def _contents(machine: Machine) -> Iterator[Difference]:
    """Looks through the places, and takes note of what lies there."""
    for place in machine.places:
        if not place.keeps_data:
            continue
        found = _own_entries(machine, place)
        data = [entry for entry in found if contents.is_data(place, entry)]
        machine.samples[place.path] = contents.samples(data)
        for entry in found:
            if stat.S_ISREG(entry.status.st_mode):
                machine.inventory.add(place, entry)
            yield from content_differences(place, entry, machine.directory)
        for entry in sorted(data, key=lambda entry: -entry.status.st_mtime)[:MOST_HEADS]:
            if stat.S_ISREG(entry.status.st_mode):
                machine.inventory.add_head(entry.path)


def _own_entries(machine: Machine, place: Place) -> list[Entry]:
    """Without those of a place that lies within this one."""
    inner = [
        other.path for other in machine.places if other.path != place.path and other.path.startswith(place.path + "/")
    ]
    return [
        entry
        for entry in contents.entries(place)
        if not any(entry.path == path or entry.path.startswith(path + "/") for path in inner)
    ]


def _writer(machine: Machine) -> Any:
    def credentials(name: str) -> Credentials:
        account = machine.directory.account(name)
        return _as_account(machine, account) if account else Credentials(0, 0, frozenset())

    return credentials


def _as_account(machine: Machine, account: Account) -> Credentials:
    """An account with all its groups; root keeps the capabilities that we have."""
    everything = None if account.name == ROOT else 0
    return Credentials(account.uid, account.gid, machine.directory.groups_of(account), everything)


def _running_services(machine: Machine) -> dict[str, int]:
    """The services of the policy that run, with a process of each that has its mounts."""
    found = ((unit, machine.units.main_pid(unit)) for unit in machine.policy.units)
    return {unit: pid for unit, pid in found if pid}


def _services(machine: Machine, every: tuple[Probe, ...], services: dict[str, int]) -> Iterator[Difference]:
    """Trials in each service's sandbox; one that ends meanwhile is taken out of the services that run."""
    views = {unit: unit_view(machine.policy, unit) for unit in services}

    def promised(unit: str, place: Place) -> frozenset[str]:
        return may_in_unit(views[unit], machine.policy.units[unit].account, place)

    for unit, pid in list(services.items()):
        try:
            found = {unit: _in_service(machine, every, unit, pid)}
        except (FileNotFoundError, ProcessLookupError):
            del services[unit]
            continue
        yield from service_differences(every, found, promised)


def _in_service(machine: Machine, every: tuple[Probe, ...], unit: str, pid: int) -> tuple[Found, ...]:
    """What a service can do: as its account, and with the credentials of each of its processes."""
    account = machine.directory.account(machine.policy.units[unit].account)
    kinds = {process.who for process in machine.processes if process.unit == unit}
    kinds |= {_as_account(machine, account)} if account else set()
    results = [try_as(who, every, pid) for who in sorted(kinds, key=repr)]
    return tuple(_together(found) for found in zip(*results, strict=True))


def _together(found: tuple[Found, ...]) -> Found:
    """What a service can do with all its processes."""
    return Found(
        frozenset().union(*(one.rights for one in found)),
        frozenset().union(*(one.readable for one in found)),
        frozenset().union(*(one.writable for one in found)),
    )


def _mounts_of_processes(machine: Machine) -> Iterator[Difference]:
    """Once for each mount namespace that is not the machine's own."""
    own = os.stat("/proc/self/ns/mnt").st_ino
    first = {process.mounts: process for process in reversed(machine.processes) if process.mounts != own}
    for process in first.values():
        try:
            text = Path(f"/proc/{process.pid}/mountinfo").read_text(errors="replace")
        except OSError:
            continue  # it has ended
        yield from unit_mount_differences(
            machine.places, machine.mounts, parse_mounts(text), process.unit or process.name
        )
