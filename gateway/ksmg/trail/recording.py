"""Looks once at everything that the trail watches, and stores what is new together with how far it looked.

Both go into the log in one transaction, so that nothing is told twice, or not at all, whatever ends the run.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import SystemEvent, SystemEventLog
from ksmg.system.account import acting_as_owner
from ksmg.system.syslog import Syslog, line
from ksmg.trail.log_tail import Position, end_of, read_on
from ksmg.trail.refusals import Refusals
from ksmg.trail.sign_ins import REFUSED, Refusal, understand
from ksmg.trail.updates import MARK, Updates
from ksmg.trail.watched_files import watched

_SIGN_INS, _MESSAGES, _REFUSALS = "sign_ins", "messages", "refusals"
_READ_AGAIN = 4_194_304


class Trail:
    """What is watched on this appliance. As root, who may read it all; the log's files stay their owner's."""

    def __init__(self, policy: DataPolicy, settings: Settings, syslog: Syslog) -> None:
        self._store = Path(policy.place("system_events"))
        self._log: SystemEventLog = open_system_events(policy, settings)
        self._syslog = syslog
        self._auth_log = Path(policy.place("auth_log"))
        messages = next(found for found in policy.row("message_events").locations if found.type == "log")
        self._messages = Path(messages.place)
        self._watched = watched(policy)
        self.waiting = False
        """Whether refused sign-ins are counted that are no event yet."""

    def look(self, last: bool = False) -> int:
        """Looks at everything; returns the number of events. Raises OSError or sqlite3.Error."""
        known: dict[str, str] = {}
        before = self._recall(_REFUSALS)
        refusals = Refusals(before)
        events = [*self._sign_ins(known, refusals), *self._messages_log(known, refusals), *self._files(known)]
        events += refusals.due(time.time(), last)
        self.waiting = refusals.waiting
        self._note(known, _REFUSALS, before, refusals.document())
        if known:
            with acting_as_owner(self._store):
                self._log.add_all(events, known)
        for event in events:
            fields = [("event", event.name.value), ("account", event.account), ("origin", event.origin)]
            self._syslog.send(event.name.severity, line([*fields, *event.detail.items()]))
        return len(events)

    def _sign_ins(self, known: dict[str, str], refusals: Refusals) -> list[SystemEvent]:
        before = self._recall(_SIGN_INS)
        position = Position(**before)
        events = []
        for lines, end in read_on(self._auth_log, position):
            position = end
            events += _understood(lines.splitlines(), refusals)
        self._note(known, _SIGN_INS, before, vars(position))
        return events

    def _messages_log(self, known: dict[str, str], refusals: Refusals) -> list[SystemEvent]:
        """What others tell the gateway's own log. Mail fills it: how far it was read is noted only now and then."""
        before = self._recall(_MESSAGES)
        updates = Updates(before.get("updates"))
        position = begin = Position(**before["position"]) if before else end_of(self._messages)
        events, marked = [], 0
        for lines, end in read_on(self._messages, position):
            position = end
            told = [text for text in lines.splitlines() if MARK in text or REFUSED in text]
            marked += len(told)
            events += _understood(told, refusals)
            events += filter(None, (updates.read(text.decode(errors="replace")) for text in told))
        if marked or not before or position.inode != begin.inode or position.offset - begin.offset > _READ_AGAIN:
            self._note(known, _MESSAGES, before, {"position": vars(position), "updates": updates.document()})
        return events

    def _files(self, known: dict[str, str]) -> Iterator[SystemEvent]:
        for name, files in self._watched.items():
            before, now = self._recall(name), dict(files.facts())
            if (event := files.compare(before, now)) is not None:
                yield event
                self._note(known, name, before, now)

    def _recall(self, name: str) -> dict[str, Any]:
        with acting_as_owner(self._store):
            document = self._log.recall(name)
        return dict(json.loads(document)) if document else {}

    def _note(self, known: dict[str, str], name: str, before: dict[str, Any], now: dict[str, Any]) -> None:
        if before != now:
            known[name] = json.dumps(now)


def _understood(lines: list[bytes], refusals: Refusals) -> list[SystemEvent]:
    """The events that lines tell of; refusals are counted."""
    events = []
    for text in lines:
        found = understand(text.decode(errors="replace"))
        if isinstance(found, Refusal):
            refusals.add(found)
        elif found is not None:
            events.append(found)
    return events
