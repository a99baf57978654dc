"""systemd's service interface: sockets and directories that it passes (sd_listen_fds(3), systemd.exec(5)), and
notifications to it (sd_notify(3)).
"""

import contextlib
import os
import socket
from pathlib import Path

_FIRST_SOCKET = 3


def listening_sockets() -> list[socket.socket]:
    """The sockets that systemd passed to this process; none when it was started in another way."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=_FIRST_SOCKET + number) for number in range(count)]


def state_directory() -> Path:
    """The StateDirectory of the unit. Raises OSError when this process was started in another way."""
    place = os.environ.get("STATE_DIRECTORY")
    if not place:
        raise OSError("systemd passed no state directory; start the unit instead")
    return Path(place)


def notify(state: str) -> None:
    """Tells systemd a state such as `READY=1`; does nothing when it did not ask for any."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(state.encode(), address)


def watchdog_interval() -> float | None:
    """Seconds between two signs of life that systemd wants, half of its limit; None when it does not watch."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 2_000_000 if limit.isdigit() and int(limit) else None
