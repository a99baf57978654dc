"""Backup and the quarantines as holders: whole messages, found by envelope, header and text, erased as a whole."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

from ksmg.stores.message_store import EVERYTHING, MessageStore, StoredMessage
from ksmg.subject.finding import Erasure, Finding, Kind, Outcome
from ksmg.subject.matcher import Matcher
from ksmg.subject.message_search import Presence, search_message

_ERASED_AT_ONCE = 32
"""Messages; the store's lock is held meanwhile."""


class MessageStoreHolder:
    """One store of whole messages. One message at a time is in memory."""

    def __init__(self, row: str, place: str, store: MessageStore) -> None:
        self.row = row
        self.place = place
        self._store = store

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The messages of the person, then those that mention it, newest first."""
        for entry, presence in self._present(matcher):
            kind = Kind.MESSAGE if presence.party else Kind.MENTION
            where = ", ".join(presence.places)
            others = f"; {len(entry.recipients)} recipients" if len(entry.recipients) > 1 else ""
            yield Finding(
                self.row,
                self.place,
                kind,
                f"from <{entry.sender}> to {', '.join(entry.recipients)}: {entry.subject} ({where}{others})",
                entry.time,
                entry.id,
                asdict(entry),
                partial(self._store.read, entry),
            )

    def erase(self, run: Erasure) -> Outcome:
        """Erases the person's messages, with the copies of other recipients: a message is a whole."""
        outcome = Outcome(self.row, self.place)
        shared = 0
        waiting: list[str] = []
        for entry, presence in self._present(run.matcher):
            if not presence.party and not run.scope.mentions:
                outcome.kept += 1
                continue
            waiting.append(entry.id)
            shared += len(entry.recipients) > 1
            if len(waiting) >= _ERASED_AT_ONCE:
                outcome.erased += self._store.delete(waiting)
                waiting.clear()
        outcome.erased += self._store.delete(waiting)
        self._store.give_up_reserve()
        if shared:
            outcome.grounds.append(f"{shared} of the erased messages had other recipients too")
        if outcome.kept:
            outcome.grounds.append("messages of others that only mention the person are kept")
        return outcome

    def _present(self, matcher: Matcher) -> Iterator[tuple[StoredMessage, Presence]]:
        for entry in self._store.every(EVERYTHING):
            try:
                presence = _in_envelope(entry, matcher) + self._in_content(entry, matcher)
            except FileNotFoundError:  # evicted meanwhile
                continue
            if presence:
                yield entry, presence

    def _in_content(self, entry: StoredMessage, matcher: Matcher) -> Presence:
        """A message that is damaged may be anybody's: it is told of."""
        try:
            with self._store.read(entry) as original:
                return search_message(original.read(), matcher)
        except FileNotFoundError:
            raise
        except OSError:
            return Presence(False, ("damaged: it cannot be searched",))


def _in_envelope(entry: StoredMessage, matcher: Matcher) -> Presence:
    party = any(map(matcher.names, (entry.sender, *entry.recipients)))
    named = party or any(map(matcher.within, (entry.sender, *entry.recipients)))
    subject = matcher.within(entry.subject) or matcher.within(entry.message_id)
    places = (*(["envelope"] if named else []), *(["subject"] if subject else []))
    return Presence(party, places)
