"""Answers of the reputation service, so that nothing is asked twice: at most so many, those longest unused go first.

Nothing is looked up yet: that begins with the administrator's consent. What the statement promises of the cache holds
already: 360,000 records, the ones longest without a look-up removed first, and what is removed is overwritten.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ksmg.policy import DataPolicy
from ksmg.stores.erasure import scrub_write_ahead_log
from ksmg.stores.segments import transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (
    key BLOB PRIMARY KEY, verdict TEXT NOT NULL, used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answer_used ON answer (used);
"""
_OUTGOING = "ksn_requests"


def cache_records(policy: DataPolicy) -> int:
    """How many answers the policy lets be kept. Raises ValueError when it does not say."""
    records = next(outgoing.cache_records for outgoing in policy.outgoing if outgoing.id == _OUTGOING)
    if records is None:
        raise ValueError("the data policy gives the reputation cache no cap")
    return records


class ReputationCache:
    """The cache, in one file. One thread uses it. All methods raise sqlite3.Error."""

    def __init__(self, file: Path, records: int) -> None:
        self._records = records
        self._connection = sqlite3.connect(file, isolation_level=None, timeout=5)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA secure_delete=ON")
        self._connection.executescript(_SCHEMA)
        self._count = self._number("SELECT count(*) FROM answer")
        self._clock = self._number("SELECT coalesce(max(used), 0) FROM answer")
        """Look-ups, counted: unlike the time of day it never goes back."""

    def answer(self, key: bytes) -> str | None:
        """The verdict that is known of an object's hash; that counts as a look-up. None: it has to be asked."""
        self._clock += 1
        changed = self._connection.execute(
            "UPDATE answer SET used = ? WHERE key = ? RETURNING verdict", (self._clock, key)
        ).fetchone()
        return None if changed is None else str(changed[0])

    def add(self, key: bytes, verdict: str) -> None:
        """Keeps an answer, in place of those that were not looked up for longest."""
        self._clock += 1
        with transaction(self._connection):
            known = self._connection.execute("SELECT 1 FROM answer WHERE key = ?", (key,)).fetchone()
            self._connection.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", (key, verdict, self._clock))
            self._count += known is None
            if self._count > self._records:
                oldest = "SELECT key FROM answer ORDER BY used LIMIT ?"
                more = self._count - self._records
                self._connection.execute(f"DELETE FROM answer WHERE key IN ({oldest})", (more,))
                self._count -= more

    def clear(self) -> None:
        """Forgets everything, and leaves nothing of it in the write-ahead log."""
        self._connection.execute("DELETE FROM answer")
        self._count = 0
        scrub_write_ahead_log(self._connection)

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Closes the file; nothing is left in the write-ahead log."""
        scrub_write_ahead_log(self._connection)
        self._connection.close()

    def _number(self, statement: str) -> int:
        return int(self._connection.execute(statement).fetchone()[0])


@contextlib.contextmanager
def opened(file: Path, records: int) -> Iterator[ReputationCache]:
    """The cache while it is used."""
    cache = ReputationCache(file, records)
    try:
        yield cache
    finally:
        cache.close()
