"""Where whoever runs this process is: the address that they signed in from, their terminal, or a unit of the system."""

import ctypes
import functools
import os
import re
from pathlib import Path

_CONTROL_GROUP = Path("/proc/self/cgroup")
_SESSION = re.compile(r"/session-([^/]+)\.scope$", re.MULTILINE)
_UNIT = re.compile(r"/([^/]+\.(?:service|socket|scope))(?:/|$)", re.MULTILINE)
_SSH_UNIT = re.compile(r"sshd?(@.*)?\.service")


@functools.cache
def origin() -> str:
    """The origin of what this process does; empty when nothing tells it.

    The control group tells, which nobody but root can leave: sudo stays in the session of who signed in. A process
    below sshd that has no session is believed what sshd put into its environment.
    """
    groups = _control_groups()
    if session := _SESSION.search(groups):
        return _of_session(session[1]) or f"session {session[1]}"
    unit = _UNIT.search(groups)
    if unit and not _SSH_UNIT.fullmatch(unit[1]):
        return unit[1]
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0] or _terminal()


def _control_groups() -> str:
    try:
        return _CONTROL_GROUP.read_text()
    except OSError:  # no /proc: a build root
        return ""


def _of_session(session: str) -> str:
    """logind's knowledge of a session: the remote host, else the terminal (sd-login(3))."""
    try:
        library = ctypes.CDLL("libsystemd.so.0")
    except OSError:
        return ""
    return _asked(library, "sd_session_get_remote_host", session) or _asked(library, "sd_session_get_tty", session)


def _asked(library: ctypes.CDLL, question: str, session: str) -> str:
    answer = ctypes.c_char_p()
    if getattr(library, question)(session.encode(), ctypes.byref(answer)) < 0 or answer.value is None:
        return ""
    return answer.value.decode(errors="replace")


def _terminal() -> str:
    try:
        return os.ttyname(0).removeprefix("/dev/")
    except OSError:
        return ""
