"""The locks of a message store: one among all who change it, one for the only process that keeps messages in it."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_LOCK = "lock"
_KEEPER = "keeper"


class StoreLock:
    """Held while segments or indexes are changed, by threads and processes alike. Not to be shared among threads."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / _LOCK
        self._descriptor = -1

    def __enter__(self) -> Self:
        if self._descriptor < 0:
            self._descriptor = _open(self._file)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes its file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the lock of a store for once. Ctrl-Z waits for its end: a command that stands still would hold up mail."""
    lock = StoreLock(directory)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        with lock:
            yield
    finally:
        lock.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def become_keeper(directory: Path) -> int:
    """Makes this process the one that keeps messages, until the returned descriptor is closed.

    Raises BlockingIOError when another one is.
    """
    descriptor = _open(directory / _KEEPER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
