"""The chained records in their database: schema, migration, appending, evicting, reading them all.

`event` has the records; `chain` the anchor and the end; `known` what watchers of logs and files saw last, so that what
they find becomes an event exactly once. Every function but `prepare` works inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from ksmg.stores.audit_chain import START, Link, Record
from ksmg.stores.segments import transaction

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, name TEXT NOT NULL, account TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_time ON event (time);
"""
_CHAINED = (
    "ALTER TABLE event ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE event ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE chain (place TEXT PRIMARY KEY, number INTEGER NOT NULL, digest TEXT NOT NULL) STRICT",
    "CREATE TABLE known (name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT",
    f"PRAGMA user_version={_VERSION}",
)
_FIELDS = "number, time, name, account, origin, detail"
_EVICTED_AT_ONCE = 100
"""At the cap a hundredth of it goes at once, because what went is then overwritten in the write-ahead log too."""

Fields = tuple[float, str, str, str, str]
"""Time, name, account, origin, detail."""


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the tables; records of a log without digests are chained as they are. Raises sqlite3.Error."""
    if _version(connection) >= _VERSION:
        return
    with transaction(connection):
        if _version(connection) >= _VERSION:  # somebody else was faster
            return
        for statement in (*_SCHEMA.split(";"), *_CHAINED):
            connection.execute(statement)
        _chain_all(connection)


def append(connection: sqlite3.Connection, events: Iterable[Fields]) -> Link:
    """Adds records behind the newest; returns where the chain ends now."""
    link = end(connection) or _newest(connection)
    rows = []
    for fields in events:
        record = Record(link.number + 1, *fields)
        link = record.link(link.digest)
        rows.append((*vars(record).values(), link.digest))
    connection.executemany(f"INSERT INTO event ({_FIELDS}, digest) VALUES (?,?,?,?,?,?,?)", rows)
    _note(connection, "end", link)
    return link


def evict(connection: sqlite3.Connection, records: int) -> int:
    """Removes the oldest above the cap, and up to a hundredth more; returns how many. The anchor moves."""
    (first, last) = connection.execute("SELECT min(number), max(number) FROM event").fetchone()
    if first is None or last - first < records:
        return 0
    gone = last - records + records // _EVICTED_AT_ONCE
    newest_gone = "SELECT number, digest FROM event WHERE number <= ? ORDER BY number DESC LIMIT 1"
    _note(connection, "anchor", Link(*connection.execute(newest_gone, (gone,)).fetchone()))
    return connection.execute("DELETE FROM event WHERE number <= ?", (gone,)).rowcount


def anchor(connection: sqlite3.Connection) -> Link:
    """The newest record that was evicted; `START` when none was."""
    return _noted(connection, "anchor") or START


def end(connection: sqlite3.Connection) -> Link | None:
    """The newest record as the log noted it; None when it noted none."""
    return _noted(connection, "end")


def records(connection: sqlite3.Connection) -> Iterator[tuple[Record, str]]:
    """Every record with its stored digest, oldest first."""
    for *fields, digest in connection.execute(f"SELECT {_FIELDS}, digest FROM event ORDER BY number"):
        yield Record(*fields), digest


def remember(connection: sqlite3.Connection, known: Mapping[str, str]) -> None:
    """Keeps what a watcher saw, under its name."""
    connection.executemany("INSERT OR REPLACE INTO known (name, document) VALUES (?,?)", known.items())


def recall(connection: sqlite3.Connection, name: str) -> str | None:
    """What a watcher saw last."""
    found = connection.execute("SELECT document FROM known WHERE name = ?", (name,)).fetchone()
    return None if found is None else str(found[0])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _chain_all(connection: sqlite3.Connection) -> None:
    found = [record for record, _ in records(connection)]
    if not found:
        return
    link = Link(found[0].number - 1, START.digest)
    _note(connection, "anchor", link)
    for record in found:
        link = Link(record.number, record.link(link.digest).digest)
        connection.execute("UPDATE event SET digest = ? WHERE number = ?", (link.digest, link.number))
    _note(connection, "end", link)


def _newest(connection: sqlite3.Connection) -> Link:
    found = connection.execute("SELECT number, digest FROM event ORDER BY number DESC LIMIT 1").fetchone()
    return Link(*found) if found else anchor(connection)


def _note(connection: sqlite3.Connection, place: str, link: Link) -> None:
    statement = "INSERT OR REPLACE INTO chain (place, number, digest) VALUES (?,?,?)"
    connection.execute(statement, (place, link.number, link.digest))


def _noted(connection: sqlite3.Connection, place: str) -> Link | None:
    found = connection.execute("SELECT number, digest FROM chain WHERE place = ?", (place,)).fetchone()
    return Link(*found) if found else None
