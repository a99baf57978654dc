"""Changes events and flight records that are stored already, and leaves nothing of what they were.

For the rights of persons only: nobody else changes an event. Works beside the writer of the newest segment, in
transactions so short that it never waits long.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ksmg.stores.durable import erase_file
from ksmg.stores.erasure import scrub_write_ahead_log
from ksmg.stores.event_search_index import compact, reindex, unindex
from ksmg.stores.flight_record import FlightRecord, unpacked
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_event_rows import SELECTED, UPDATE, UPDATE_RECORD, event_of, record_row, row
from ksmg.stores.segments import transaction

_WAIT_SECONDS = 30.0
_READ_AT_ONCE, _CHANGED_AT_ONCE = 500, 50
_EVENTS = f"SELECT {SELECTED} FROM event WHERE number > ? ORDER BY number LIMIT ?"
_RECORDS = "SELECT number, time, message, document FROM record WHERE number > ? ORDER BY number LIMIT ?"
_TEXTS = (
    "id",
    "queue_id",
    "message_id",
    "client_ip",
    "sender",
    "recipients",
    "subject",
    "attachments",
    "rule",
    "details",
)
_FILLED = ", ".join(
    f"{column} = replace(hex(zeroblob(length(CAST({column} AS BLOB)))), '00', 'x')" for column in _TEXTS
)
_BLANK = f"UPDATE event SET {_FILLED}, rest = zeroblob(length(rest)) WHERE number = ?"
_BLANK_RECORD = "UPDATE record SET document = zeroblob(length(document)) WHERE number = ?"
"""Values of the same length are written in place. A row that changes its length is moved, and the page that it leaves
may keep a copy of it."""
_Row = tuple[Any, ...]
Changed = TypeVar("Changed")


@dataclass(frozen=True)
class Change:
    """What events and flight records become; None: they stay as they are. `rule`: whether a rule's name must go."""

    event: Callable[[MessageEvent], MessageEvent | None]
    record: Callable[[FlightRecord], FlightRecord | None]
    rule: Callable[[str], bool]


def change_segment(segment: Path, change: Change) -> tuple[int, int]:
    """Changes one segment; returns how many events and records. Raises OSError or sqlite3.Error; do it again then."""
    with contextlib.closing(_connect(segment)) as connection:
        in_use = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        if not in_use:
            connection.execute("PRAGMA journal_mode=PERSIST")  # a journal that is removed leaves rows on the disk
        events = _change_events(connection, change)
        records = _change_records(connection, change)
        if events:
            _forget_rules(connection, change)
            compact(connection)
        if events or records:
            _overwrite_free_pages(connection)
        if in_use:
            scrub_write_ahead_log(connection)
    if not in_use:
        erase_file(segment.with_name(segment.name + "-journal"))
    return events, records


def _connect(segment: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{segment.as_uri()}?mode=rw", uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _change_events(connection: sqlite3.Connection, change: Change) -> int:
    found = ((values[0], change.event(event_of(values))) for values in _rows(connection, _EVENTS))
    changed = 0
    for batch in _batches(found):
        with transaction(connection):
            for number, event in batch:
                unindex(connection, number)
                connection.execute(_BLANK, (number,))
                connection.execute(UPDATE, (*row(event), number))
                reindex(connection, number)
        changed += len(batch)
    return changed


def _change_records(connection: sqlite3.Connection, change: Change) -> int:
    stored = (
        (number, FlightRecord(message, time, unpacked(document)))
        for number, time, message, document in _rows(connection, _RECORDS)
    )
    found = ((number, change.record(record)) for number, record in stored)
    changed = 0
    for batch in _batches(found):
        with transaction(connection):
            connection.executemany(_BLANK_RECORD, ((number,) for number, _ in batch))
            connection.executemany(UPDATE_RECORD, ((*record_row(record), number) for number, record in batch))
        changed += len(batch)
    return changed


def _forget_rules(connection: sqlite3.Connection, change: Change) -> None:
    gone = [(name,) for (name,) in connection.execute("SELECT name FROM rule") if change.rule(name)]
    with transaction(connection):
        connection.executemany("DELETE FROM rule WHERE name = ?", gone)


def _rows(connection: sqlite3.Connection, statement: str) -> Iterator[_Row]:
    """All rows, a few in memory, with no transaction open while they are worked on."""
    number = 0
    while rows := connection.execute(statement, (number, _READ_AT_ONCE)).fetchall():
        yield from rows
        number = rows[-1][0]


def _batches(found: Iterator[tuple[int, Changed | None]]) -> Iterator[list[tuple[int, Changed]]]:
    batch: list[tuple[int, Changed]] = []
    for number, changed in found:
        if changed is not None:
            batch.append((number, changed))
        if len(batch) >= _CHANGED_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _overwrite_free_pages(connection: sqlite3.Connection) -> None:
    """Pages that the writer freed still have what was in them: they are used once more, for zeros."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    if pages:
        with transaction(connection):
            connection.execute("CREATE TABLE erasure_free (filler BLOB) STRICT")
            connection.execute("INSERT INTO erasure_free VALUES (zeroblob(?))", (max(pages - 2, 1) * (size - 4),))
            connection.execute("DROP TABLE erasure_free")
