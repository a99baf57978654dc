"""Backup: whole messages, copied before an action. The oldest go when the cap is reached.

A message is added in this order: its file into `incoming/`, synced; its row into the index, synced; its file into the
directory of its day. Whatever moment the power fails, `open()` finds either no row and removes the file, or a row and
finishes the move.
"""

import contextlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ksmg.stores.durable import copy_durably, sync_directory

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id TEXT PRIMARY KEY, time REAL NOT NULL, size INTEGER NOT NULL, reason TEXT NOT NULL, queue_id TEXT NOT NULL,
    message_id TEXT NOT NULL, client_ip TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS message_time ON message (time);
"""
_COLUMNS = "id, time, size, reason, queue_id, message_id, client_ip, sender, recipients, subject"
_EVICTED_AT_ONCE = 100


@dataclass(frozen=True)
class BackupEntry:
    """What the index says about one message."""

    id: str
    time: float
    size: int
    reason: str
    queue_id: str
    message_id: str
    client_ip: str
    sender: str
    recipients: tuple[str, ...]
    subject: str

    @property
    def day(self) -> str:
        """The name of the directory of its file."""
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d")


class StoreFull(OSError):
    """A message that is larger than the whole store may be."""


def new_id() -> str:
    """An id that no other message has; ids sort by time."""
    return f"{time.time_ns() // 1_000_000:012x}-{uuid.uuid4().hex[:12]}"


class Backup:
    """The store. One process writes to it, from one thread at a time; others may read."""

    def __init__(self, directory: Path, cap: int) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"
        self._index_file = directory / "index.sqlite"
        self._cap = cap
        self._index: sqlite3.Connection | None = None
        self._kept = 0

    def open(self) -> None:
        """Opens the store for writing and puts right what an interruption left. Raises OSError or sqlite3.Error."""
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        index = sqlite3.connect(self._index_file, check_same_thread=False, isolation_level=None)
        index.execute("PRAGMA journal_mode=WAL")
        index.execute("PRAGMA synchronous=FULL")
        index.execute("PRAGMA secure_delete=ON")
        index.execute("PRAGMA wal_autocheckpoint=64")  # pages: the write-ahead log counts towards the cap
        index.execute("PRAGMA journal_size_limit=0")
        index.executescript(_SCHEMA)
        self._index = index
        self._finish_interrupted()
        self._kept = index.execute("SELECT coalesce(sum(size), 0) FROM message").fetchone()[0]

    def close(self) -> None:
        """Closes the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def add(self, entry: BackupEntry, source: Path) -> None:
        """Keeps a message.

        When it returns, the message is on disk. Raises OSError or sqlite3.Error, and keeps nothing then.
        """
        index = self._opened()
        self._make_room(entry.size)
        incoming = self._incoming / f"{entry.id}.eml"
        copy_durably(source, incoming)
        try:
            index.execute(f"INSERT INTO message ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", _row(entry))
        except sqlite3.Error:
            incoming.unlink(missing_ok=True)
            raise
        self._kept += entry.size
        self._file_away(entry, incoming)

    def entries(self, limit: int = 100) -> list[BackupEntry]:
        """The newest messages, newest first."""
        return self._select("ORDER BY time DESC LIMIT ?", (limit,))

    def entry(self, entry_id: str) -> BackupEntry | None:
        """One message's entry; None when Backup does not have it."""
        found = self._select("WHERE id = ?", (entry_id,))
        return found[0] if found else None

    def path(self, entry: BackupEntry) -> Path:
        """The message's file, as received: CRLF line ends, without the envelope."""
        name = f"{entry.id}.eml"
        kept = self._directory / entry.day / name
        return kept if kept.exists() else self._incoming / name

    def size(self) -> tuple[int, int]:
        """Bytes and messages that are kept, the index included in the bytes."""
        if not self._index_file.exists():
            return 0, 0
        with self._reading() as index:
            size, count = index.execute("SELECT coalesce(sum(size), 0), count(*) FROM message").fetchone()
        return size + self._index_size(), count

    def _opened(self) -> sqlite3.Connection:
        if self._index is None:
            raise RuntimeError("the store is not open")
        return self._index

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._index is not None:
            yield self._index
            return
        with contextlib.closing(sqlite3.connect(self._index_file.as_uri() + "?mode=rw", uri=True, timeout=5)) as index:
            yield index

    def _select(self, clause: str, values: tuple[object, ...]) -> list[BackupEntry]:
        if not self._index_file.exists():
            return []
        with self._reading() as index:
            rows = index.execute(f"SELECT {_COLUMNS} FROM message {clause}", values).fetchall()
        return [_entry(row) for row in rows]

    def _index_size(self) -> int:
        files = (self._index_file, self._index_file.with_name("index.sqlite-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _make_room(self, size: int) -> None:
        """Evicts the oldest messages until `size` more bytes fit, before they are written: the cap is never passed."""
        if size + self._index_size() > self._cap:
            raise StoreFull(f"a message of {size} bytes is larger than Backup may be")
        while self._kept + size + self._index_size() > self._cap:
            oldest = self._select("ORDER BY time LIMIT ?", (_EVICTED_AT_ONCE,))
            if not oldest:
                break
            self._evict(oldest, self._kept + size + self._index_size() - self._cap)

    def _evict(self, oldest: list[BackupEntry], needed: int) -> None:
        """Files first: a row without its file is evicted again, a file without its row would be forgotten."""
        evicted, freed = [], 0
        for entry in oldest:
            if freed >= needed:
                break
            self.path(entry).unlink(missing_ok=True)
            freed += entry.size
            evicted.append((entry.id,))
        self._opened().executemany("DELETE FROM message WHERE id = ?", evicted)
        self._kept -= freed
        for day in {entry.day for entry in oldest[: len(evicted)]}:
            with contextlib.suppress(OSError):  # other messages of that day are still there
                (self._directory / day).rmdir()

    def _file_away(self, entry: BackupEntry, incoming: Path) -> None:
        day = self._directory / entry.day
        if not day.exists():
            day.mkdir(mode=0o700)
            sync_directory(self._directory)
        incoming.rename(day / incoming.name)

    def _finish_interrupted(self) -> None:
        for incoming in self._incoming.iterdir():
            entry = self.entry(incoming.stem)
            if entry is None:
                incoming.unlink()
            else:
                self._file_away(entry, incoming)


def _row(entry: BackupEntry) -> tuple[object, ...]:
    return (
        entry.id,
        entry.time,
        entry.size,
        entry.reason,
        entry.queue_id,
        entry.message_id,
        entry.client_ip,
        entry.sender,
        json.dumps(entry.recipients),
        entry.subject,
    )


def _entry(row: tuple[Any, ...]) -> BackupEntry:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return BackupEntry(**{**values, "recipients": tuple(json.loads(values["recipients"]))})
