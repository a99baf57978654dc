"""Starts and ends the daemons of the chamber, each in a control group of its own, which counts its processor time."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GROUPS = Path("/srv/groups")
OUTPUT = Path("/var/log/daemons")
FIRST_IN_LINE = "-10"
"""Niceness of each session (sched(7), autogroup), alike for all: what else the machine does comes after them."""
TIME_LIMIT = 120.0
SETTLE_LIMIT, SETTLE_PAUSE = 600.0, 0.5
SETTLED = 0.02
"""Seconds of processor time between two looks."""


class DaemonError(Exception):
    """A daemon does not do what it has to; the text is a sentence for people."""


def start(member: str, command: Sequence[str], *, account: str | None = None) -> subprocess.Popen[bytes]:
    """Start a program in the control group `member`; what it prints goes to a file of that name."""
    group = GROUPS / member
    group.mkdir(exist_ok=True)
    OUTPUT.mkdir(exist_ok=True)
    become = ["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups"] if account else []

    def join() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))
        _put_first("self")

    with (OUTPUT / f"{member}.log").open("ab") as output:
        return subprocess.Popen(
            [*become, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            preexec_fn=join, start_new_session=True,  # noqa: PLW1509 - there is one thread
        )  # fmt: skip


def _put_first(process: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # it has just ended, or the kernel has no autogroups
        Path("/proc", process, "autogroup").write_text(FIRST_IN_LINE)


def python(module: str, arguments: Sequence[str]) -> list[str]:
    """The command line of a module."""
    return ["python3", "-m", module, *arguments]


def end(member: str) -> None:
    """End every process of the control group at once, and remove the group."""
    group = GROUPS / member
    if not group.exists():
        return
    (group / "cgroup.kill").write_text("1")
    wait(lambda: "populated 0" in (group / "cgroup.events").read_text(), f"{member} does not end")
    while True:  # orphans are ours, because we are the first process here
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                break
        except ChildProcessError:
            break
    group.rmdir()


def members() -> list[str]:
    """Control groups that there are."""
    return sorted(path.name for path in GROUPS.iterdir() if path.is_dir())


def wait(condition: Callable[[], bool], complaint: str, limit: float = TIME_LIMIT, pause: float = 0.02) -> None:
    """Return when the condition holds. Raises DaemonError with the complaint when it does not in time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise DaemonError(f"{complaint} within {limit:.0f} s; what it printed is in {OUTPUT}.")
        time.sleep(pause)


def answers(address: str | int) -> bool:
    """Whether somebody accepts connections at a socket file, or at a port of 127.0.0.1."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
        place: str | tuple[str, int] = address if isinstance(address, str) else ("127.0.0.1", address)
        try:
            probe.connect(place)
        except OSError:
            return False
    return True


def wait_for(member: str, address: str | int) -> None:
    """Return when the daemon listens."""
    wait(lambda: answers(address), f"{member} does not listen on {address}")
    for process in processes(member):  # it may have opened a session of its own
        _put_first(process)


def settle(member: str) -> None:
    """Return when the daemon has nothing to do any more, such as patterns to compile."""
    before = 0.0

    def idle() -> bool:
        nonlocal before
        spent, before = cpu(member) - before, cpu(member)
        return spent < SETTLED

    wait(idle, f"{member} does not come to rest", limit=SETTLE_LIMIT, pause=SETTLE_PAUSE)


def cpu(member: str) -> float:
    """Seconds of processor time of all processes that are and were in the group."""
    text = (GROUPS / member / "cpu.stat").read_text()
    return int(re.findall(r"^usage_usec (\d+)$", text, re.M)[0]) / 1e6


def processes(member: str) -> list[str]:
    """Process ids of a member; none when it is not there."""
    file = GROUPS / member / "cgroup.procs"
    return file.read_text().split() if file.exists() else []
