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
from ksmg.trail.sign_ins import Refusal, understand
from ksmg.trail.updates import MARK, Updates
from ksmg.trail.watched_files import watched

_SIGN_INS, _UPDATES = "sign_ins", "updates"
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
        events = [*self._sign_ins(known, last), *self._updates(known), *self._files(known)]
        if known:
            with acting_as_owner(self._store):
                self._log.add_all(events, known)
        for event in events:
            fields = [("event", event.name.value), ("account", event.account), ("origin", event.origin)]
            self._syslog.send(event.name.severity, line([*fields, *event.detail.items()]))
        return len(events)

    def _sign_ins(self, known: dict[str, str], last: bool) -> list[SystemEvent]:
        before = self._recall(_SIGN_INS)
        refusals = Refusals(before.get("refusals"))
        position = Position(**before.get("position", {}))
        events = []
        for lines, end in read_on(self._auth_log, position):
            position = end
            for text in lines.decode(errors="replace").splitlines():
                found = understand(text)
                if isinstance(found, Refusal):
                    refusals.add(found)
                elif found is not None:
                    events.append(found)
        events += refusals.due(time.time(), last)
        self.waiting = refusals.waiting
        self._note(known, _SIGN_INS, before, {"position": vars(position), "refusals": refusals.document()})
        return events

    def _updates(self, known: dict[str, str]) -> list[SystemEvent]:
        """Mail fills this file: how far it was read is noted with an event, or after a few megabytes."""
        before = self._recall(_UPDATES)
        updates = Updates(before.get("updates"))
        position = begin = Position(**before["position"]) if before else end_of(self._messages)
        events = []
        for lines, end in read_on(self._messages, position):
            position = end
            if MARK in lines:
                found = (updates.read(text.decode(errors="replace")) for text in lines.splitlines() if MARK in text)
                events += [event for event in found if event is not None]
        if events or not before or position.inode != begin.inode or position.offset - begin.offset > _READ_AGAIN:
            self._note(known, _UPDATES, before, {"position": vars(position), "updates": updates.document()})
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
