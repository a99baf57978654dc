"""The system event log: what happens to the appliance rather than to a message, who caused it, and from where.

Its records are chained, see `audit_chain`: that one was altered or is missing is found by `ksmg audit verify`.
"""

import contextlib
import enum
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksmg.stores import audit_chain_table as table
from ksmg.stores.audit_chain import START, Finding, Link, Witnesses, examine
from ksmg.stores.erasure import closing_without_trace, scrub_write_ahead_log
from ksmg.stores.segments import transaction
from ksmg.system.account import caller
from ksmg.system.origin import origin
from ksmg.system.syslog import Severity

_SELECTED = "number, digest, time, name, account, origin, detail"


class Name(enum.Enum):
    """The events."""

    FILTER_STARTED = "filter_started"
    """The filter takes messages."""
    FILTER_STOPPED = "filter_stopped"
    """The filter ended in good order."""
    SETTINGS_MISSING = "settings_missing"
    """There is no settings file; safe defaults are in force."""
    ENGINE_DOWN = "engine_down"
    """An engine does not answer; its failure setting applies to every message."""
    ENGINE_UP = "engine_up"
    """An engine answers."""
    SIGNATURES_OUTDATED = "signatures_outdated"
    """The anti-virus engine has no vendor signatures, or old ones."""
    SIGNATURES_UPDATED = "signatures_updated"
    """The anti-virus engine works with another signature set than before."""
    BACKUP_FAILED = "backup_failed"
    """A message could not be copied to Backup; it was refused for now."""
    BACKUP_VIEWED = "backup_viewed"
    """Somebody looked at a message in Backup."""
    BACKUP_RELEASED = "backup_released"
    """Somebody had a message delivered from Backup."""
    BACKUP_DOWNLOADED = "backup_downloaded"
    """Somebody copied a message in Backup to a file."""
    BACKUP_DELETED = "backup_deleted"
    """Somebody deleted messages in Backup."""
    QUARANTINE_VIEWED = "quarantine_viewed"
    """Somebody looked at a message in a quarantine."""
    QUARANTINE_RELEASED = "quarantine_released"
    """Somebody had a message delivered from a quarantine."""
    QUARANTINE_DOWNLOADED = "quarantine_downloaded"
    """Somebody copied a message in a quarantine to a file."""
    QUARANTINE_DELETED = "quarantine_deleted"
    """Somebody deleted messages in a quarantine."""
    RULES_LOADED = "rules_loaded"
    """The filter applies another rule set than before."""
    RULES_WRONG = "rules_wrong"
    """The file of rules cannot be used; the filter goes on with those that it had."""
    NOTIFICATION_FAILED = "notification_failed"
    """Somebody who should be told about a message could not be."""
    HELD_MESSAGE_LOST = "held_message_lost"
    """The quarantine was full, and its oldest message went before somebody decided about it."""
    RULES_CHANGED = "rules_changed"
    """Somebody changed the rules."""
    LISTS_CHANGED = "lists_changed"
    """Somebody changed an allow or deny list."""
    TRACES_CHANGED = "traces_changed"
    """Somebody changed how much is traced of a component, or deleted its trace."""
    TRACES_VIEWED = "traces_viewed"
    """Somebody looked at a trace."""
    TRACE_STOPPED = "trace_stopped"
    """A trace cannot be written; mail goes on, and the trace as soon as it can."""
    DIAGNOSTICS_COLLECTED = "diagnostics_collected"
    """Somebody made an encrypted archive of diagnostic information."""
    DIAGNOSTICS_DELETED = "diagnostics_deleted"
    """Such an archive was overwritten and deleted, by somebody or because its time was over."""
    DUMPS_ENABLED = "dumps_enabled"
    """The superuser switched dumps of crashed components on, on the console. Repeated as long as they are on."""
    DUMPS_DISABLED = "dumps_disabled"
    """Dumps are off again, and those that were made are overwritten and deleted."""
    DUMPS_REFUSED = "dumps_refused"
    """Somebody asked for dumps from elsewhere than the console."""
    SUBJECT_FOUND = "subject_found"
    """Somebody looked for everything about a person; who it is, is not told."""
    SUBJECT_EXPORTED = "subject_exported"
    """Somebody copied everything about a person to an archive."""
    SUBJECT_ERASED = "subject_erased"
    """Somebody erased a person where the policy allows it."""
    STATEMENT_PRINTED = "statement_printed"
    """Somebody had the data-protection statement printed; the detail has the SHA-256 of what it said."""
    EVENTS_LOST = "events_lost"
    """Events could not be stored; they are in the log files only."""
    ACCESS_AUDITED = "access_audited"
    """Access was tried as every account and from inside every service, and compared with the data policy."""
    ACCESS_DIFFERS = "access_differs"
    """Something about the access to personal data is not as the data policy says."""
    CAP_REACHED = "cap_reached"
    """A store or a log file reached its cap, for the first time on that day: the oldest go."""
    SETTINGS_CHANGED = "settings_changed"
    """A setting of the gateway has another value than before."""
    SSH_KEYS_CHANGED = "ssh_keys_changed"
    """Other SSH keys than before open the appliance."""
    MAIL_SERVER_CHANGED = "mail_server_changed"
    """A file of the mail server's configuration is another one than before."""
    CERTIFICATE_CHANGED = "certificate_changed"
    """A certificate or a key was made, replaced or removed."""
    SIGNED_IN = "signed_in"
    """Somebody signed in, over SSH or on the console."""
    SIGN_IN_REFUSED = "sign_in_refused"
    """Sign-ins from one place within a minute were refused."""
    PRIVILEGE_USED = "privilege_used"
    """Somebody ran a program as another account, with sudo or su."""
    PRIVILEGE_REFUSED = "privilege_refused"
    """Somebody was refused another account's rights."""
    ACCESS_REFUSED = "access_refused"
    """Somebody without the right to do so asked for data or for a change."""
    UPDATE_DONE = "update_done"
    """Signatures were downloaded."""
    UPDATE_FAILED = "update_failed"
    """Signatures could not be downloaded; repeated once a day while it lasts."""
    RETENTION_AUDITED = "retention_audited"
    """What is kept was compared with its caps."""
    RETENTION_DIFFERS = "retention_differs"
    """More is kept of something, or for longer, than the data policy says."""
    TRAIL_VERIFIED = "trail_verified"
    """The records of this log were compared with their digests and with the signed checkpoints."""
    TRAIL_ALTERED = "trail_altered"
    """A record of this log was altered or is missing."""
    UNREADABLE = "unreadable"
    """A record that was altered so that it cannot be read any more; nobody raises it."""
    EVENTS_DAMAGED = "events_damaged"
    """A part of the message event log is damaged and was set aside; its events cannot be searched."""

    @property
    def severity(self) -> Severity:
        """How grave it is; warnings and worse also go to the log of important events."""
        return _SEVERITY.get(self, Severity.NOTICE)


_SEVERITY = {
    Name.ENGINE_DOWN: Severity.ERROR,
    Name.BACKUP_FAILED: Severity.ERROR,
    Name.EVENTS_LOST: Severity.ERROR,
    Name.RULES_WRONG: Severity.ERROR,
    Name.HELD_MESSAGE_LOST: Severity.ERROR,
    Name.EVENTS_DAMAGED: Severity.ERROR,
    Name.SIGNATURES_OUTDATED: Severity.WARNING,
    Name.ACCESS_DIFFERS: Severity.ERROR,
    Name.TRACE_STOPPED: Severity.WARNING,
    Name.DIAGNOSTICS_COLLECTED: Severity.WARNING,
    Name.DUMPS_ENABLED: Severity.WARNING,
    Name.DUMPS_REFUSED: Severity.WARNING,
    Name.SETTINGS_MISSING: Severity.WARNING,
    Name.SIGN_IN_REFUSED: Severity.WARNING,
    Name.PRIVILEGE_REFUSED: Severity.WARNING,
    Name.ACCESS_REFUSED: Severity.WARNING,
    Name.SSH_KEYS_CHANGED: Severity.WARNING,
    Name.UPDATE_FAILED: Severity.WARNING,
    Name.RETENTION_DIFFERS: Severity.ERROR,
    Name.TRAIL_ALTERED: Severity.ERROR,
}


@dataclass(frozen=True)
class SystemEvent:
    """One event. `account` is who caused it; the one that a component runs as when it was nobody else.

    `origin` is where they were: the address that they signed in from, their terminal, or the unit that did it.
    """

    name: Name
    detail: Mapping[str, Any] = field(default_factory=dict)
    account: str = field(default_factory=caller)
    time: float = field(default_factory=time.time)
    origin: str = field(default_factory=origin)


@dataclass(frozen=True)
class StoredEvent:
    """An event and its place in the chain."""

    link: Link
    event: SystemEvent


@dataclass(frozen=True)
class Sought:
    """Which events are looked for; what is empty does not matter. Texts are contained, without regard to case."""

    names: tuple[Name, ...] = ()
    account: str = ""
    origin: str = ""
    text: str = ""
    since: float = 0.0
    until: float | None = None
    before: int | None = None
    """Numbers below this one: where an earlier page ended."""


class SystemEventLog:
    """The log: 100,000 records unless set otherwise, the oldest first. Several processes may write to it.

    `announce` hears the number and the digest of the newest record after each transaction.
    """

    def __init__(self, directory: Path, records: int, announce: Callable[[Link], None] | None = None) -> None:
        self._file = directory / "events.sqlite"
        self._records = records
        self._announce = announce

    def add(self, event: SystemEvent) -> None:
        """Stores an event. Raises sqlite3.Error."""
        self.add_all([event])

    def add_all(self, events: Iterable[SystemEvent], known: Mapping[str, str] | None = None) -> None:
        """Stores events in one transaction, durably, and what a watcher knows now. Raises sqlite3.Error."""
        rows = [
            # a whole number of seconds would come back as a float, and have another digest
            (float(e.time), e.name.value, e.account, e.origin, json.dumps(e.detail, ensure_ascii=False))
            for e in events
        ]
        with closing_without_trace(self._open()) as connection:
            with transaction(connection):
                link = table.append(connection, rows)
                table.remember(connection, known or {})
                evicted = table.evict(connection, self._records)
            if evicted:
                _forget(connection)
        if rows and self._announce:
            self._announce(link)

    def recall(self, name: str) -> str | None:
        """What a watcher knew last. Raises sqlite3.Error."""
        with self._reading() as connection:
            return table.recall(connection, name) if connection else None

    def newest(self, limit: int = 100, since: float = 0.0) -> list[SystemEvent]:
        """The newest events, newest first."""
        return [found.event for found in self.search(Sought(since=since), limit)]

    def search(self, sought: Sought, limit: int = 100) -> list[StoredEvent]:
        """Events that match, newest first."""
        conditions, values = _conditions(sought)
        statement = f"SELECT {_SELECTED} FROM event WHERE {conditions} ORDER BY number DESC LIMIT ?"
        with self._reading() as connection:
            rows = connection.execute(statement, (*values, limit)).fetchall() if connection else []
        return [_stored(row) for row in rows]

    def count(self) -> int:
        """Records that are kept."""
        return int(self._value("SELECT count(*) FROM event") or 0)

    def oldest(self) -> float | None:
        """The time of the oldest record; None when there is none."""
        found = self._value("SELECT min(time) FROM event")
        return None if found is None else float(found)

    def end(self) -> Link | None:
        """The newest record's place, safe from a power cut; None when there is none. Raises sqlite3.Error."""
        with self._reading() as connection:
            return table.end(connection) if connection else None

    def examine(self, checkpoints: Sequence[Link]) -> list[Finding]:
        """What is wrong with the records, in themselves and beside signed checkpoints. Raises sqlite3.Error."""
        with self._reading() as connection:
            if connection is None:
                return list(examine([], Witnesses(START, None, tuple(checkpoints))))
            connection.execute("BEGIN")
            witnesses = Witnesses(table.anchor(connection), table.end(connection), tuple(checkpoints))
            return list(examine(table.records(connection), witnesses))

    def _value(self, statement: str) -> Any:
        with self._reading() as connection:
            return connection.execute(statement).fetchone()[0] if connection else None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """The database; None when there is none yet."""
        if not self._file.exists():
            yield None
            return
        with closing_without_trace(self._open()) as connection:
            yield connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=5, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
        table.prepare(connection)
        return connection


def _forget(connection: sqlite3.Connection) -> None:
    """Overwrites what was evicted in the write-ahead log."""
    with contextlib.suppress(sqlite3.OperationalError):  # others use it: the next eviction does it
        scrub_write_ahead_log(connection)


def _conditions(sought: Sought) -> tuple[str, list[Any]]:
    """SQL's condition and its values."""
    chosen: list[tuple[str, Any]] = [("time >= ?", sought.since)]
    if sought.until is not None:
        chosen.append(("time < ?", sought.until))
    if sought.before is not None:
        chosen.append(("number < ?", sought.before))
    for column in ("account", "origin", "text"):
        if value := getattr(sought, column):
            chosen.append((f"instr(lower({'detail' if column == 'text' else column}), ?)", value.lower()))
    if sought.names:
        marks = ",".join("?" * len(sought.names))
        chosen.append((f"name IN ({marks})", [name.value for name in sought.names]))
    values = [each for _, value in chosen for each in (value if isinstance(value, list) else [value])]
    return " AND ".join(condition for condition, _ in chosen), values


def _stored(row: tuple[Any, ...]) -> StoredEvent:
    number, digest, when, name, account, place, detail = row
    try:
        event = SystemEvent(Name(name), json.loads(detail), account, when, place)
    except ValueError:
        event = SystemEvent(Name.UNREADABLE, {"name": name, "text": detail}, account, when, place)
    return StoredEvent(Link(number, digest), event)
