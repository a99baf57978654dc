"""Refused sign-ins and commands, counted by source and minute, so that no flood of them fills the log.

At most ten sources of a minute have an event of their own, and at most sixty events come out of an hour; the rest is
one number. 61 events an hour are 1,464 a day: the log's 100,000 records last for two months of such a flood.
"""

import copy
from collections.abc import Mapping
from typing import Any

from ksmg.stores.system_events import Name, SystemEvent
from ksmg.trail.sign_ins import Refusal

_SOURCES, _EVENTS, _ACCOUNTS = 10, 60, 5
_MINUTE, _HOUR = 60, 3600
_OTHERS = "others"
_NAMES = {"command": Name.ACCESS_REFUSED}
"""What a service's refusals are; the others are refused sign-ins."""
_NOBODY = ""
"""Who was refused is nobody that the appliance knows: the names that were tried are in the detail."""


class Refusals:
    """The counts that are not events yet. `document` and the constructor keep them across runs."""

    def __init__(self, document: Mapping[str, Any] | None = None) -> None:
        kept = document or {}
        self._minutes: dict[str, dict[str, Any]] = copy.deepcopy(kept.get("minutes", {}))
        """By minute, by service and source: attempts, the time of the last, and the accounts that were tried."""
        self._hour = int(kept.get("hour", 0))
        self._events = int(kept.get("events", 0))
        self._rest = int(kept.get("rest", 0))

    def document(self) -> dict[str, Any]:
        """What another run goes on with."""
        return {"minutes": self._minutes, "hour": self._hour, "events": self._events, "rest": self._rest}

    @property
    def waiting(self) -> bool:
        """Whether a minute is not over yet, or a rest not told."""
        return bool(self._minutes or self._rest)

    def add(self, refusal: Refusal) -> None:
        """Counts one."""
        sources = self._minutes.setdefault(str(int(refusal.time // _MINUTE)), {})
        key = f"{refusal.service} {refusal.origin}"
        if key not in sources and len(sources) >= _SOURCES:
            key = _OTHERS
        counted = sources.setdefault(key, {"attempts": 0, "accounts": []})
        counted["attempts"] += 1
        counted["time"] = refusal.time
        if refusal.account and refusal.account not in counted["accounts"] and len(counted["accounts"]) < _ACCOUNTS:
            counted["accounts"].append(refusal.account)

    def due(self, now: float, last: bool = False) -> list[SystemEvent]:
        """Events of the minutes that are over, and of an hour's rest when that is over, or with the `last` run."""
        events: list[SystemEvent] = []
        for minute in sorted(self._minutes, key=int):
            if (int(minute) + 1) * _MINUTE > now:
                break
            events += self._of_minute(int(minute) * _MINUTE, self._minutes.pop(minute))
        if last or self._hour + _HOUR <= now:
            events += self._told_rest(now)
        return events

    def _of_minute(self, when: int, sources: Mapping[str, Any]) -> list[SystemEvent]:
        events = []
        if when >= self._hour + _HOUR:
            events += self._told_rest(when)
            self._hour, self._events = when, 0
        for key, counted in sources.items():
            if self._events >= _EVENTS:
                self._rest += counted["attempts"]
                continue
            self._events += 1
            service, _, source = key.partition(" ")
            name = _NAMES.get(service, Name.SIGN_IN_REFUSED)
            detail = {"service": service, "attempts": counted["attempts"], "accounts": counted["accounts"]}
            events.append(SystemEvent(name, detail, _NOBODY, counted["time"], source))
        return events

    def _told_rest(self, when: float) -> list[SystemEvent]:
        if not self._rest:
            return []
        detail = {"service": _OTHERS, "attempts": self._rest, "since": self._hour}
        self._rest = 0
        return [SystemEvent(Name.SIGN_IN_REFUSED, detail, _NOBODY, when, "")]
