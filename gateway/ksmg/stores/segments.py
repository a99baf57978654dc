"""A log in segments: databases of one day and a limited size each, so that eviction is deleting a file.

Deleting rows would cost time in proportion to what is kept and leave their data in free pages; a deleted file is gone.
"""

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SEGMENTS_PER_CAP = 16


class SegmentedLog:
    """The segments of one log, in one directory, named by day and number.

    One thread writes; other processes may read.
    """

    def __init__(self, directory: Path, schema: str, days: int, cap: int) -> None:
        self._directory = directory
        self._schema = schema
        self._days = days
        self._cap = cap
        self._largest = max(cap // _SEGMENTS_PER_CAP, 1)
        self._active: tuple[Path, sqlite3.Connection] | None = None

    def segments(self) -> list[Path]:
        """The segments' files, oldest first."""
        return sorted(self._directory.glob("????-??-??.???.sqlite"))

    def size(self) -> int:
        """Bytes on disk, write-ahead logs included."""
        return sum(_size(segment) for segment in self.segments())

    def writable(self, now: float | None = None) -> sqlite3.Connection:
        """The segment to write to at this time; evicts what passes the caps. Raises OSError or sqlite3.Error."""
        day = datetime.fromtimestamp(time.time() if now is None else now, UTC).date()
        if self._active is not None:
            path, connection = self._active
            if path.name.startswith(day.isoformat()) and _size(path) < self._largest:
                return connection
            self.close()
        self._evict(oldest_day=(day - timedelta(days=self._days)).isoformat())
        path = self._next_segment(day.isoformat())
        self._active = (path, self._open(path))
        return self._active[1]

    def reading(self, segment: Path) -> sqlite3.Connection:
        """A connection that only reads one segment."""
        connection = sqlite3.connect(segment.as_uri() + "?mode=rw", uri=True, timeout=5)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def close(self) -> None:
        """Closes the active segment; its write-ahead log is folded in."""
        if self._active is not None:
            self._active[1].close()
            self._active = None

    def _next_segment(self, day: str) -> Path:
        of_today = [segment for segment in self.segments() if segment.name.startswith(day)]
        if of_today and _size(of_today[-1]) < self._largest:
            return of_today[-1]
        number = int(of_today[-1].name.split(".")[1]) + 1 if of_today else 0
        return self._directory / f"{day}.{number:03}.sqlite"

    def _open(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(self._schema)
        return connection

    def _evict(self, oldest_day: str) -> None:
        """Deletes segments of earlier days, then the oldest ones until a full segment fits below the cap."""
        kept = self.segments()
        while kept and (kept[0].name < oldest_day or sum(map(_size, kept)) + self._largest > self._cap):
            for file in (kept[0], *_companions(kept[0])):
                file.unlink(missing_ok=True)
            kept.pop(0)


def _companions(segment: Path) -> tuple[Path, Path]:
    return segment.with_name(segment.name + "-wal"), segment.with_name(segment.name + "-shm")


def _size(segment: Path) -> int:
    files = (segment, _companions(segment)[0])
    return sum(file.stat().st_size for file in files if file.exists())
