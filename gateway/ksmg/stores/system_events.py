"""The system event log: what happens to the appliance rather than to a message, and who caused it."""

import contextlib
import enum
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksmg.stores.segments import transaction
from ksmg.system.account import caller
from ksmg.system.syslog import Severity

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, name TEXT NOT NULL, account TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_time ON event (time);
"""


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
    DIAGNOSTICS_REFUSED = "diagnostics_refused"
    """Somebody without the permission asked for diagnostic information."""
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
    SUBJECT_FOUND = "subject_found"
    """Somebody looked for everything about a person; who it is, is not told."""
    SUBJECT_EXPORTED = "subject_exported"
    """Somebody copied everything about a person to an archive."""
    SUBJECT_ERASED = "subject_erased"
    """Somebody erased a person where the policy allows it."""
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
    Name.DIAGNOSTICS_REFUSED: Severity.WARNING,
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
    """One event. `account` is who caused it; the one that a component runs as when it was nobody else."""

    name: Name
    detail: Mapping[str, Any] = field(default_factory=dict)
    account: str = field(default_factory=caller)
    time: float = field(default_factory=time.time)


class SystemEventLog:
    """The log: 100,000 records unless set otherwise, the oldest first. Several processes may write to it."""

    def __init__(self, directory: Path, records: int) -> None:
        self._file = directory / "events.sqlite"
        self._records = records

    def add(self, event: SystemEvent) -> None:
        """Stores an event. Raises sqlite3.Error."""
        self.add_all([event])

    def add_all(self, events: Iterable[SystemEvent]) -> None:
        """Stores events in one transaction. Raises sqlite3.Error."""
        rows = [(e.time, e.name.value, e.account, json.dumps(e.detail, ensure_ascii=False)) for e in events]
        with contextlib.closing(self._open()) as connection, transaction(connection):
            connection.executemany("INSERT INTO event (time, name, account, detail) VALUES (?,?,?,?)", rows)
            connection.execute(
                "DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?", (self._records,)
            )

    def newest(self, limit: int = 100, since: float = 0.0) -> list[SystemEvent]:
        """The newest events, newest first."""
        if not self._file.exists():
            return []
        statement = "SELECT name, account, detail, time FROM event WHERE time >= ? ORDER BY number DESC LIMIT ?"
        with contextlib.closing(self._open()) as connection:
            rows = connection.execute(statement, (since, limit)).fetchall()
        return [SystemEvent(Name(name), json.loads(detail), account, when) for name, account, detail, when in rows]

    def count(self) -> int:
        """Records that are kept."""
        if not self._file.exists():
            return 0
        with contextlib.closing(self._open()) as connection:
            return int(connection.execute("SELECT count(*) FROM event").fetchone()[0])

    def oldest(self) -> float | None:
        """The time of the oldest record; None when there is none."""
        if not self._file.exists():
            return None
        with contextlib.closing(self._open()) as connection:
            found = connection.execute("SELECT min(time) FROM event").fetchone()[0]
        return None if found is None else float(found)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=5, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")
        connection.executescript(_SCHEMA)
        return connection
