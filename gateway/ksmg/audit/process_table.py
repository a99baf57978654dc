"""The processes of this machine, as proc(5) has them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ksmg.audit.credentials import Credentials
from ksmg.audit.trial import credentials_of_process

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process. `unit` is the systemd unit that it belongs to, `mounts` the number of its mount namespace."""

    pid: int
    name: str
    who: Credentials
    unit: str
    mounts: int
    arguments: tuple[str, ...]
    acting: bool = False
    """Whether it is root's, and acts as another account for a moment, seteuid(2)."""

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid}{f' of {self.unit}' if self.unit else ''})"


def read_processes() -> tuple[Process, ...]:
    """Everything that runs but this process and the kernel's own threads."""
    found = (read_process(int(name)) for name in os.listdir(PROC) if name.isdigit() and int(name) != os.getpid())
    return tuple(process for process in found if process)


def read_process(pid: int) -> Process | None:
    """One process; None when it has ended meanwhile, or is a thread of the kernel."""
    here = PROC / str(pid)
    try:
        arguments = (here / "cmdline").read_bytes()
        status = parse_status((here / "status").read_text(errors="replace"))
        unit = unit_of((here / "cgroup").read_text(errors="replace"))
        mounts = os.stat(here / "ns/mnt").st_ino
    except (FileNotFoundError, ProcessLookupError):
        return None
    if not arguments and status.get("Kthread", "0") == "1":
        return None
    words = tuple(arguments.decode(errors="replace").rstrip("\0").split("\0"))
    who, real = credentials_of_process(status), int(status["Uid"].split()[0])
    return Process(pid, status["Name"], who, unit, mounts, words, acting=real == 0 and who.uid != 0)


def parse_status(text: str) -> dict[str, str]:
    """proc_pid_status(5) as a dictionary."""
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in text.splitlines()) if colon}


def unit_of(cgroups: str) -> str:
    """The service or scope that a process belongs to, in systemd's own hierarchy; empty for none."""
    for line in cgroups.splitlines():
        number, controllers, path = line.split(":", 2)
        if controllers == "name=systemd" or (number == "0" and not controllers):
            for part in reversed(path.split("/")):
                if part.endswith((".service", ".scope", ".socket", ".mount")):
                    return part
    return ""


@dataclass(frozen=True)
class OpenFile:
    """A file that a process has open or mapped."""

    path: str
    identity: tuple[int, int]


def open_files(pid: int) -> Iterator[OpenFile]:
    """Files that a process has open, by descriptor or mapped into its memory."""
    folder = f"{PROC}/{pid}/fd"
    with suppress(OSError):
        for name in os.listdir(folder):
            with suppress(OSError):
                path = os.readlink(f"{folder}/{name}")
                if path.startswith("/"):
                    status = os.stat(f"{folder}/{name}")
                    yield OpenFile(path.removesuffix(" (deleted)"), (status.st_dev, status.st_ino))
    with suppress(OSError):
        maps = Path(folder).with_name("maps").read_text(errors="replace")
        yield from mapped_files(maps)


def mapped_files(maps: str) -> Iterator[OpenFile]:
    """Files of proc_pid_maps(5)."""
    for path, device, inode in sorted({_mapped(line) for line in maps.splitlines()} - {("", "", "")}):
        major, minor = (int(part, 16) for part in device.split(":"))
        yield OpenFile(path, (os.makedev(major, minor), int(inode)))


def _mapped(line: str) -> tuple[str, str, str]:
    fields = line.split(None, 5)
    is_file = len(fields) == 6 and fields[5].startswith("/")
    return (fields[5].removesuffix(" (deleted)"), fields[3], fields[4]) if is_file else ("", "", "")


def bound_sockets(pid: int) -> dict[int, str]:
    """Paths of the sockets of a process's network namespace, by their inodes."""
    with suppress(OSError):
        return parse_sockets(Path(f"{PROC}/{pid}/net/unix").read_text(errors="replace"))
    return {}


def parse_sockets(text: str) -> dict[int, str]:
    """/proc/net/unix: sockets that have a path."""
    rows = (line.split(None, 7) for line in text.splitlines()[1:])
    return {int(row[6]): row[7] for row in rows if len(row) == 8 and row[7].startswith("/")}
