"""The message processing event log: one event for every message that was judged, whatever the outcome."""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksmg.stores.segments import SegmentedLog

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    id TEXT PRIMARY KEY, time REAL NOT NULL, node TEXT NOT NULL, queue_id TEXT NOT NULL, message_id TEXT NOT NULL,
    client_ip TEXT NOT NULL, client_name TEXT NOT NULL, helo TEXT NOT NULL, account TEXT NOT NULL, sender TEXT NOT NULL,
    recipients TEXT NOT NULL, subject TEXT NOT NULL, size INTEGER NOT NULL, attachments TEXT NOT NULL,
    rule TEXT NOT NULL, verdicts TEXT NOT NULL, action TEXT NOT NULL, reply TEXT NOT NULL, backup_id TEXT NOT NULL,
    milliseconds REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_time ON event (time);
CREATE INDEX IF NOT EXISTS event_queue_id ON event (queue_id);
"""
_COLUMNS = (
    "id", "time", "node", "queue_id", "message_id", "client_ip", "client_name", "helo", "account", "sender",
    "recipients", "subject", "size", "attachments", "rule", "verdicts", "action", "reply", "backup_id", "milliseconds",
)  # fmt: skip
_LISTS = ("recipients", "attachments", "verdicts")
_INSERT = f"INSERT INTO event ({','.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})"


@dataclass(frozen=True)
class MessageEvent:
    """What happened to one message.

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


class MessageEventLog:
    """The log: 3 days and 1 GB unless set otherwise, the oldest first."""

    def __init__(self, directory: Path, days: int, cap: int) -> None:
        self._log = SegmentedLog(directory, _SCHEMA, days, cap)

    def add(self, events: Iterable[MessageEvent]) -> None:
        """Stores events in one transaction. Raises OSError or sqlite3.Error."""
        connection = self._log.writable()
        with _transaction(connection):
            connection.executemany(_INSERT, map(_row, events))

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
    return MessageEvent(**{**values, **{name: tuple(json.loads(values[name])) for name in _LISTS}})
