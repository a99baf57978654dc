"""Mutations of a running appliance: an owner, a mode, a right, an account or a sandbox is changed, at random."""

import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest

from drift.drifts import DATA_ACLS, Drift, waves
from host.expectation import POLICY, containers, data_directory, locations
from ksmg.policy import Container, Location
from qa.seeds import loosened

SEED = 20261124
ROUNDS = 8
"""How often each kind is made for each place."""
COUNT = 100
STRANGERS = ("www-data", "list", "irc", "games", "news", "backup", "nobody", "messagebus")
DATA_ACCOUNTS = ("kluser", "postfix", "opendkim", "nginx")
WEAK = {
    "ProtectSystem": ("no", "full", "yes"),
    "ProtectHome": ("no", "read-only"),
    "ProtectProc": ("default", "noaccess"),
    "ProcSubset": ("all",),
    "NoNewPrivileges": ("no",),
    "RestrictSUIDSGID": ("no",),
    "RestrictNamespaces": ("no", "mnt"),
    "RestrictRealtime": ("no",),
    "LockPersonality": ("no",),
    "PrivateDevices": ("no",),
    "ProtectClock": ("no",),
    "ProtectControlGroups": ("no",),
    "ProtectKernelLogs": ("no",),
    "ProtectKernelModules": ("no",),
    "ProtectKernelTunables": ("no",),
    "KeyringMode": ("shared", "inherit"),
    "RemoveIPC": ("no",),
    "UMask": ("0022", "0007", "0000"),
    "CapabilityBoundingSet": ("CAP_SYS_ADMIN", "CAP_FOWNER CAP_CHOWN"),
    "AmbientCapabilities": ("CAP_SYS_PTRACE",),
    "SupplementaryGroups": ("adm", "shadow", "opendkim"),
    "LimitCORE": ("infinity",),
}
"""Settings that every service of the policy has, and weaker values."""
BINARIES = ("/usr/bin/cat", "/usr/bin/cp", "/usr/bin/find", "/usr/bin/python3")
FOLDERS = ("/usr/local/bin", "/opt", "/srv", "/var/lib", "/var/tmp", "/root", "/home")
Target = Location | Container


def disk_mutations(count: int = COUNT) -> list[Drift]:
    """The same ones each time, of each kind as many; fewer are the first of more."""
    chance = random.Random(SEED)
    by_kind: dict[str, list[Drift]] = defaultdict(list)
    for number in range(ROUNDS):
        for mutation in _every(chance, number):
            by_kind[mutation.kind].append(mutation)
    mixed = [chance.sample(every, len(every)) for every in by_kind.values()]
    in_turns = [mutation for turn in zip_longest(*mixed) for mutation in turn if mutation]
    return list(dict.fromkeys(in_turns))[:count]


def batches(count: int) -> tuple[tuple[Drift, ...], ...]:
    """Mutations that can be there at once."""
    return waves(tuple(disk_mutations(count)))


def _every(chance: random.Random, number: int) -> Iterator[Drift]:
    """One of each kind for each place and unit."""
    for place, target in _targets():
        yield _mode(chance, place, target)
        yield _owner(chance, place, target)
        yield _listed(chance, place)
        if _is_directory(target):
            yield _default(chance, place)
    for name, location in locations(POLICY).items():
        if _is_directory(location) and not name.startswith(("mta_", "ssh_")):
            yield from _within(chance, str(location.place), f"{number}-{name.partition('@')[0]}")
    for unit in POLICY.units:
        yield _weakened(chance, unit)
        yield _opened(chance, unit)
    yield _member(chance)
    yield _shell(chance)
    yield _raised(chance, number)


def _targets() -> list[tuple[str, Target]]:
    """Places that are there on every appliance."""
    found: dict[str, Target] = {str(location.place): location for location in locations(POLICY).values()}
    found |= containers(POLICY)
    return [(path, target) for path, target in found.items() if not path.endswith("cache.dbm")]


def _is_directory(target: Target) -> bool:
    return isinstance(target, Container) or target.type == "directory"


def _mode(chance: random.Random, place: str, target: Target) -> Drift:
    changed = target.mode ^ 1 << chance.randrange(9)
    return Drift(
        f"{place}: mode {changed:04o}",
        f"chmod {changed:04o} {place}",
        f"chmod {target.mode:04o} {place}",
        "mode",
        place,
    )


def _owner(chance: random.Random, place: str, target: Target) -> Drift:
    group = chance.random() < 0.5
    tool, right = ("chgrp", target.group) if group else ("chown", target.owner)
    stranger = chance.choice([one for one in (*STRANGERS[:2], *DATA_ACCOUNTS) if one != right])
    return Drift(f"{place}: {tool} {stranger}", f"{tool} {stranger} {place}", f"{tool} {right} {place}", "owner", place)


def _listed(chance: random.Random, place: str) -> Drift:
    entry = f"{chance.choice('ug')}:{chance.choice(STRANGERS[:5])}:{chance.choice(('r', 'w', 'x', 'rw', 'rwx'))}"
    undo = f"{DATA_ACLS.format(path=place)}"
    return Drift(f"{place}: entry {entry}", f"setfacl -n -m {entry},m::rwx {place}", undo, "access_list", place)


def _default(chance: random.Random, place: str) -> Drift:
    entry = f"d:u:{chance.choice(STRANGERS)}:{chance.choice(('r', 'rw', 'rwx'))}"
    undo = DATA_ACLS.format(path=place)
    return Drift(f"{place}: entry {entry}", f"setfacl -m {entry} {place}", undo, "default_access_list", place)


def _within(chance: random.Random, place: str, name: str) -> Iterator[Drift]:
    """Something about a file in a place, or about the place's mounts."""
    file = f"{place}/mutation-{name}"
    make = f"head -c 999 /dev/urandom > {file}; chown --reference={place} {file}; chmod 0600 {file}"
    stranger, mode = chance.choice(STRANGERS), chance.choice(("0604", "0602", "0666", "0644", "0601"))
    yield Drift(f"{file}: mode {mode}", f"{make}; chmod {mode} {file}", f"rm {file}", "file_mode", file)
    yield Drift(f"{file}: {stranger}'s", f"{make}; chown {stranger} {file}", f"rm {file}", "file_owner", file)
    entry = f"u:{stranger}:r"
    yield Drift(f"{file}: entry {entry}", f"{make}; setfacl -m {entry} {file}", f"rm {file}", "file_access_list", file)
    copy = f"/var/tmp/mutation-{name}"
    yield Drift(f"{file}: a copy", f"{make}; cp {file} {copy}; chmod 0644 {copy}", f"rm {file} {copy}", "copy", file)
    folder = f"/run/mutation-{name}"
    mount = f"mkdir -p {folder}; mount --bind {place} {folder}"
    yield Drift(f"{place}: at {folder} too", mount, f"umount {folder}; rmdir {folder}", "mount_exposes", place)
    yield Drift(f"{place}: mounted over", f"mount -t tmpfs mutation {place}", f"umount {place}", "mount_over", place)


def _weakened(chance: random.Random, unit: str) -> Drift:
    setting = chance.choice(sorted(WEAK))
    value = chance.choice(WEAK[setting])
    return Drift(f"{unit}: {setting}={value}", *loosened(unit, f"{setting}={value}"), "unit_setting", unit)


def _opened(chance: random.Random, unit: str) -> Drift:
    entry = POLICY.units[unit]
    own = {location.place for name in (*entry.write, *entry.read) for location in POLICY.resolve(name)}
    others = sorted(data_directory(at) for at in locations(POLICY).values() if at.place not in own)
    place = chance.choice(others)
    setting = chance.choice(
        (f"ReadWritePaths={place}", f"BindPaths={place}:/run/x", f"BindReadOnlyPaths={place}:/run/x")
    )
    return Drift(f"{unit}: {setting}", *loosened(unit, setting), "unit_setting", unit)


def _member(chance: random.Random) -> Drift:
    group, account = chance.choice(DATA_ACCOUNTS), chance.choice(STRANGERS)
    return Drift(
        f"{account} in group {group}",
        f"gpasswd -a {account} {group}",
        f"gpasswd -d {account} {group}",
        "group_member",
        group,
    )


def _shell(chance: random.Random) -> Drift:
    account, shell = chance.choice(DATA_ACCOUNTS), chance.choice(("/bin/bash", "/bin/sh", "/usr/bin/python3"))
    back = f"usermod -s /usr/sbin/nologin {account}"
    return Drift(f"{account}: shell {shell}", f"usermod -s {shell} {account}", back, "account_changed", account)


def _raised(chance: random.Random, number: int) -> Drift:
    file = f"{chance.choice(FOLDERS)}/mutation-{number}"
    how = chance.choice((f"chmod 4755 {file}", f"chmod 2755 {file}", f"setcap cap_dac_override+ep {file}"))
    return Drift(f"{file}: {how}", f"cp {chance.choice(BINARIES)} {file}; {how}", f"rm {file}", "privileged_file", file)
