"""The files of rules and lists: replaced as a whole, so that a reader sees the old one or the new one."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

Signature = tuple[int, int, int]
"""What tells a file from the one that was there before: inode, time of change in ns, size."""


def signature(path: str | Path) -> Signature | None:
    """The signature of a file; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for each recipient of a message; a Path would take five times longer
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps others who edit the files beside this one waiting."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
