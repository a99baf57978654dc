"""Ending a part of a log file and erasing the oldest, at the moment when the log daemon says that the part is full.

rsyslog waits for the command, and never writes to the log file again when the file is as large as before. So the part
ends first, in steps that each leave a log file in place; the oldest parts are overwritten afterwards, by a process that
rsyslog does not wait for. As the next command waits for that one, a log is above its cap by one part at most.

Run for each part, hundreds of times a minute in a flood: it reads neither policy nor settings and imports little.
"""

import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ksmg.retention.log_parts import log_parts, part_number
from ksmg.stores.durable import erase_file, sync_directory

LOCKS = Path("/run/ksmg-rotation")
"""One lock for each log."""


def main(arguments: Sequence[str] | None = None) -> int:
    """`rotate-log "FILE CAP UNIT"`: ends the part that is written to, and makes room for another one of UNIT bytes."""
    given = " ".join(sys.argv[1:] if arguments is None else arguments)  # rsyslog passes all of it as one argument
    name, cap, unit = given.split(" ")
    active = Path(name)
    lock = lock_log(active)
    end_part(active, int(unit))
    if os.fork():
        return 0
    os.setsid()
    make_room(active, int(cap), int(unit))
    os.close(lock)
    return 0


def lock_log(active: Path, locks: Path = LOCKS) -> int:
    """Waits until nobody else rotates this log; the lock is held until the descriptor is closed. Raises OSError."""
    locks.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(locks / f"{active.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def end_part(active: Path, unit: int) -> None:
    """Puts an empty log file in place of one that has a part's size, and keeps that as the newest part. Raises OSError.

    A crash leaves the old file under its name, or under both: then it is written on, and ended the next time.
    """
    recover(active)
    if active.stat().st_size < unit:  # whoever held the lock before has ended it
        return
    parts = log_parts(active)
    part = active.with_name(f"{active.name}.{part_number(parts[-1]) + 1 if parts else 1}")
    new = _empty_like(active)
    part.hardlink_to(active)
    new.rename(active)
    sync_directory(active.parent)


def recover(active: Path) -> None:
    """Takes away the second name of a log file that an interrupted `end_part` left. Raises OSError."""
    newest = log_parts(active)[-1:]
    if active.exists() and newest and newest[0].samefile(active):
        newest[0].unlink()


def make_room(active: Path, cap: int, unit: int) -> int:
    """Erases the oldest parts until another part fits below the cap; returns how many. Raises OSError."""
    parts = log_parts(active)
    sizes = [part.stat().st_size for part in parts]
    erased = 0
    while parts and sum(sizes) + unit > cap:
        erase_file(parts.pop(0))
        del sizes[0]
        erased += 1
    return erased


def _empty_like(active: Path) -> Path:
    """A new file with owner and mode of the log file."""
    facts, new = active.stat(), active.with_name(f".{active.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchown(descriptor, facts.st_uid, facts.st_gid)
        os.fchmod(descriptor, facts.st_mode & 0o777)
    finally:
        os.close(descriptor)
    return new
