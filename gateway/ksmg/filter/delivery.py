"""Does what a plan asks for, before the sender is answered: copies to Backup, copies of their own, held messages.

Whatever cannot be done puts the message off: the sender keeps it, and nothing is lost. What was done by then does no
harm when it is done again: Backup has the message twice, and the ledger keeps a copy from being handed over twice.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ksmg.changes import Changes, UnchangeableMessage, changes_body, needed, plan, write_copy
from ksmg.engines.failure import EngineFailure
from ksmg.filter.case import Case
from ksmg.mail.readable import readable
from ksmg.rules.treatment import Decision
from ksmg.stores.message_store import MessageStore, StoredMessage, StoreFull, new_id
from ksmg.submission.ledger import content_digest
from ksmg.submission.protocol import SubmissionFailure

IN_BACKUP = "copied to Backup"
HELD = "held in the quarantine"
OWN_COPY = "got a copy of their own"
ALREADY_HANDED_OVER = "got their copy at an earlier attempt"


class Submit(Protocol):
    """Hands a message to the mail server. See `submission.client.submit`."""

    async def __call__(
        self, file: Path, sender: bytes, recipients: Sequence[bytes], *, smtputf8: bool, once: bytes
    ) -> str:
        """The queue id; empty when all recipients got it at an earlier attempt. Raises SubmissionFailure."""


class PutOff(Exception):
    """Something could not be done. The text says what; `full`: the quarantine takes no more."""

    def __init__(self, text: str, full: bool = False) -> None:
        super().__init__(text)
        self.full = full


@dataclass
class Done:
    """What was done, by the numbers of the plan's shares."""

    changes: Changes | None = None
    """Of the message that passes through the mail server; None: it stays as it is."""
    marks: dict[int, tuple[str, ...]] = field(default_factory=dict)
    backup_ids: dict[int, str] = field(default_factory=dict)
    quarantine_ids: dict[int, str] = field(default_factory=dict)

    def mark(self, shares: Sequence[int], *marks: str) -> None:
        """Notes something of some shares."""
        for share in shares:
            self.marks[share] = (*self.marks.get(share, ()), *marks)


class Delivery:
    """The stores and the way back to the mail server."""

    def __init__(
        self, backup: MessageStore, quarantine: MessageStore, submit: Submit, directory: Path, host: str
    ) -> None:
        """`directory` is for changed bodies and copies on their way: the spool. `host` is this one's name."""
        self._backup = backup
        self._quarantine = quarantine
        self._submit = submit
        self._directory = directory
        self._host = host

    async def carry_out(self, case: Case) -> Done:
        """Does everything, in the order in which a repetition does the least harm. Raises PutOff."""
        done, planned = Done(), case.plan
        try:
            done.changes = await self._changes(case, planned.passing, done)
            if planned.backups:
                await self._keep(self._backup, case, planned.backups, done.backup_ids)
                done.mark(planned.backups, IN_BACKUP)
            for shares in planned.copies:
                await self._hand_over(case, shares, done)
            if planned.held:
                await self._keep(self._quarantine, case, planned.held, done.quarantine_ids)
                done.mark(planned.held, HELD)
        except StoreFull as error:
            raise PutOff(f"the store is full: {error}", full=True) from None
        except (OSError, sqlite3.Error, EngineFailure, SubmissionFailure, UnchangeableMessage) as error:
            raise PutOff(f"it could not be carried out: {error}") from None
        return done

    async def _changes(self, case: Case, shares: Sequence[int], done: Done) -> Changes | None:
        """The changes that some shares, which want the same ones, get."""
        if not shares:
            return None
        decision = case.plan.shares[shares[0]].decision
        if not needed(case.message, decision):
            return None
        verdicts = case.verdicts_of(shares[0]).values()
        if changes_body(decision):
            structure = await case.message.structure()
            changes = await asyncio.to_thread(plan, case.message, structure, decision, self._directory, verdicts)
        else:
            changes = plan(case.message, None, decision, self._directory, verdicts)
        done.mark(shares, *changes.marks)
        return changes

    async def _hand_over(self, case: Case, shares: Sequence[int], done: Done) -> None:
        """Gives shares a copy of their own, but nobody a second one when the sender comes back after a crash."""
        message, envelope = case.message, case.message.envelope
        recipients = [envelope.recipients[number] for number in case.plan.recipients(shares)]
        changes = await self._changes(case, shares, done) or Changes()
        copy = self._directory / f"{new_id()}.copy"
        try:
            await asyncio.to_thread(write_copy, message, changes, copy, self._host)
            has_id = message.spooled.header(b"Message-ID") is not None
            once = await asyncio.to_thread(content_digest, message.spooled.path, envelope.queue_id, has_id)
            queue_id = await self._submit(copy, envelope.sender, recipients, smtputf8=envelope.smtputf8, once=once)
        finally:
            changes.discard()
            copy.unlink(missing_ok=True)
        done.mark(shares, f"{OWN_COPY}: {queue_id}" if queue_id else ALREADY_HANDED_OVER)

    async def _keep(self, store: MessageStore, case: Case, shares: Sequence[int], ids: dict[int, str]) -> None:
        """Keeps the original once for each share: each has recipients and a reason of its own."""
        entries = {share: _entry(case, share) for share in shares}
        spooled = case.message.spooled
        source = spooled.content() if spooled.in_memory else spooled.path
        kept = [asyncio.wrap_future(store.keep(entry, source)) for entry in entries.values()]
        results = await asyncio.gather(*kept, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        ids.update({share: entry.id for share, entry in entries.items()})


def _entry(case: Case, share: int) -> StoredMessage:
    envelope, spooled = case.message.envelope, case.message.spooled
    decision = case.plan.shares[share].decision
    recipients = case.plan.recipients([share])
    return StoredMessage(
        id=case.id if share == 0 else new_id(),
        time=time.time(),
        size=spooled.size,
        reason=_reason(decision),
        rule=decision.rule,
        queue_id=envelope.queue_id,
        message_id=spooled.text(b"Message-ID"),
        client_ip=readable(envelope.client.address or ""),
        sender=envelope.sender.decode("utf-8", "backslashreplace"),
        recipients=tuple(case.message.facts.recipients[number] for number in recipients),
        subject=spooled.text(b"Subject"),
        statuses=tuple(dict.fromkeys(cause.finding.status.value for cause in decision.causes)),
        decided=False,
    )


def _reason(decision: Decision) -> str:
    found = (f"{c.finding.status.value}: {c.finding.detail}".removesuffix(": ") for c in decision.causes)
    return readable(", ".join(dict.fromkeys(found)) or f"rule {decision.rule}")
