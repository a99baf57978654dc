"""What is remembered of each message: an event for each group of recipients, and one flight record."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ksmg.changes import needed
from ksmg.checks.verdict import Verdict
from ksmg.filter.case import Case
from ksmg.filter.delivery import Done
from ksmg.filter.plan import Answer
from ksmg.mail.attachments import attachment_names
from ksmg.mail.facts import Direction
from ksmg.mail.readable import all_readable, readable
from ksmg.rules.replay import document_of
from ksmg.rules.treatment import Action
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_event import MessageEvent

Remember = Callable[[Sequence[MessageEvent], FlightRecord], None]
"""Takes the events and the record of one message; never waits."""
MIXED = "mixed"
"""The direction of a message with recipients inside and outside."""


class Chronicle:
    """Makes events and records."""

    def __init__(self, node: str, remember: Remember) -> None:
        self._node = node
        self._remember = remember

    def write(self, case: Case, done: Done, reply: str, failure: str = "") -> None:
        """Remembers a message and its SMTP reply, which is empty when it was accepted.

        `failure`: why it had to be put off after all.
        """
        seconds = time.monotonic() - case.started
        common = self._common(case, reply, seconds, failure)
        events = [
            MessageEvent(id=event_id(case, number), **_of_group(case, done, number, failure), **common)
            for number in range(len(case.groups))
        ]
        self._remember(events, FlightRecord(case.id, common["time"], _document(case, events)))

    def _common(self, case: Case, reply: str, seconds: float, failure: str) -> dict[str, Any]:
        """What all events of one message say."""
        envelope, spooled, facts = case.message.envelope, case.message.spooled, case.message.facts
        structure = case.message.looked_into
        return {
            "message": case.id,
            "time": time.time(),
            "node": self._node,
            "queue_id": envelope.queue_id,
            "message_id": spooled.text(b"Message-ID"),
            "client_ip": readable(facts.client_ip),
            "client_name": readable(envelope.client.hostname),
            "helo": readable(envelope.client.helo),
            "account": envelope.account,
            "direction": _direction(facts.directions),
            "sender": readable(facts.sender),
            "subject": spooled.text(b"Subject"),
            "size": spooled.size,
            "attachments": structure.attachment_names if structure else attachment_names(spooled),
            "reply": reply,
            "unscanned": failure or case.unscanned,
            "milliseconds": round(seconds * 1000, 3),
            "own_milliseconds": round((seconds - case.engine_seconds) * 1000, 3),
        }


def event_id(case: Case, number: int) -> str:
    """The id of the event of one group: the message's own for the first."""
    return f"{case.id}.{number + 1}" if number else case.id


def _of_group(case: Case, done: Done, number: int, failure: str) -> dict[str, Any]:
    """What the event of one group says alone."""
    share = case.plan.shares[number]
    put_off = case.plan.answer is Answer.PUT_OFF
    return {
        "recipients": tuple(readable(case.message.facts.recipients[at]) for at in share.recipients),
        "rule": share.decision.rule,
        "verdicts": tuple(map(_recorded, case.verdicts_of(number).values())),
        "action": (Action.TEMPFAIL if put_off else share.decision.action).value,
        "changed": not put_off and share.decision.action.delivers and needed(case.message, share.decision),
        "marks": () if put_off else (*share.marks, *done.marks.get(number, ())),
        "backup_id": "" if failure else done.backup_ids.get(number, ""),
        "quarantine_id": "" if failure else done.quarantine_ids.get(number, ""),
    }


def _recorded(verdict: Verdict) -> dict[str, Any]:
    """A verdict as events keep it: without what does not apply."""
    fields: dict[str, Any] = {
        "check": verdict.check,
        "status": verdict.status.value,
        "detail": readable(verdict.detail),
        "evidence": all_readable(verdict.evidence),
        "reason": verdict.reason.value if verdict.reason else None,
        "score": verdict.score,
        "engine": readable(verdict.engine),
        "milliseconds": round(verdict.seconds * 1000, 3),
    }
    if len(verdict.findings) > 1:
        fields["findings"] = [{"status": f.status.value, "detail": readable(f.detail)} for f in verdict.findings]
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _direction(directions: Iterable[Direction]) -> str:
    found = set(directions)
    return found.pop().value if len(found) == 1 else MIXED


def _document(case: Case, events: Sequence[MessageEvent]) -> dict[str, Any]:
    """The flight record: what rules need to decide again, and what was done."""
    decided = zip(case.groups, case.decisions, strict=True)
    document = document_of(case.message.facts, case.verdicts, decided, case.rules.digest)
    document["exhausted"] = case.exhausted
    for group, event in zip(document["groups"], events, strict=True):
        group["done"] = {
            "action": event.action,
            "marks": event.marks,
            **{name: value for name in ("backup_id", "quarantine_id") if (value := getattr(event, name))},
        }
    first = events[0]
    document["message"] = {
        name: getattr(first, name)
        for name in (
            "node", "queue_id", "message_id", "client_name", "helo", "subject", "size", "attachments", "reply",
            "unscanned", "milliseconds", "own_milliseconds",
        )
    }  # fmt: skip
    document["answer"] = case.plan.answer.value
    return document
