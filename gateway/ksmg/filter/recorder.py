"""Writes events to the stores and to syslog, in one thread of its own, so that no disk ever holds up mail."""

import functools
import logging
import operator
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_events import MessageEvent, MessageEventLog
from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import Name, SystemEvent, SystemEventLog
from ksmg.system.syslog import Severity, Syslog, line

_log = logging.getLogger(__name__)
_BATCH_SECONDS, _LONG_BATCH_SECONDS = 0.02, 0.1
"""How long a batch is collected: longer while there is much, because a transaction costs as much as five events."""
_LARGEST_BATCH = 1000
_MOST_WAITING = 100_000
_MOST_LISTED = 50
_INDEXED_AT_ONCE, _MOST_UNINDEXED = 2_000, 10_000
"""Events that are indexed as soon as there is little to do, and at the latest. A search looks through them one by one,
which takes it two milliseconds for a thousand."""
_LITTLE = 2
"""Messages in a batch, about 100 a second, beside which there is time for other things."""
_SAVE_SECONDS, _EXPIRE_SECONDS = 10.0, 600.0

Event = MessageEvent | FlightRecord | SystemEvent


class Recorder:
    """Takes events and flight records from any thread.

    Each event becomes a line in the logs and a record in its store, in batches of about 20 ms, and a number in the
    statistics.
    """

    def __init__(
        self, messages: MessageEventLog, system: SystemEventLog, syslog: Syslog, statistics: Statistics | None = None
    ) -> None:
        self._messages = messages
        self._system = system
        self._syslog = syslog
        self._statistics = statistics
        self._waiting: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._lost = 0
        self._much = False
        """Whether the last batch was of much mail."""
        self._unindexed = 0
        self._place = ""
        """Where the last batch ended; empty when it could not be stored."""
        self._uncounted = ""
        """The place of the last event that is counted but not yet written to the statistics; empty: there is none."""
        self._saved = self._expired = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="recorder")
        messages.report_to(self._damaged)

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
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put(event)
        else:
            self._lost += 1
            self._send(event)

    def _run(self) -> None:
        self._attempt(self._catch_up, 0)
        self._expire()  # the machine may have been off for days
        running = True
        while running:
            batch, running = self._batch()
            self._much = len(batch) > 2 * _LITTLE
            self.write(batch)
            self.rest()
        self._attempt(self._save, 0)
        self._attempt(self._messages.close, 0)

    def _batch(self) -> tuple[list[Event], bool]:
        """The events of one batch, and whether more may follow. None when there is something else to do meanwhile."""
        try:
            event = self._waiting.get(timeout=_SAVE_SECONDS if self._uncounted else _EXPIRE_SECONDS)
        except queue.Empty:
            return [], True
        time.sleep(_LONG_BATCH_SECONDS if self._much else _BATCH_SECONDS)  # not woken by each event meanwhile
        batch: list[Event] = []
        while event is not None:
            batch.append(event)
            if len(batch) >= _LARGEST_BATCH or self._waiting.empty():
                return batch, True
            event = self._waiting.get()
        return batch, False

    def write(self, batch: Sequence[Event]) -> None:
        """Writes log lines and records of a batch."""
        for event in batch:
            self._send(event)
        messages = [event for event in batch if isinstance(event, MessageEvent)]
        system = [event for event in batch if isinstance(event, SystemEvent)]
        if len(system) < len(batch):
            kept = [event for event in batch if not isinstance(event, SystemEvent)]
            self._attempt(functools.partial(self._store, kept, messages), len(messages))
            self._attempt(functools.partial(self._count, messages), 0)
        if system:
            self._attempt(functools.partial(self._system.add_all, system), len(system))
        if self._lost:
            self._report_lost()

    def rest(self) -> None:
        """Does what need not be done with each batch: indexing for the search, writing statistics, deleting by age."""
        now = time.monotonic()
        if self._unindexed >= (_MOST_UNINDEXED if self._much else _INDEXED_AT_ONCE):
            self._attempt(self._index, 0)
        if self._uncounted and now - self._saved > _SAVE_SECONDS:
            self._attempt(self._save, 0)
        if now - self._expired > _EXPIRE_SECONDS:
            self._expire()

    def _expire(self) -> None:
        self._expired = time.monotonic()
        self._attempt(functools.partial(self._messages.expire, time.time()), 0)

    def _store(self, batch: Sequence[MessageEvent | FlightRecord], events: Sequence[MessageEvent]) -> None:
        self._place = ""
        self._place = self._messages.add(batch)
        self._unindexed += len(events)

    def _count(self, events: Sequence[MessageEvent]) -> None:
        """Counts events, as far as they are stored."""
        if self._statistics is not None and self._place:
            self._statistics.add(events)
            self._uncounted = self._place

    def _index(self) -> None:
        self._unindexed -= self._messages.index() or self._unindexed

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._statistics is not None and self._uncounted:
            if not self._statistics.save(self._uncounted):  # a person was erased, from the events too
                self._statistics.start_again()
                self._recount(self._statistics)
                self._statistics.save(self._uncounted)
            self._uncounted = ""

    def _catch_up(self) -> None:
        """Does what was left to do when the last run ended: events may be stored, but not yet counted or indexed."""
        self._unindexed = self._messages.unindexed()
        if self._statistics is None:
            return
        self._statistics.start_again()
        self._recount(self._statistics)
        self._uncounted = self._uncounted or self._messages.end()
        self._save()

    def _recount(self, statistics: Statistics) -> None:
        """Counts the events that are stored and not in the written statistics."""
        for place, event in self._messages.after(statistics.place()):
            statistics.add([event])
            self._uncounted = place

    def _attempt(self, store: Callable[[], None], count: int) -> None:
        """Does something that may fail; `count` events are lost if it does."""
        try:
            store()
        except (OSError, sqlite3.Error) as error:
            self._lost += count
            _log.error("events cannot be written (%d of them are in the log files only): %s", count, error)
        except Exception:  # a defect in one event must not end the thread that all of them go through
            self._lost += count
            _log.exception("events cannot be written (%d of them are in the log files only)", count)

    def _report_lost(self) -> None:
        lost = SystemEvent(Name.EVENTS_LOST, {"count": self._lost})
        try:
            self._system.add(lost)
        except (OSError, sqlite3.Error):
            return  # the count stays, and is reported when the store works again
        self._lost = 0
        self._send(lost)

    def _damaged(self, segment: str, error: str) -> None:
        self.record(SystemEvent(Name.EVENTS_DAMAGED, {"segment": segment, "cause": error}))

    def _send(self, event: Event) -> None:
        if isinstance(event, MessageEvent):
            self._syslog.send(message_severity(event), message_line(event))
        elif isinstance(event, SystemEvent):
            self._syslog.send(event.name.severity, system_line(event))


_TEXTS = (
    "id", "node", "queue_id", "message_id", "client_ip", "client_name", "helo", "account", "direction", "sender",
    "subject", "rule", "action", "reply", "backup_id", "quarantine_id", "unscanned",
)  # fmt: skip
_texts_of = operator.attrgetter(*_TEXTS)
_ALWAYS = "sender"
"""A text that is in the line even when it is empty."""
_GRAVE = frozenset({"infected", "malicious_link", "phishing", "unscanned"})
_GRAVE_ACTIONS = frozenset({"delete", "delete_attachment", "reject", "tempfail"})
_NOTABLE = frozenset({"mass_mail", "probable_spam", "spam"})


def message_severity(event: MessageEvent) -> Severity:
    """Warning for what does harm, was refused or was not scanned, notice for spam and what is held."""
    statuses = {status for _, status in event.statuses if status != "clean"}
    if event.action in _GRAVE_ACTIONS or event.unscanned or statuses & _GRAVE:
        return Severity.WARNING
    notable = event.action == "quarantine" or statuses & _NOTABLE
    return Severity.NOTICE if notable else Severity.INFORMATION


def message_line(event: MessageEvent) -> str:
    """The event as one log line, without empty fields; long lists are cut, the store has them whole."""
    pairs: list[tuple[str, object]] = [("event", "message"), ("time", event.time)]
    if not event.first:
        pairs.append(("message", event.message))
    pairs += [(name, text) for name, text in zip(_TEXTS, _texts_of(event), strict=True) if text or name == _ALWAYS]
    pairs += [("size", event.size), ("recipients", _cut(event.recipients))]
    if event.attachments:
        pairs.append(("attachments", _cut(event.attachments)))
    if event.marks:
        pairs.append(("marks", _cut(event.marks)))
    if event.changed:
        pairs.append(("changed", True))
    pairs += [("milliseconds", event.milliseconds), ("own_milliseconds", event.own_milliseconds)]
    pairs += [(verdict["check"], _short(verdict)) for verdict in event.verdicts]
    return line(pairs)


def _cut(values: tuple[str, ...]) -> list[str]:
    more = len(values) - _MOST_LISTED
    return [*values[:_MOST_LISTED], f"and {more} more"] if more > 0 else list(values)


def _short(verdict: Mapping[str, Any]) -> str:
    if "detail" not in verdict and "evidence" not in verdict:
        return str(verdict["status"])
    return " ".join(filter(None, (verdict["status"], verdict.get("detail"), *verdict.get("evidence", ()))))


def system_line(event: SystemEvent) -> str:
    """The event as one log line."""
    return line([("event", event.name.value), ("account", event.account), *event.detail.items()])
