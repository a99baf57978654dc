"""The index of one segment of the message store: a small database beside it that can be made again from it.

It is brought up to date in bulk, by whoever needs it, and so costs mail almost nothing; it goes with its segment, and
so evicting leaves no rows behind.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ksmg.stores.durable import erase_file
from ksmg.stores.message_store_record import COLUMNS, SEGMENT_HEADER, StoredMessage, decode_entry

_SCHEMA = f"""
CREATE TABLE message (
    place INTEGER PRIMARY KEY, decided INTEGER NOT NULL, id TEXT NOT NULL, time REAL NOT NULL, size INTEGER NOT NULL,
    reason TEXT NOT NULL, rule TEXT NOT NULL, queue_id TEXT NOT NULL, message_id TEXT NOT NULL, client_ip TEXT NOT NULL,
    sender TEXT NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL, statuses TEXT NOT NULL
) STRICT;
CREATE INDEX message_id ON message (id);
CREATE TABLE extent (end INTEGER NOT NULL, messages INTEGER NOT NULL, first REAL, last REAL) STRICT;
INSERT INTO extent VALUES ({SEGMENT_HEADER}, 0, NULL, NULL);
"""
_INSERT = f"INSERT INTO message (place, decided, {','.join(COLUMNS)}) VALUES ({','.join('?' * (len(COLUMNS) + 2))})"
_SELECT = f"SELECT place, decided, {','.join(COLUMNS)} FROM message"
_ASKED_AT_ONCE = 500
_CACHE_KIB = 1024
WAIT_SECONDS = 5.0
"""How long to wait for somebody who reads or writes the index."""
_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}


@dataclass(frozen=True)
class Criteria:
    """What to search for; each that is given must hold. Text is found anywhere in its field, whatever the case."""

    id: str = ""
    """Exactly this id."""
    reason: str = ""
    status: str = ""
    """Among what was found, one of `checks.verdict.Status`."""
    sender: str = ""
    recipient: str = ""
    client_ip: str = ""
    """Exactly this address."""
    subject: str = ""
    since: float | None = None
    """Seconds since 1970, included."""
    until: float | None = None
    """Seconds since 1970, not included."""
    decided: bool | None = None


class Extent(NamedTuple):
    """What an index covers: up to where in the segment, how many messages, and their earliest and latest time."""

    end: int
    messages: int
    first: float | None
    last: float | None


Row = tuple[int, StoredMessage]
"""A message and its place."""


class IndexDamaged(sqlite3.DatabaseError):
    """An index that does not fit its segment."""


def damaged(error: sqlite3.Error) -> bool:
    """Whether an error means that the index must be made again."""
    if isinstance(error, IndexDamaged):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


class SegmentIndex:
    """An open index. All methods raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def extent(self) -> Extent:
        """What it covers."""
        return Extent(*self._connection.execute("SELECT end, messages, first, last FROM extent").fetchone())

    def add(self, rows: Sequence[Sequence[Any]], end: int) -> None:
        """Adds messages (place, decided and the entry's values); the index then covers the segment up to `end`."""
        times = [row[2 + COLUMNS.index("time")] for row in rows]
        with self._transaction():
            self._connection.executemany(_INSERT, map(_stored, rows))
            self._connection.execute(
                "UPDATE extent SET end = :end, messages = messages + :added,"
                " first = coalesce(min(first, :first), first, :first), last = coalesce(max(last, :last), last, :last)",
                {"end": end, "added": len(rows), "first": min(times, default=None), "last": max(times, default=None)},
            )

    def remove(self, places: Iterable[int]) -> int:
        """Forgets messages; returns how many there were."""
        with self._transaction():
            removed = self._connection.executemany("DELETE FROM message WHERE place = ?", ((p,) for p in places))
            self._connection.execute("UPDATE extent SET messages = messages - ?", (removed.rowcount,))
        return removed.rowcount

    def decide(self, places: Iterable[int]) -> int:
        """Notes that somebody decided about messages; returns how many."""
        with self._transaction():
            statement = "UPDATE message SET decided = 1 WHERE place = ?"
            return self._connection.executemany(statement, ((place,) for place in places)).rowcount

    def search(self, criteria: Criteria, before: int | None, limit: int) -> list[Row]:
        """The newest messages below a place that match, newest first."""
        if not self._may_have(criteria):
            return []
        conditions, values = _conditions(criteria)
        if before is not None:
            conditions, values = [*conditions, "place < ?"], [*values, before]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self._connection.execute(f"{_SELECT}{where} ORDER BY place DESC LIMIT ?", (*values, limit))
        return list(map(_row, rows))

    def places(self, ids: Sequence[str]) -> list[int]:
        """Where the messages with these ids are, as far as they are here."""
        found: list[int] = []
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            asked = ids[start : start + _ASKED_AT_ONCE]
            statement = f"SELECT place FROM message WHERE id IN ({','.join('?' * len(asked))})"
            found += (place for (place,) in self._connection.execute(statement, asked))
        return sorted(found)

    def _may_have(self, criteria: Criteria) -> bool:
        """Whether there can be messages of the time that is asked for."""
        _, _, first, last = self.extent()
        after = criteria.since is not None and (last is None or last < criteria.since)
        return not after and (criteria.until is None or (first is not None and first < criteria.until))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def reading(file: Path) -> Iterator[SegmentIndex]:
    """Opens an index to read. Raises sqlite3.Error; `damaged` says when it must be made again, or is not there."""
    with contextlib.closing(_connect(file, "rw", WAIT_SECONDS)) as connection:
        yield SegmentIndex(connection)


@contextlib.contextmanager
def writing(file: Path, durable: bool, wait: float = WAIT_SECONDS) -> Iterator[SegmentIndex]:
    """Opens an index to write, made if it is missing; only under the store's lock. `durable`: synced at each change."""
    file.touch(mode=0o600)  # the database's mode is the journal's too
    with contextlib.closing(_connect(file, "rw", wait)) as connection:
        connection.execute("PRAGMA journal_mode=PERSIST")  # other modes free blocks with rows in them: see `scrub`
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        connection.execute("PRAGMA secure_delete=ON")
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        yield SegmentIndex(connection)


def discard(file: Path) -> None:
    """Overwrites and removes an index that is made again; only under the store's lock. Raises OSError."""
    for name in (journal(file), file):
        erase_file(name)


def remove(file: Path) -> None:
    """Removes an index together with its segment; only under the store's lock. Raises OSError."""
    for name in (journal(file), file):
        name.unlink(missing_ok=True)


def scrub(file: Path) -> None:
    """Overwrites and removes the journal, which has copies of rows; under the lock, with no transaction under way."""
    erase_file(journal(file))


def journal(file: Path) -> Path:
    """The index's rollback journal."""
    return file.with_name(f"{file.name}-journal")


def _connect(file: Path, mode: str, wait: float) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, timeout=wait, isolation_level=None)
    connection.create_function("contains", 2, _contains, deterministic=True)
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return connection


def _contains(text: str, sought: str) -> bool:
    return sought in text.casefold()


def _conditions(criteria: Criteria) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    exact = {"id": criteria.id, "client_ip": criteria.client_ip}
    bounds = {"time >= ?": criteria.since, "time < ?": criteria.until, "decided = ?": criteria.decided}
    for name, value in exact.items():
        if value:
            conditions.append(f"{name} = ?")
            values.append(value)
    for condition, bound in bounds.items():
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    for name in ("reason", "sender", "subject"):
        _add_text(conditions, values, name, getattr(criteria, name))
    _add_text(conditions, values, "recipients", criteria.recipient)
    if criteria.status:
        conditions.append("instr(statuses, ?)")
        values.append(json.dumps(criteria.status))
    return conditions, values


def _add_text(conditions: list[str], values: list[object], name: str, sought: str) -> None:
    """SQLite's LIKE knows the case of ASCII letters only, and is several times faster than Python."""
    if not sought:
        return
    if sought.isascii():
        conditions.append(f"{name} LIKE ? ESCAPE '\\'")
        escaped = sought.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values.append(f"%{escaped}%")
    else:
        conditions.append(f"contains({name}, ?)")
        values.append(sought.casefold())


def _stored(row: Sequence[Any]) -> list[Any]:
    """Lists as JSON."""
    return [json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value for value in row]


def _row(row: Sequence[Any]) -> Row:
    place, decided, *values = row
    for name in ("recipients", "statuses"):
        values[COLUMNS.index(name)] = json.loads(values[COLUMNS.index(name)])
    return place, decode_entry(values, bool(decided))
