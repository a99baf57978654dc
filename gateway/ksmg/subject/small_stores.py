"""Statistics and the system event log as holders."""

from collections.abc import Iterator

from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import Sought, StoredEvent, SystemEventLog
from ksmg.subject.finding import Erasure, Finding, Kind, Outcome
from ksmg.subject.matcher import Matcher
from ksmg.subject.texts import texts

_READ_AT_ONCE = 500


class StatisticsHolder:
    """The lists of who sent and got most."""

    def __init__(self, row: str, place: str, statistics: Statistics) -> None:
        self.row = row
        self.place = place
        self._statistics = statistics

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The person's lines, by day."""
        for day, name, names in self._statistics.listed():
            for who, times in names.items():
                if matcher.within(who):
                    record = {"day": day, "list": name, "name": who, "messages": times}
                    yield Finding(self.row, self.place, Kind.COUNT, f"{name}: {who}, {times}", day, "", record)

    def erase(self, run: Erasure) -> Outcome:
        """Gives the person a pseudonym; the numbers stay."""
        changed = self._statistics.rename(run.pseudonyms.text)
        return Outcome(self.row, self.place, pseudonymised=changed)


class SystemEventHolder:
    """The audit trail. Its records are chained, so that none can be altered: it stays as it is until it is evicted."""

    def __init__(self, row: str, place: str, log: SystemEventLog) -> None:
        self.row = row
        self.place = place
        self._log = log

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The records that name the person, newest first."""
        for stored in self._stored():
            event = stored.event
            record = {"name": event.name.value, "account": event.account, "detail": dict(event.detail)}
            if any(map(matcher.within, texts(record))):
                text = f"{event.name.value} by {event.account}"
                yield Finding(
                    self.row, self.place, Kind.SYSTEM_EVENT, text, event.time, str(stored.link.number), record
                )

    def erase(self, run: Erasure) -> Outcome:
        """Keeps and counts them."""
        kept = sum(1 for _ in self.find(run.matcher))
        ground = "audit trail: kept until evicted, because a chained record cannot be altered"
        return Outcome(self.row, self.place, kept=kept, grounds=[ground] if kept else [])

    def _stored(self) -> Iterator[StoredEvent]:
        """All records, some in memory at a time."""
        before: int | None = None
        while found := self._log.search(Sought(before=before), _READ_AT_ONCE):
            yield from found
            before = found[-1].link.number
