"""The message event log as a holder: events and flight records, pseudonymised so that they still count and are found.

What an event of the person loses: its address and names wherever they stand, the subject, and the names of files.
Times, sizes, verdicts, the other parties and the servers' addresses stay.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from ksmg.stores.event_erasure import Change, change_segment
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_events import MessageEventLog
from ksmg.subject.finding import Erasure, Finding, Kind, Outcome
from ksmg.subject.matcher import Matcher
from ksmg.subject.pseudonyms import ERASED, Pseudonyms
from ksmg.subject.texts import texts

_SHORTEST_GONE = 4
"""Characters of a subject or a file's name that is looked for in the other texts of its event too."""


class EventLogHolder:
    """The message event log."""

    def __init__(self, row: str, place: str, log: MessageEventLog) -> None:
        self.row = row
        self.place = place
        self._log = log

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The events, then the flight records, oldest first."""
        for _, event in self._log.after(""):
            if any(map(matcher.within, texts(asdict(event)))):
                yield self._finding(event)
        for record in self._log.records():
            if any(map(matcher.within, texts(record.document))):
                text = f"of the message {record.message}"
                document = {"message": record.message, "document": record.document}
                yield Finding(self.row, self.place, Kind.FLIGHT_RECORD, text, record.time, record.message, document)

    def erase(self, run: Erasure) -> Outcome:
        """Pseudonymises them; the index loses the old words."""
        change = Change(
            lambda event: pseudonymous_event(event, run.matcher, run.pseudonyms),
            lambda record: pseudonymous_record(record, run.matcher, run.pseudonyms),
            run.matcher.within,
        )
        changed = [change_segment(segment, change) for segment in self._log.segments()]
        outcome = Outcome(self.row, self.place, pseudonymised=sum(events + records for events, records in changed))
        outcome.kept = len(list(Path(self.place).glob("*.damaged")))
        if outcome.kept:
            outcome.grounds.append("parts of the log that are damaged cannot be searched, and are kept until evicted")
        outcome.grounds.append("subjects and names of files are gone, counts, times, verdicts and servers stay")
        return outcome

    def _finding(self, event: MessageEvent) -> Finding:
        text = f"{event.action}, from <{event.sender}> to {', '.join(event.recipients)}: {event.subject}"
        return Finding(self.row, self.place, Kind.EVENT, text, event.time, event.id, asdict(event))


def pseudonymous_event(event: MessageEvent, matcher: Matcher, pseudonyms: Pseudonyms) -> MessageEvent | None:
    """The event without the person; None when it is not in it."""
    fields = {name: value for name, value in asdict(event).items() if isinstance(value, str | tuple | list)}
    if not any(map(matcher.within, texts(fields))):
        return None
    gone: tuple[str, ...] = ()
    if _party(matcher, (event.sender, *event.recipients, event.account)):
        fields["subject"] = ERASED if event.subject else ""
        fields["attachments"] = tuple(ERASED for _ in event.attachments)
        gone = _gone(event.subject, *event.attachments)
    return replace(event, **{name: pseudonyms.value(value, gone) for name, value in fields.items()})


def pseudonymous_record(record: FlightRecord, matcher: Matcher, pseudonyms: Pseudonyms) -> FlightRecord | None:
    """The flight record without the person; None when it is not in it."""
    document = dict(record.document)
    if not any(map(matcher.within, texts(document))):
        return None
    gone: tuple[str, ...] = ()
    facts, message = document.get("facts", {}), dict(document.get("message", {}))
    if _party(matcher, (facts.get("sender", ""), *facts.get("recipients", ()))):
        gone = _gone(message.get("subject", ""), *message.get("attachments", ()))
        for name in ("subject", "attachments"):
            if message.get(name):
                message[name] = ERASED if name == "subject" else [ERASED for _ in message[name]]
        document["message"] = message
    return replace(record, document=pseudonyms.value(document, gone))


def _party(matcher: Matcher, addresses: tuple[str, ...]) -> bool:
    return any(map(matcher.within, addresses))


def _gone(*texts: str) -> tuple[str, ...]:
    return tuple(text for text in texts if len(text) >= _SHORTEST_GONE)
