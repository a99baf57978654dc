"""The way of one message: checks in parallel, the rule, Backup where a copy is due, the event, the answer."""

import asyncio
import dataclasses
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from ksmg.checks.verdict import Check, Verdict, unscanned
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.filter.answers import answer, reply_text
from ksmg.filter.engine_watch import EngineWatch
from ksmg.mail.attachments import attachment_names
from ksmg.mail.envelope import Envelope
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Inspect, Message
from ksmg.mail.readable import readable
from ksmg.mail.spool import SpooledMessage
from ksmg.milter.packets import Packet
from ksmg.rules.action import Action
from ksmg.rules.default import DefaultRule, Outcome
from ksmg.stores.backup import Backup, BackupEntry, new_id
from ksmg.stores.message_events import MessageEvent
from ksmg.stores.system_events import Name, SystemEvent

_log = logging.getLogger(__name__)


class Pipeline:
    """Judges messages. It holds no state of its own, so that any number of messages can be under way."""

    def __init__(  # noqa: PLR0913, PLR0917 - it is where everything comes together
        self,
        node: str,
        neighbourhood: Neighbourhood,
        inspect: Inspect,
        checks: Sequence[Check],
        rule: DefaultRule,
        backup: Backup,
        backup_thread: Executor,
        watch: EngineWatch,
        record: Callable[[MessageEvent | SystemEvent], None],
    ) -> None:
        self._node = node
        self._neighbourhood = neighbourhood
        self._inspect = inspect
        self._checks = checks
        self._rule = rule
        self._backup = backup
        self._backup_thread = backup_thread
        self._watch = watch
        self._record = record

    async def process(self, envelope: Envelope, spooled: SpooledMessage) -> list[Packet]:
        """The answer to a message. Its event is on its way when this returns, its copy in Backup on disk."""
        message = Message(envelope, spooled, self._neighbourhood.facts(envelope), self._inspect)
        started, event_id = time.monotonic(), new_id()
        outcome = self._rule.decide(await self._judge(message))
        backup_id = ""
        if outcome.action is Action.REJECT:
            outcome, backup_id = await self._back_up(message, outcome, event_id)
        packets = answer(outcome, message.spooled, event_id)
        duration = time.monotonic() - started
        self._record(self._event(message, outcome, event_id, backup_id, reply_text(packets), duration))
        return packets

    async def _judge(self, message: Message) -> list[Verdict]:
        if failure := message.spooled.failure:
            return [unscanned("spool", Reason.ERROR, f"the message could not be spooled: {failure.strerror}")]
        return list(await asyncio.gather(*(self._check(check, message) for check in self._checks)))

    async def _check(self, check: Check, message: Message) -> Verdict:
        started = time.monotonic()
        try:
            verdict = await check.check(message, ())
            self._watch.answered(check.name)
        except EngineFailure as failure:
            self._watch.failed(check.name, failure)
            verdict = unscanned(check.name, failure.reason, str(failure))
        except Exception as error:  # a defect in one check must not let a message pass, nor end the filter
            _log.exception("the check %s failed", check.name)
            verdict = unscanned(check.name, Reason.ERROR, f"the check failed: {type(error).__name__}")
        return dataclasses.replace(verdict, seconds=time.monotonic() - started)

    async def _back_up(self, message: Message, outcome: Outcome, event_id: str) -> tuple[Outcome, str]:
        """Copies the message. Without a copy it is refused for now only, so that nothing is lost."""
        entry = _backup_entry(message, outcome, event_id)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._backup_thread, self._backup.add, entry, message.spooled.path)
        except (OSError, sqlite3.Error) as error:
            self._record(SystemEvent(Name.BACKUP_FAILED, {"queue_id": entry.queue_id, "cause": str(error)}))
            return dataclasses.replace(outcome, action=Action.TEMPFAIL), ""
        return outcome, entry.id

    def _event(
        self, message: Message, outcome: Outcome, event_id: str, backup_id: str, reply: str, duration: float
    ) -> MessageEvent:
        envelope, spooled = message.envelope, message.spooled
        return MessageEvent(
            id=event_id,
            time=time.time(),
            node=self._node,
            queue_id=envelope.queue_id,
            message_id=spooled.text(b"Message-ID"),
            client_ip=readable(envelope.client.address or ""),
            client_name=readable(envelope.client.hostname),
            helo=readable(envelope.client.helo),
            account=envelope.account,
            sender=readable(envelope.sender),
            recipients=tuple(map(readable, envelope.recipients)),
            subject=spooled.text(b"Subject"),
            size=spooled.size,
            attachments=attachment_names(spooled),
            rule=outcome.rule,
            verdicts=tuple(map(_recorded, outcome.verdicts)),
            action=outcome.action.value,
            reply=reply,
            backup_id=backup_id,
            milliseconds=round(duration * 1000, 3),
        )


def _recorded(verdict: Verdict) -> dict[str, Any]:
    """A verdict as events keep it: without what does not apply."""
    fields = {
        "check": verdict.check,
        "status": verdict.status.value,
        "detail": readable(verdict.detail),
        "evidence": [readable(word) for word in verdict.evidence],
        "reason": verdict.reason.value if verdict.reason else None,
        "score": verdict.score,
        "milliseconds": round(verdict.seconds * 1000, 3),
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _backup_entry(message: Message, outcome: Outcome, event_id: str) -> BackupEntry:
    envelope, spooled = message.envelope, message.spooled
    return BackupEntry(
        id=event_id,
        time=time.time(),
        size=spooled.size,
        reason=", ".join(f"{verdict.status.value}: {verdict.detail}" for verdict in outcome.decisive),
        queue_id=envelope.queue_id,
        message_id=spooled.text(b"Message-ID"),
        client_ip=readable(envelope.client.address or ""),
        sender=envelope.sender.decode("utf-8", "backslashreplace"),
        recipients=tuple(recipient.decode("utf-8", "backslashreplace") for recipient in envelope.recipients),
        subject=spooled.text(b"Subject"),
    )
