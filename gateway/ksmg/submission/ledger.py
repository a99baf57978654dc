"""What was handed over to whom: so that a sender who comes back after a crash gives nobody a second copy.

It keeps digests and times only, for seven days. It stands in the place of `statistics`: the row of the data policy that
holds what is derived from addresses and keeps it longer than message events are kept.
"""

import enum
import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ksmg.policy import DataPolicy

KEPT_SECONDS = 7 * 86400.0
"""Longer than senders try: five days (RFC 5321, 4.5.4.1)."""
_PRUNE_EVERY = 1000
_SCHEMA = "CREATE TABLE IF NOT EXISTS handover (key BLOB PRIMARY KEY, time REAL NOT NULL) STRICT, WITHOUT ROWID"


class Entry(enum.Enum):
    """What the ledger knows of a copy."""

    NEW = "new"
    """It was never handed over, or nobody knows: a duplicate is better than a loss."""
    DONE = "done"
    """The recipient has it."""


def ledger_file(policy: DataPolicy) -> Path:
    """Where it is kept."""
    return Path(policy.place("statistics")) / "handovers.sqlite"


def content_digest(file: Path, queue_id: str, has_message_id: bool) -> bytes:
    """Says which message a spooled file is. The Received field of this host is not in it, so a retry gives the same.

    A message without Message-ID may be sent again on purpose, so it counts as another one each time.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
    return digest.digest() if has_message_id else hashlib.sha256(digest.digest() + queue_id.encode()).digest()


def key(once: bytes, sender: bytes, recipient: bytes) -> bytes:
    """The digest of one copy."""
    lengths = b"".join(len(piece).to_bytes(4, "big") + piece for piece in (once, sender, recipient))
    return hashlib.sha256(lengths).digest()


class Ledger:
    """The ledger. Threads may share it; what one is handing over, another waits for."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises sqlite3.Error."""
        self._clock = clock
        self._changed = threading.Condition()
        self._under_way: set[bytes] = set()
        self._written = 0
        self._connection = sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA secure_delete=ON")
        self._connection.execute(_SCHEMA)
        self._prune()

    def begin(self, key: bytes) -> Entry:
        """Whether a copy has to be handed over; NEW ones are ended with `done` or `failed`. Raises sqlite3.Error."""
        with self._changed:
            self._changed.wait_for(lambda: key not in self._under_way)
            since = self._clock() - KEPT_SECONDS
            query = "SELECT 1 FROM handover WHERE key = ? AND time > ?"
            if self._connection.execute(query, (key, since)).fetchone():
                return Entry.DONE
            self._under_way.add(key)
            return Entry.NEW

    def done(self, *keys: bytes) -> None:
        """They were handed over: on disk when this returns. Raises sqlite3.Error."""
        with self._changed:
            try:
                if not keys:
                    return
                now = self._clock()
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    statement = "INSERT OR REPLACE INTO handover VALUES (?, ?)"
                    self._connection.executemany(statement, [(key, now) for key in keys])
                self._written += len(keys)
                if self._written >= _PRUNE_EVERY:
                    self._prune()
            finally:
                self._end(keys)

    def failed(self, *keys: bytes) -> None:
        """They were not handed over."""
        with self._changed:
            self._end(keys)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _end(self, keys: tuple[bytes, ...]) -> None:
        self._under_way.difference_update(keys)
        self._changed.notify_all()

    def _prune(self) -> None:
        self._written = 0
        self._connection.execute("DELETE FROM handover WHERE time <= ?", (self._clock() - KEPT_SECONDS,))
