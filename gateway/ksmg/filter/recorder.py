"""Writes events to the stores and to syslog, in one thread of its own, so that no disk ever holds up mail."""

import dataclasses
import functools
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_events import MessageEvent, MessageEventLog
from ksmg.stores.system_events import Name, SystemEvent, SystemEventLog
from ksmg.system.syslog import Severity, Syslog, line

_log = logging.getLogger(__name__)
_BATCH_SECONDS = 0.02
_LARGEST_BATCH = 1000
_MOST_WAITING = 100_000
_MOST_LISTED = 50

Event = MessageEvent | FlightRecord | SystemEvent


class Recorder:
    """Takes events from any thread.

    Each becomes a line in the logs and a record in its store, in batches of about 20 ms.
    """

    def __init__(self, messages: MessageEventLog, system: SystemEventLog, syslog: Syslog) -> None:
        self._messages = messages
        self._system = system
        self._syslog = syslog
        self._waiting: queue.Queue[Event | None] = queue.Queue(_MOST_WAITING)
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="recorder")

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when every event is written."""
        self._waiting.put(None)
        self._thread.join()

    def message(self, events: Sequence[MessageEvent], record: FlightRecord) -> None:
        """Hands over what happened to one message; never waits."""
        for event in events:
            self.record(event)
        self.record(record)

    def record(self, event: Event) -> None:
        """Hands an event over; never waits. One that finds no room is written to syslog at once and counted as lost."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lost += 1
            self._send(event)

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._batch()
            for event in batch:
                self._send(event)
            self._store(batch)
        self._messages.close()

    def _batch(self) -> tuple[list[Event], bool]:
        """The events of one batch, and whether more may follow."""
        batch: list[Event] = []
        deadline: float | None = None
        while len(batch) < _LARGEST_BATCH:
            try:
                event = self._waiting.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if event is None:
                return batch, False
            batch.append(event)
            deadline = deadline or time.monotonic() + _BATCH_SECONDS
        return batch, True

    def _store(self, batch: list[Event]) -> None:
        messages = [event for event in batch if not isinstance(event, SystemEvent)]
        if messages:
            count = sum(isinstance(event, MessageEvent) for event in messages)
            self._attempt(functools.partial(self._messages.add, messages), count)
        for event in batch:
            if isinstance(event, SystemEvent):
                self._attempt(functools.partial(self._system.add, event), 1)
        if self._lost:
            self._report_lost()

    def _attempt(self, store: Callable[[], None], count: int) -> None:
        try:
            store()
        except (OSError, sqlite3.Error) as error:
            self._lost += count
            _log.error("%d events cannot be stored, they are in the log files only: %s", count, error)

    def _report_lost(self) -> None:
        lost = SystemEvent(Name.EVENTS_LOST, {"count": self._lost})
        try:
            self._system.add(lost)
        except (OSError, sqlite3.Error):
            return  # the count stays, and is reported when the store works again
        self._lost = 0
        self._send(lost)

    def _send(self, event: Event) -> None:
        if isinstance(event, MessageEvent):
            self._syslog.send(message_severity(event), message_line(event))
        elif isinstance(event, SystemEvent):
            self._syslog.send(event.name.severity, system_line(event))


def message_severity(event: MessageEvent) -> Severity:
    """Warning for malware and for every message that was not scanned, notice for spam."""
    statuses = {verdict["status"] for verdict in event.verdicts}
    if statuses & {"infected", "unscanned"} or event.action in ("reject", "tempfail"):
        return Severity.WARNING
    return Severity.NOTICE if "spam" in statuses else Severity.INFORMATION


def message_line(event: MessageEvent) -> str:
    """The event as one log line; long lists are cut, the store has them whole."""
    fields = dataclasses.asdict(event)
    for name in ("recipients", "attachments"):
        listed = list(fields[name])
        fields[name] = (
            [*listed[:_MOST_LISTED], f"and {len(listed) - _MOST_LISTED} more"] if len(listed) > _MOST_LISTED else listed
        )
    verdicts = fields.pop("verdicts")
    return line(
        [("event", "message"), *fields.items(), *((verdict["check"], _short(verdict)) for verdict in verdicts)],
    )


def _short(verdict: Mapping[str, Any]) -> str:
    found = [verdict["status"], *([verdict["detail"]] if "detail" in verdict else []), *verdict.get("evidence", [])]
    return " ".join(found)


def system_line(event: SystemEvent) -> str:
    """The event as one log line."""
    return line([("event", event.name.value), ("account", event.account), *event.detail.items()])
