"""The message processing event log: one event for every message that was judged, whatever the outcome."""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksmg.stores.flight_record import FlightRecord, packed, unpacked
from ksmg.stores.segments import SegmentedLog

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    id TEXT PRIMARY KEY, time REAL NOT NULL, node TEXT NOT NULL, queue_id TEXT NOT NULL, message_id TEXT NOT NULL,
    client_ip TEXT NOT NULL, client_name TEXT NOT NULL, helo TEXT NOT NULL, account TEXT NOT NULL, sender TEXT NOT NULL,
    recipients TEXT NOT NULL, subject TEXT NOT NULL, size INTEGER NOT NULL, attachments TEXT NOT NULL,
    rule TEXT NOT NULL, verdicts TEXT NOT NULL, action TEXT NOT NULL, reply TEXT NOT NULL, backup_id TEXT NOT NULL,
    milliseconds REAL NOT NULL, message TEXT NOT NULL, direction TEXT NOT NULL, changed INTEGER NOT NULL,
    marks TEXT NOT NULL, quarantine_id TEXT NOT NULL, unscanned TEXT NOT NULL, own_milliseconds REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_time ON event (time);
CREATE INDEX IF NOT EXISTS event_queue_id ON event (queue_id);
CREATE TABLE IF NOT EXISTS record (message TEXT PRIMARY KEY, time REAL NOT NULL, document BLOB NOT NULL) STRICT;
"""
_COLUMNS = (
    "id", "time", "node", "queue_id", "message_id", "client_ip", "client_name", "helo", "account", "sender",
    "recipients", "subject", "size", "attachments", "rule", "verdicts", "action", "reply", "backup_id", "milliseconds",
    "message", "direction", "changed", "marks", "quarantine_id", "unscanned", "own_milliseconds",
)  # fmt: skip
_LISTS = ("recipients", "attachments", "verdicts", "marks")
_INSERT = f"INSERT INTO event ({','.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})"
_RECORD_OF = """
SELECT message, time, document FROM record WHERE message = ? OR message IN (
    SELECT iif(message = '', id, message) FROM event WHERE id = ? OR queue_id = ?
) ORDER BY rowid DESC LIMIT 1
"""
_RECORDS_SINCE = "SELECT message, time, document FROM record WHERE time >= ? ORDER BY rowid"


@dataclass(frozen=True)
class MessageEvent:
    """What happened to one message, for those of its recipients that fall under one rule.

    Times in seconds since 1970, text made readable, lists in the order of the message.
    """

    id: str
    time: float
    node: str
    queue_id: str
    message_id: str
    client_ip: str
    client_name: str
    helo: str
    account: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    size: int
    attachments: tuple[str, ...]
    rule: str
    verdicts: tuple[Mapping[str, Any], ...]
    action: str
    reply: str
    backup_id: str
    milliseconds: float
    """From the end of the message to its answer."""
    message: str = ""
    """The same for all events of one message: the id of the first of them. Empty: this is the only one."""
    direction: str = ""
    """A value of `mail.facts.Direction`, or `mixed`."""
    changed: bool = False
    """Whether these recipients get the message other than it came."""
    marks: tuple[str, ...] = ()
    """What else was done, for people: `tagged`, `attachment removed: x.exe`."""
    quarantine_id: str = ""
    unscanned: str = ""
    """Why the message, or a part of it, was not scanned; empty when all of it was."""
    own_milliseconds: float = 0.0
    """`milliseconds` without the engines' time."""


class MessageEventLog:
    """The log: 3 days and 1 GB unless set otherwise, the oldest first."""

    def __init__(self, directory: Path, days: int, cap: int) -> None:
        self._log = SegmentedLog(directory, _SCHEMA, days, cap)

    def add(self, batch: Iterable[MessageEvent | FlightRecord]) -> None:
        """Stores events and flight records in one transaction. Raises OSError or sqlite3.Error."""
        events, records = [], []
        for one in batch:
            if isinstance(one, MessageEvent):
                events.append(_row(one))
            else:
                records.append((one.message, one.time, packed(one.document)))
        connection = self._log.writable()
        with _transaction(connection):
            connection.executemany(_INSERT, events)
            connection.executemany("INSERT OR REPLACE INTO record VALUES (?,?,?)", records)

    def record(self, name: str) -> FlightRecord | None:
        """The flight record of the message with this id, event id or queue id; the newest when there are several."""
        for segment in reversed(self._log.segments()):
            with contextlib.closing(self._log.reading(segment)) as connection:
                row = connection.execute(_RECORD_OF, (name, name, name)).fetchone()
            if row:
                return FlightRecord(row[0], row[1], unpacked(row[2]))
        return None

    def records(self, since: float = 0.0) -> Iterator[FlightRecord]:
        """The flight records since a moment, oldest first, one at a time."""
        for segment in self._log.segments():
            with contextlib.closing(self._log.reading(segment)) as connection:
                for message, when, document in connection.execute(_RECORDS_SINCE, (since,)):
                    yield FlightRecord(message, when, unpacked(document))

    def search(self, since: float = 0.0, queue_id: str = "", limit: int = 100) -> list[MessageEvent]:
        """The newest events that match, newest first."""
        found: list[MessageEvent] = []
        where = "time >= ? AND queue_id = ?" if queue_id else "time >= ?"
        values = (since, queue_id) if queue_id else (since,)
        for segment in reversed(self._log.segments()):
            statement = f"SELECT {','.join(_COLUMNS)} FROM event WHERE {where} ORDER BY time DESC LIMIT ?"
            with contextlib.closing(self._log.reading(segment)) as connection:
                found += map(_event, connection.execute(statement, (*values, limit - len(found))))
            if len(found) >= limit:
                break
        return found

    def size(self) -> int:
        """Bytes on disk."""
        return self._log.size()

    def close(self) -> None:
        """Closes the segment being written."""
        self._log.close()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _row(event: MessageEvent) -> list[object]:
    values = ((name, getattr(event, name)) for name in _COLUMNS)
    return [json.dumps(value, ensure_ascii=False) if name in _LISTS else value for name, value in values]


def _event(row: tuple[Any, ...]) -> MessageEvent:
    values = dict(zip(_COLUMNS, row, strict=True))
    lists = {name: tuple(json.loads(values[name])) for name in _LISTS}
    return MessageEvent(**{**values, **lists, "changed": bool(values["changed"])})
