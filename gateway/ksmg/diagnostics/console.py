"""Whether a process was started on the machine's own console, by somebody who signed in there.

Three things are looked at, because each alone can be arranged from elsewhere: the controlling terminal, the processes
above, and the session that the process belongs to.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
_TERMINALS = {
    4: frozenset({*range(1, 7), *range(64, 68)}),
    5: frozenset({1}),
    204: frozenset(range(64, 68)),
    229: frozenset(range(8)),
}
"""Major and minor numbers, Linux's devices.txt: tty1 to tty6 and ttyS0 to ttyS3; console; ttyAMA0; hvc0."""
_REMOTE = ("sshd", "sshd-session", "sshd-auth", "in.telnetd", "cron", "atd", "ksmg-web")
"""Processes that work for somebody who is elsewhere, or for nobody."""
_GETTY = re.compile(r"/(getty@|serial-getty@|console-getty|emergency|rescue)[^/]*\.service")
_SESSION = re.compile(r"/session-(\w+)\.scope")
_ASK_SECONDS = 10


class NotOnConsole(Exception):
    """The process does not belong to the console. The text is a sentence for people."""


def require_console(pid: int | None = None, proc: Path = PROC, session: "Session | None" = None) -> str:
    """The console's device, as `major:minor`. Raises NotOnConsole."""
    pid = os.getpid() if pid is None else pid
    major, minor = _terminal(pid, proc)
    if minor not in _TERMINALS.get(major, ()):
        raise NotOnConsole("The terminal is not the machine's console.")
    for name in _names_above(pid, proc):
        if name in _REMOTE:
            raise NotOnConsole(f"The command was started through {name}.")
    _require_local_session((proc / str(pid) / "cgroup").read_text(), session or ask_logind)
    return f"{major}:{minor}"


Session = Callable[[str], dict[str, str]]
"""Tells what logind knows of a session."""


def ask_logind(session: str) -> dict[str, str]:
    """Properties of a session, loginctl(1). Raises NotOnConsole."""
    command = ["loginctl", "show-session", session, "--property=Remote", "--property=TTY", "--property=Service"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        raise NotOnConsole("Nobody can tell where this sign-in came from.") from None
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def _require_local_session(cgroup: str, ask: Session) -> None:
    """A session of `login` on this machine, or a shell that the console's own service started."""
    if _GETTY.search(cgroup):
        return
    found = _SESSION.search(cgroup)
    if found is None:
        raise NotOnConsole("The command does not belong to a session on the console.")
    known = ask(found[1])
    if known.get("Remote") != "no" or known.get("Service") != "login":
        raise NotOnConsole("The session was not opened on the console.")


def _terminal(pid: int, proc: Path) -> tuple[int, int]:
    """The controlling terminal's device number, proc_pid_stat(5), the seventh field."""
    number = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[4])
    return os.major(number), os.minor(number)


def _names_above(pid: int, proc: Path) -> Iterator[str]:
    """Names of the process and of all above it."""
    while pid > 0:
        name, _, rest = (proc / str(pid) / "stat").read_text().partition("(")[2].rpartition(")")
        yield name
        pid = int(rest.split()[1])
