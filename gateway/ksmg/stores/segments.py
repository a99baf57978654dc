"""A log in segments: databases of a limited time and size each, so that eviction is deleting a file.

Deleting rows would cost time in proportion to what is kept and leave their data in free pages; a file is overwritten
and gone, in a thread of its own. The log waits for that thread when it would pass the cap.

A segment is a twelfth of the days or a twenty-fifth of the bytes that the log may keep, whichever comes first. The
oldest go when they are older than the days, or when the next one might pass the cap; that is never below 90 % of it.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ksmg.stores.durable import erase_file
from ksmg.stores.eraser import Eraser, evicted_files

_log = logging.getLogger(__name__)
_SEGMENTS_PER_CAP = 25
_PERIODS_PER_AGE = 12
_DAY, _HOUR = 86_400.0, 3_600.0
_NAME = "????-??-??T??.?????"
_DATABASE, _DAMAGED = ".sqlite", ".damaged"
_PAGE = 4096
_MOST_WAL_PAGES = 1000
_MAPPED = 2**31


def damaged(error: sqlite3.Error) -> bool:
    """Whether it says that a database's content is wrong, rather than that it cannot be used at the moment."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back itself; the first error counts
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class SegmentedLog:
    """The segments of one log, in one directory, named by the beginning of their period (UTC) and a number.

    One thread writes; other processes may read. `finish` is done to a segment that will not grow any more. `report`
    hears of each segment that was set aside because its content is damaged: its name, and what was wrong. Such a
    segment counts and ages like the others.
    """

    def __init__(
        self,
        directory: Path,
        schema: str,
        days: int,
        cap: int,
        finish: Callable[[sqlite3.Connection], None] | None = None,
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        self._directory = directory
        self._schema = schema
        self._age = days * _DAY
        self._cap = cap
        self._largest = max(cap // _SEGMENTS_PER_CAP, 1)
        self._period = max(self._age / _PERIODS_PER_AGE // _HOUR, 1) * _HOUR
        self._wal_pages = max(min(_MOST_WAL_PAGES, self._largest // _PAGE // 4), 10)
        self._finish = finish
        self.report = report
        self.active: tuple[Path, sqlite3.Connection] | None = None
        """The segment being written."""
        self._eraser = Eraser(directory)
        self._resumed = False
        self._until = 0.0
        """The end of its period."""

    def segments(self) -> list[Path]:
        """The segments' files, oldest first."""
        return sorted(self._directory.glob(_NAME + _DATABASE))

    def size(self) -> int:
        """Bytes on disk, with write-ahead logs, what was set aside, and what is not erased yet."""
        return sum(map(_size, (*self._everything(), *evicted_files(self._directory))))

    def writable(self, now: float | None = None) -> sqlite3.Connection:
        """The segment to write to at this time; evicts what passes the caps. Raises OSError or sqlite3.Error."""
        now = time.time() if now is None else now
        if self.active is not None:
            path, connection = self.active
            size = _size(path)
            if size > self._largest // 4:
                self._eraser.wait(0)  # mostly done long ago; else both together would pass the cap
            if now < self._until and size < self._largest:
                return connection
            self._end_active(connection)
        self._resume()
        self.expire(now)
        path = self._next_segment(now)
        self._eraser.wait(self._largest // 2)
        try:
            opened = self._open(path)
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise
            self._set_aside(path, error)
            path = self._next_segment(now)
            opened = self._open(path)
        self.active, self._until = (path, opened), (now // self._period + 1) * self._period
        return opened

    def reading(self, segment: Path) -> sqlite3.Connection:
        """A connection that only reads one segment. Raises sqlite3.Error."""
        try:
            connection = self._connect(segment, "rw")
        except sqlite3.OperationalError:  # an account that may read only
            connection = self._connect(segment, "ro")
        connection.execute("PRAGMA query_only=ON")
        return connection

    def close(self) -> None:
        """Closes the active segment; its write-ahead log is folded in."""
        self._close_active()
        self.finish_erasing()

    def finish_erasing(self) -> None:
        """Returns when what was evicted is erased, after some seconds at most."""
        self._eraser.close()

    def _close_active(self) -> None:
        if self.active is not None:
            self._fold(*self.active)
            self.active = None

    def _end_active(self, connection: sqlite3.Connection) -> None:
        try:
            if self._finish is not None:
                self._finish(connection)
        except sqlite3.Error as error:  # it can be read as it is, and damage is found by whoever reads it
            _log.warning("a segment could not be finished: %s", error)
        self._close_active()

    def expire(self, now: float) -> None:
        """Deletes what is too old."""
        kept = self._everything()
        while kept and self._end(kept) < now - self._age:
            if self._is_active(kept[0]):
                self._close_active()
            self._evict(kept.pop(0))

    def set_aside_active(self, error: sqlite3.Error) -> None:
        """Takes the segment being written, which is damaged, out of the log."""
        if self.active is not None:
            path, connection = self.active
            self.active = None
            with contextlib.suppress(sqlite3.Error):
                connection.close()
            self._set_aside(path, error)

    def unreadable(self, segment: Path, error: sqlite3.Error) -> None:
        """Takes a segment that is damaged out of the log, unless somebody may be writing to it."""
        _log.warning("the segment %s cannot be read: %s", segment.name, error)
        if damaged(error) and segment != self.segments()[-1] and os.access(self._directory, os.W_OK):
            self._set_aside(segment, error)

    def _set_aside(self, segment: Path, error: sqlite3.Error) -> None:
        """Keeps a segment under another name until its time has come."""
        segment.rename(segment.with_suffix(_DAMAGED))
        for file in _companions(segment):
            erase_file(file)
        if self.report is not None:
            self.report(segment.name, str(error))

    def _everything(self) -> list[Path]:
        return sorted([*self.segments(), *self._directory.glob(_NAME + _DAMAGED)])

    def _name(self, now: float) -> str:
        """The beginning of the names of a period's segments."""
        return datetime.fromtimestamp(now // self._period * self._period, UTC).strftime("%Y-%m-%dT%H")

    def _end(self, kept: list[Path]) -> float:
        """The time before which everything in the oldest segment was written."""
        begins = [datetime.strptime(path.name[:13] + "+0000", "%Y-%m-%dT%H%z").timestamp() for path in kept]
        return min([begins[0] + self._period, *(later for later in begins if later > begins[0])])

    def _is_active(self, segment: Path) -> bool:
        return self.active is not None and segment == self.active[0]

    def _next_segment(self, now: float) -> Path:
        """The last segment when it has room; else a new one. After the clock was set back it is the last one's next."""
        everything = self._everything()
        name, number = self._name(now), 0
        if everything and everything[-1].name >= name:
            last = everything[-1]
            if last.suffix == _DATABASE and _size(last) < self._largest:
                return last
            name, number = last.name[:13], int(last.name[14:19]) + 1
        self._make_room(everything)
        return self._directory / f"{name}.{number:05}{_DATABASE}"

    def _make_room(self, kept: list[Path]) -> None:
        """Deletes the oldest segments until two and a half fit below the cap.

        One for what is written, one for its last batch and the write-ahead log, a half for what is being erased.
        """
        sizes = list(map(_size, kept))
        while kept and sum(sizes) + self._largest * 5 // 2 > self._cap:
            self._evict(kept.pop(0))
            del sizes[0]
        self._fold_what_was_left()

    def _open(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute(f"PRAGMA wal_autocheckpoint={self._wal_pages}")
            connection.executescript(self._schema)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, segment: Path, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{segment.as_uri()}?mode={mode}", uri=True, timeout=5, check_same_thread=False, isolation_level=None
        )
        try:
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute(f"PRAGMA mmap_size={_MAPPED}")
            connection.execute("BEGIN")  # all that is read is of one moment
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _fold_what_was_left(self) -> None:
        """Folds in the write-ahead logs that a kill or a reader left beside segments that are no longer written."""
        for segment in self.segments():
            if not self._is_active(segment) and _companions(segment)[0].exists():
                with contextlib.suppress(sqlite3.Error):  # in use, or damaged: whoever reads it will tell
                    self._fold(segment, sqlite3.connect(segment, timeout=0, isolation_level=None))

    def _fold(self, segment: Path, connection: sqlite3.Connection) -> None:
        """Closes a segment so that it is one file, which can be read without writing; its write-ahead log is erased."""
        held = self._eraser.hold(_companions(segment)[0])
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:  # somebody reads it: it is folded when the next segment begins
            _log.info("a write-ahead log stays for now: %s", error)
        connection.close()
        if held is not None:
            self._eraser.settle(held)

    def _evict(self, segment: Path) -> None:
        self._eraser.retire(segment, *_companions(segment))

    def _resume(self) -> None:
        """Erases what a crash left: files that were being erased, and companions of segments that are gone."""
        if self._resumed:
            return
        self._resumed = True
        for companion in self._directory.glob(f"{_NAME}{_DATABASE}-*[lm]"):
            if not companion.with_name(companion.name.rpartition("-")[0]).exists():
                self._eraser.retire(companion)
        self._eraser.resume()


def _companions(segment: Path) -> tuple[Path, Path]:
    return segment.with_name(segment.name + "-wal"), segment.with_name(segment.name + "-shm")


def _size(segment: Path) -> int:
    total = 0
    for file in (segment, _companions(segment)[0]):
        with contextlib.suppress(FileNotFoundError):  # evicted, or folded in, at this moment
            total += file.stat().st_size
    return total
