"""The message processing event log: one event for every message that was judged, whatever the outcome."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksmg.stores import event_search_index, message_event_rows
from ksmg.stores.event_search import Criteria
from ksmg.stores.event_search_index import find, index_chunk, named, record_of, waiting
from ksmg.stores.event_search_terms import Rarity
from ksmg.stores.flight_record import FlightRecord, unpacked
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_event_rows import INSERT, INSERT_RECORD, SELECTED, event_of, record_row, row
from ksmg.stores.segments import SegmentedLog, damaged, transaction

__all__ = ["Criteria", "FlightRecord", "MessageEvent", "MessageEventLog", "Page"]
_EVERYTHING = Criteria()
_CHUNK = 2000
"""Events that are indexed at once: about 50 ms."""
_READ_AT_ONCE = 500
_RECORDS_AFTER = """
SELECT number, time, message, document FROM record WHERE number > ? AND time >= ? ORDER BY number LIMIT ?
"""
_EVENTS_AFTER = f"SELECT {SELECTED} FROM event WHERE number > ? ORDER BY number LIMIT ?"
_FIRST_TIME = "SELECT min(time) FROM (SELECT time FROM event ORDER BY number LIMIT 1)"
_Row = tuple[Any, ...]


@dataclass(frozen=True)
class Page:
    """Some events, newest first.

    `before` is where the next page begins, empty when there is none. `unreadable` names the segments that could not be
    read, so that events may be missing.
    """

    events: tuple[MessageEvent, ...]
    before: str = ""
    unreadable: tuple[str, ...] = ()


class MessageEventLog:
    """The log: 3 days and 1 GB unless set otherwise, the oldest first. One thread writes, others may read.

    A place in it is a segment and a number, as text. `report` hears of segments that are damaged.
    """

    def __init__(self, directory: Path, days: int, cap: int, report: Callable[[str, str], None] | None = None) -> None:
        schema = message_event_rows.SCHEMA + event_search_index.SCHEMA
        self._segments = SegmentedLog(directory, schema, days, cap, _finish, report)

    def report_to(self, report: Callable[[str, str], None]) -> None:
        """Tells of segments that are damaged: a segment's name and what was wrong."""
        self._segments.report = report

    def add(self, batch: Iterable[MessageEvent | FlightRecord]) -> str:
        """Stores events and flight records in one transaction, and returns the place of the last event.

        Raises OSError or sqlite3.Error.
        """
        events, records = [], []
        for one in batch:
            if isinstance(one, MessageEvent):
                events.append(row(one))
            else:
                records.append(record_row(one))
        try:
            return self._insert(events, records)
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise
            self._segments.set_aside_active(error)
        return self._insert(events, records)

    def index(self, least: int = 1) -> int:
        """Makes some of the newest events quick to find, and returns how many: none when fewer than `least` wait.

        Raises OSError or sqlite3.Error.
        """
        active = self._segments.active
        try:
            return index_chunk(active[1], _CHUNK, least) if active else 0
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise
            self._segments.set_aside_active(error)
        return 0

    def unindexed(self) -> int:
        """How many events of the newest segment wait to be indexed."""
        for segment in self._segments.segments()[-1:]:
            with self._reading(segment, []) as connection:
                return waiting(connection) if connection else 0
        return 0

    def page(self, criteria: Criteria = _EVERYTHING, limit: int = 100, before: str = "") -> Page:
        """The newest events that match, those before the place that an earlier page gave."""
        found: list[MessageEvent] = []
        unreadable: list[str] = []
        rarity = Rarity()
        for segment, below in self._from(before):
            with self._reading(segment, unreadable) as connection:
                for number, event in find(connection, criteria, below, rarity) if connection else ():
                    found.append(event)
                    if len(found) == limit:
                        return Page(tuple(found), _place(segment, number), tuple(unreadable))
        return Page(tuple(found), "", tuple(unreadable))

    def search(self, criteria: Criteria = _EVERYTHING, limit: int = 100) -> list[MessageEvent]:
        """The newest events that match, newest first."""
        return list(self.page(criteria, limit).events)

    def after(self, place: str) -> Iterator[tuple[str, MessageEvent]]:
        """The events that were stored after a place, oldest first, with theirs. A place that is gone: all events."""
        for segment, number in self._onwards(place):
            for values in self._stream(segment, _EVENTS_AFTER, number):
                yield _place(segment, values[0]), event_of(values)

    def end(self) -> str:
        """The place of the last event; empty when there is none."""
        for segment in reversed(self._segments.segments()):
            with self._reading(segment, []) as connection:
                number = _last(connection) if connection else 0
            if number:
                return _place(segment, number)
        return ""

    def record(self, name: str) -> FlightRecord | None:
        """The flight record of the message with this id, event id or queue id; the newest when there are several."""
        for segment in reversed(self._segments.segments()):
            with self._reading(segment, []) as connection:
                found = _record(connection, name) if connection else None
            if found:
                return found
        return None

    def records(self, since: float = 0.0) -> Iterator[FlightRecord]:
        """The flight records since a moment, oldest first, a few in memory at a time."""
        for segment in self._segments.segments():
            for _, time, message, document in self._stream(segment, _RECORDS_AFTER, 0, since):
                yield FlightRecord(message, time, unpacked(document))

    def segments(self) -> list[Path]:
        """The segments' files, oldest first."""
        return self._segments.segments()

    def expire(self, now: float) -> None:
        """Deletes what is older than the days. Raises OSError or sqlite3.Error."""
        self._segments.expire(now)

    def finish_erasing(self) -> None:
        """Returns when what was evicted is erased, after some seconds at most."""
        self._segments.finish_erasing()

    def size(self) -> int:
        """Bytes on disk."""
        return self._segments.size()

    def extent(self) -> tuple[int, float | None]:
        """How many events there are, those of segments that cannot be read left out, and the time of the oldest."""
        events, oldest = 0, None
        for segment in self._segments.segments():
            with self._reading(segment, []) as connection:
                if connection:
                    events += _last(connection)
                    oldest = oldest or connection.execute(_FIRST_TIME).fetchone()[0]
        return events, oldest

    def close(self) -> None:
        """Closes the segment being written."""
        self._segments.close()

    def _insert(self, events: Sequence[_Row], records: Sequence[_Row]) -> str:
        connection = self._segments.writable()
        with transaction(connection):
            connection.executemany(INSERT_RECORD, records)
            connection.executemany(INSERT, events)
        active = self._segments.active
        return _place(active[0], _last(connection)) if events and active else ""

    def _from(self, before: str) -> Iterator[tuple[Path, int | None]]:
        """The segments from a place backwards, and the number below which events are wanted in each."""
        name, _, number = before.partition("/")
        for segment in reversed(self._segments.segments()):
            if not name or segment.stem < name:
                yield segment, None
            elif segment.stem == name:
                yield segment, int(number)

    def _onwards(self, place: str) -> Iterator[tuple[Path, int]]:
        name, _, number = place.partition("/")
        for segment in self._segments.segments():
            if segment.stem >= name:
                yield segment, int(number) if segment.stem == name else 0

    @contextlib.contextmanager
    def _reading(self, segment: Path, unreadable: list[str]) -> Iterator[sqlite3.Connection | None]:
        """A connection to read a segment; None when it is gone. One that cannot be read is told and left out."""
        try:
            connection = self._segments.reading(segment)
        except sqlite3.Error as error:
            self._left_out(segment, error, unreadable)
            yield None
            return
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            self._left_out(segment, error, unreadable)
        finally:
            connection.close()

    def _left_out(self, segment: Path, error: sqlite3.Error, unreadable: list[str]) -> None:
        if segment.exists():  # else it was evicted meanwhile
            unreadable.append(segment.name)
            self._segments.unreadable(segment, error)

    def _stream(self, segment: Path, statement: str, number: int, *values: object) -> Iterator[_Row]:
        """The rows after a number, read in parts, so that nobody waits for whoever takes them."""
        while True:
            rows: list[_Row] = []
            with self._reading(segment, []) as connection:
                if connection:
                    rows = connection.execute(statement, (number, *values, _READ_AT_ONCE)).fetchall()
            if not rows:
                return
            yield from rows
            number = rows[-1][0]


def _place(segment: Path, number: int) -> str:
    return f"{segment.stem}/{number}"


def _last(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()
    return int(number)


def _finish(connection: sqlite3.Connection) -> None:
    """Indexes the rest of a segment that will not grow any more."""
    while index_chunk(connection, _CHUNK):
        pass


def _record(connection: sqlite3.Connection, name: str) -> FlightRecord | None:
    found = record_of(connection, name)
    for number in sorted(named(connection, [name]), reverse=True):
        event = event_of(connection.execute(f"SELECT {SELECTED} FROM event WHERE number = ?", (number,)).fetchone())
        if found is None and name in (event.id, event.queue_id):
            found = record_of(connection, event.message or event.id)
    return found
