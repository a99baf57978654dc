"""Erasing what a store evicted, in a thread of its own, so that nobody who stores something waits for it.

An evicted file gets another name first, which takes it out of its store for good. A crash after that leaves the name,
and the store goes on with it when it is opened again.
"""

import collections
import contextlib
import logging
import os
import time
from pathlib import Path
from threading import Condition, Thread

from ksmg.stores.durable import overwrite, sync_directory

_log = logging.getLogger(__name__)
_EVICTED = ".evicted"
_FOLDED = ".folded"
_SLICE = 1_048_576
"""Bytes that are overwritten and synced at a time."""
_REST_PER_WORK = 1.0
"""Seconds of rest for each second of work, when nobody waits: the disk is there for mail."""
_CLOSE_SECONDS = 10.0


def evicted_files(directory: Path) -> list[Path]:
    """The files in a directory that were evicted and are not erased yet, oldest first."""
    return sorted(directory.glob(f"*{_EVICTED}"), key=lambda path: path.suffixes[-2])


class Eraser:
    """Erases the evicted files of one store. A file that cannot be erased is tried again when the store is opened."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._changed = Condition()
        self._waiting: collections.deque[tuple[Path, int]] = collections.deque()
        self._pending = 0
        self._hurried = 0
        self._thread: Thread | None = None

    def resume(self) -> None:
        """Goes on with what an interruption left. Raises OSError."""
        for link in self._directory.glob(f"*{_FOLDED}"):
            self.settle(link)
        known = {path for path, _ in self._waiting}
        for path in evicted_files(self._directory):
            if path not in known:
                self._take(path)

    def retire(self, *files: Path) -> None:
        """Takes files out of their store, the first one first, and has them erased. Raises OSError."""
        for file in files:
            evicted = file.with_name(f"{file.name}.{time.time_ns():020}{_EVICTED}")
            with contextlib.suppress(FileNotFoundError):
                file.rename(evicted)
                self._take(evicted)

    def hold(self, file: Path) -> Path | None:
        """Gives a file that somebody is about to remove a second name, for `settle`; None without such a file.

        Raises OSError.
        """
        link = file.with_name(f"{file.name}.{time.time_ns():020}{_FOLDED}")
        try:
            link.hardlink_to(file)
        except FileNotFoundError:
            return None
        return link

    def settle(self, link: Path) -> None:
        """Erases a file that was held, if it was removed; else only the second name goes. Raises OSError."""
        if link.stat().st_nlink > 1:
            link.unlink()
        else:
            self.retire(link)

    def pending(self) -> int:
        """Bytes of what is not erased yet."""
        return self._pending

    def wait(self, most: int, seconds: float | None = None) -> None:
        """Returns when no more than some bytes are left to be erased, which is done without rest meanwhile."""
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._pending <= max(most, 0), seconds)
            self._hurried -= 1

    def close(self) -> None:
        """Waits for the end, for some seconds at most."""
        self.wait(0, _CLOSE_SECONDS)

    def _take(self, path: Path) -> None:
        size = path.stat().st_size
        with self._changed:
            self._waiting.append((path, size))
            self._pending += size
            if self._thread is None:
                self._thread = Thread(target=self._run, name="eraser", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        """Erases until nothing is left; the thread ends then."""
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    return
                path, size = self._waiting[0]
            try:
                sync_directory(self._directory)  # else a power cut could bring back a file that is half erased
                self._erase(path)
            except OSError as error:
                _log.error("%s could not be erased: %s", path, error)
            with self._changed:
                self._waiting.popleft()
                self._pending -= size
                self._changed.notify_all()

    def _erase(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            length = os.fstat(descriptor).st_size
            for start in range(0, length, _SLICE):
                begun = time.monotonic()
                overwrite(descriptor, start, min(_SLICE, length - start))
                os.fdatasync(descriptor)
                self._rest((time.monotonic() - begun) * _REST_PER_WORK)
        finally:
            os.close(descriptor)
        path.unlink()

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._hurried > 0, seconds)
