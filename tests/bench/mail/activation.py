"""``python3 -m bench.mail.activation SOCKET ACCOUNT GROUP MODULE [ARGUMENT...]``: starts a module as systemd would.

The socket is made here, given to GROUP, and passed as the first file descriptor (sd_listen_fds(3)).
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

FIRST = 3
BACKLOG = 256


def main(arguments: Sequence[str]) -> None:
    """Become the module; does not return."""
    place, account, group, module, *rest = arguments
    listening = socket.socket(socket.AF_UNIX)
    Path(place).unlink(missing_ok=True)
    listening.bind(place)
    os.chown(place, pwd.getpwnam(account).pw_uid, grp.getgrnam(group).gr_gid)
    Path(place).chmod(0o660)
    listening.listen(BACKLOG)
    os.dup2(listening.fileno(), FIRST)
    os.set_inheritable(FIRST, True)
    entry = pwd.getpwnam(account)
    os.initgroups(account, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.umask(0o077)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    os.execvp("python3", ["python3", "-m", module, *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
