"""Finds events in one segment: three characters at a time by an FTS5 index, then compared with the criteria.

The index is made in chunks whenever the writer has time for it; what it does not cover yet is looked through. The index
may name too many events, never too few: each is compared with the criteria as a whole.
"""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from ksmg.stores.event_search import Criteria, bracketed, contains, within
from ksmg.stores.event_search_terms import TEXTS, Impossible, Rarity, expression, required_codes
from ksmg.stores.flight_record import FlightRecord, unpacked
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_event_rows import MARK, SELECTED, event_of, key, text
from ksmg.stores.segments import transaction

SCHEMA = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (
    {", ".join(TEXTS)}, codes, content='', columnsize=0, detail=column, tokenize='trigram'
);
CREATE TABLE IF NOT EXISTS indexed (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, last_record INTEGER NOT NULL, earliest REAL NOT NULL,
    latest REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS event_name (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record_name (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
"""
_ENDED = ", ".join(f"{column} || char(10, 10)" for column in TEXTS)
_FILL = f"""
INSERT INTO search (rowid, {", ".join(TEXTS)}, codes)
SELECT number, {_ENDED}, codes FROM event WHERE number BETWEEN :first AND :last
"""
"""Ends of values are characters too, so that every pair of characters begins a term."""
_TAKE_OUT = f"""
INSERT INTO search (search, rowid, {", ".join(TEXTS)}, codes) SELECT 'delete', number, {_ENDED}, codes FROM event
WHERE number = ?
"""
"""Only with exactly the values that were put in; the table has none of its own."""
_TAKE_NAMES = """
DELETE FROM event_name WHERE number = :number AND key IN (
    SELECT id_key FROM event WHERE number = :number UNION SELECT queue_key FROM event WHERE number = :number
    UNION SELECT message_key FROM event WHERE number = :number
)
"""
_COMPACTED_AT_ONCE = 200
"""Pages of the index that are written in one step."""
_NAMES = """
INSERT OR IGNORE INTO event_name
SELECT id_key, number FROM event WHERE number BETWEEN :first AND :last
UNION ALL SELECT queue_key, number FROM event WHERE number BETWEEN :first AND :last
UNION ALL SELECT message_key, number FROM event WHERE number BETWEEN :first AND :last
ORDER BY 1
"""
_RULES = "INSERT OR IGNORE INTO rule SELECT DISTINCT rule FROM event WHERE number BETWEEN :first AND :last"
_RECORD_NAMES = """
INSERT INTO record_name SELECT key, number FROM record
WHERE number > coalesce((SELECT last_record FROM indexed ORDER BY first DESC LIMIT 1), 0)
ORDER BY key
"""
_COVER = """
INSERT INTO indexed SELECT min(number), max(number), (SELECT coalesce(max(number), 0) FROM record), min(time), max(time)
FROM event WHERE number BETWEEN :first AND :last
"""
_SCAN = f"SELECT {SELECTED} FROM event WHERE event.number BETWEEN ? AND ? {{}} ORDER BY event.number DESC"
_LOOK_UP = f"""
SELECT {SELECTED} FROM search CROSS JOIN event ON event.number = search.rowid
WHERE search.rowid BETWEEN ? AND ? {{}} AND search MATCH ? ORDER BY search.rowid DESC
"""
_NUMBERED = f"SELECT {SELECTED} FROM event WHERE event.number IN (SELECT value FROM json_each(?)) ORDER BY number DESC"
_INDEXED = "SELECT coalesce((SELECT last FROM indexed ORDER BY first DESC LIMIT 1), 0)"
_HIGHEST = 2**62
_Row = tuple[Any, ...]


def index_chunk(connection: sqlite3.Connection, most: int, least: int = 1) -> int:
    """Indexes the next events, and returns how many: none when fewer than `least` wait.

    A few statements do the work, without the interpreter's lock, so that mail goes on.
    """
    (done,) = connection.execute(_INDEXED).fetchone()
    count = min(waiting(connection), most)
    if count < least:
        return 0
    with transaction(connection):
        for statement in (_FILL, _NAMES, _RULES, _RECORD_NAMES, _COVER):
            connection.execute(statement, {"first": done + 1, "last": done + count})
    return count


def unindex(connection: sqlite3.Connection, number: int) -> None:
    """Takes an event out of the index, before its values change; in a transaction. `compact` removes what is left."""
    if is_indexed(connection, number):
        connection.execute(_TAKE_OUT, (number,))
        connection.execute(_TAKE_NAMES, {"number": number})


def reindex(connection: sqlite3.Connection, number: int) -> None:
    """Puts an event back with its new values; in the same transaction."""
    if is_indexed(connection, number):
        for statement in (_FILL, _NAMES, _RULES):
            connection.execute(statement, {"first": number, "last": number})


def is_indexed(connection: sqlite3.Connection, number: int) -> bool:
    """Whether the index covers an event."""
    return int(connection.execute(_INDEXED).fetchone()[0]) >= number


def compact(connection: sqlite3.Connection) -> None:
    """Leaves nothing in the index of what was taken out of it, in steps of some ms, between which others write."""
    pages = -_COMPACTED_AT_ONCE  # negative: of all parts of the index, one is made
    changes = 2
    while changes >= 2:  # as FTS5 says that a step did something
        before = connection.total_changes
        with transaction(connection):
            connection.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
        changes, pages = connection.total_changes - before, _COMPACTED_AT_ONCE


def waiting(connection: sqlite3.Connection) -> int:
    """How many events are not indexed yet."""
    (newest,) = connection.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()
    return int(newest - connection.execute(_INDEXED).fetchone()[0])


def find(
    connection: sqlite3.Connection, criteria: Criteria, before: int | None, rarity: Rarity
) -> Iterator[tuple[int, MessageEvent]]:
    """The segment's events that match, newest first, with their numbers; those below `before` only."""
    connection.create_function("contains", 2, contains, deterministic=True)
    connection.create_function("within", 1, lambda client_ip: _inside(criteria, client_ip), deterministic=True)
    for row in _candidates(connection, criteria, _HIGHEST if before is None else before, rarity):
        event = event_of(row)
        if criteria.matches(event):
            yield row[0], event


def _inside(criteria: Criteria, client_ip: str) -> bool:
    return criteria.network is None or within(client_ip, criteria.network)


def _candidates(connection: sqlite3.Connection, criteria: Criteria, below: int, rarity: Rarity) -> Iterator[_Row]:
    if criteria.name or criteria.queue_id or criteria.message_id:
        names = (name for name in (criteria.name, criteria.queue_id) if name)
        yield from _rows(connection, named(connection, names, filter(None, [criteria.message_id])), below)
        return
    where, values = _conditions(criteria)
    (indexed,) = connection.execute(_INDEXED).fetchone()
    yield from connection.execute(_SCAN.format(where), (indexed + 1, below - 1, *values))
    by_name = named(connection, criteria.words, criteria.words) if criteria.words else set()
    below = min(below, indexed + 1)
    yield from _merged(_rows(connection, by_name, below), _by_index(connection, criteria, below, rarity))


def _by_index(connection: sqlite3.Connection, criteria: Criteria, below: int, rarity: Rarity) -> Iterator[_Row]:
    where, values = _conditions(criteria)
    first, last = _span(connection, criteria)
    bounds = (first, min(last, below - 1))
    if bounds[0] > bounds[1]:
        return
    try:
        match = expression(connection, criteria, rarity, bounds[1])
    except Impossible:
        return
    if match:
        yield from connection.execute(_LOOK_UP.format(where), (*bounds, *values, match))
    else:
        yield from connection.execute(_SCAN.format(where), (*bounds, *values))


def named(connection: sqlite3.Connection, names: Iterable[str], message_ids: Iterable[str] = ()) -> set[int]:
    """The numbers of events whose id, queue id or Message-ID may be one of these."""
    found: set[int] = set()
    for name in (*names, *(given for message_id in message_ids for given in bracketed(message_id))):
        found.update(number for (number,) in connection.execute(_NAMED, {"key": key(name)}))
    return found


_NAMED = """
SELECT number FROM event_name WHERE key = :key
UNION ALL SELECT number FROM event WHERE number > coalesce((SELECT last FROM indexed ORDER BY first DESC LIMIT 1), 0)
    AND (id_key = :key OR queue_key = :key OR message_key = :key)
"""
_RECORDS_NAMED = """
SELECT number, time, message, document FROM record WHERE message = :message AND number IN (
    SELECT number FROM record_name WHERE key = :key
    UNION ALL SELECT number FROM record
    WHERE number > coalesce((SELECT last_record FROM indexed ORDER BY first DESC LIMIT 1), 0) AND key = :key
) ORDER BY number DESC LIMIT 1
"""


def record_of(connection: sqlite3.Connection, message: str) -> FlightRecord | None:
    """The newest flight record of a message."""
    found = connection.execute(_RECORDS_NAMED, {"message": text(message), "key": key(message)}).fetchone()
    return FlightRecord(found[2], found[1], unpacked(found[3])) if found else None


def _rows(connection: sqlite3.Connection, numbers: Iterable[int], below: int) -> Iterator[_Row]:
    yield from connection.execute(_NUMBERED, (json.dumps([number for number in numbers if number < below]),))


def _merged(*sources: Iterable[_Row]) -> Iterator[_Row]:
    """All rows, the newest first, each once."""
    previous = None
    for row in heapq.merge(*sources, key=lambda row: -row[0]):
        if row[0] != previous:
            yield row
        previous = row[0]


def _span(connection: sqlite3.Connection, criteria: Criteria) -> tuple[int, int]:
    """The first and the last number that events of the wanted time can have, as far as they are indexed."""
    since = -1e18 if criteria.since is None else criteria.since
    until = 1e18 if criteria.until is None else criteria.until
    statement = "SELECT min(first), max(last) FROM indexed WHERE latest >= ? AND earliest < ?"
    first, last = connection.execute(statement, (since, until)).fetchone()
    return (1, 0) if first is None else (first, last)


def _conditions(criteria: Criteria) -> tuple[str, list[Any]]:
    """What can be asked of columns, as further conditions of a statement, and their values."""
    asked: list[tuple[str, Any]] = [
        ("event.time >= ?", criteria.since),
        ("event.time < ?", criteria.until),
        ("event.size >= ?", criteria.smallest),
        ("event.size <= ?", criteria.largest),
        ("contains(?, event.sender)", criteria.sender or None),
        ("contains(?, event.recipients)", criteria.recipient or None),
        ("contains(?, event.subject)", criteria.subject or None),
        ("contains(?, event.attachments)", criteria.attachment or None),
        *(("instr(event.codes, ?)", f"{MARK}{code}{MARK}") for code in required_codes(criteria)),
    ]
    clauses = [clause for clause, value in asked if value is not None]
    values = [value for _, value in asked if value is not None]
    if criteria.network is not None:
        clauses.append("within(event.client_ip)")
    return "".join(f" AND {clause}" for clause in clauses), values
