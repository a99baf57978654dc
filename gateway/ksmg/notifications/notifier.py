"""Sends notifications, beside the mail and never in its way."""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Message
from ksmg.notifications.addressees import addressees
from ksmg.notifications.limits import Limits
from ksmg.notifications.notice import Notice, compose
from ksmg.notifications.template import DEFAULTS, Template
from ksmg.rules.treatment import Cause, Decision, Notified
from ksmg.submission import SubmissionFailure

_log = logging.getLogger(__name__)
MOST_UNDER_WAY = 20
"""Notifications that are being handed over at a time; more are not sent."""
_ACTIONS = {
    "skip": "delivered",
    "delete_attachment": "attachment removed",
    "quarantine": "held",
    "tempfail": "refused for now",
    "reject": "refused",
    "delete": "deleted",
}

Hand = Callable[[Path, str, Sequence[str]], Awaitable[str]]
"""Hands a message file, sender and recipients to Postfix (`submission.submit`). Raises SubmissionFailure."""


class Notifier:
    """Makes and sends the notifications of this host."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it takes from settings, and whom it works with
        self,
        host: str,
        postmaster: str | None,
        neighbourhood: Neighbourhood,
        directory: Path,
        submit: Hand,
        failed: Callable[[str], None],
        limits: Limits | None = None,
        templates: Mapping[Notified, Template] = DEFAULTS,
    ) -> None:
        """`directory` is for files on their way; `failed` is told of a notification that could not be sent."""
        self._host = host
        self._postmaster = postmaster
        self._neighbourhood = neighbourhood
        self._directory = directory
        self._submit = submit
        self._failed = failed
        self._limits = limits or Limits()
        self._templates = templates
        self._under_way: set[asyncio.Task[None]] = set()

    def notices(self, message: Message, decision: Decision, recipients: Sequence[int], event_id: str) -> list[Notice]:
        """The notifications of a decision for some recipients, as far as the limits permit."""
        found = addressees(message, decision, recipients, self._neighbourhood, self._postmaster)
        return [
            self._notice(who, address, self._values(message, decision, about, event_id))
            for who, addresses in found.items()
            for address in addresses
            if self._limits.take(address)
            for about in [[address] if who is Notified.RECIPIENT else [message.facts.recipients[n] for n in recipients]]
        ]

    def send(self, notices: Sequence[Notice]) -> None:
        """Begins to hand them over; returns at once."""
        for notice in notices:
            if len(self._under_way) >= MOST_UNDER_WAY:
                self._failed("too many notifications at once")
                return
            task = asyncio.get_running_loop().create_task(self._deliver(notice))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Waits for what is under way."""
        if self._under_way:
            await asyncio.wait(tuple(self._under_way))

    async def _deliver(self, notice: Notice) -> None:
        file = self._directory / f"{uuid.uuid4().hex}.notice"
        try:
            await asyncio.to_thread(_write, file, notice.content)
            await self._submit(file, "", [notice.address])
        except (SubmissionFailure, OSError) as failure:
            self._failed(str(failure))
        except Exception as error:  # a defect here must not end the filter
            _log.exception("a notification could not be sent")
            self._failed(type(error).__name__)
        finally:
            file.unlink(missing_ok=True)

    def _notice(self, who: Notified, address: str, values: Mapping[str, str]) -> Notice:
        subject, text = self._templates.get(who, DEFAULTS[who]).render(values)
        if who is Notified.ADMINISTRATOR and self._limits.suppressed:
            text += f"\n{self._limits.suppressed} further notifications were not sent: there were too many.\n"
            self._limits.suppressed = 0
        return compose(address, subject, text, self._host)

    def _values(
        self, message: Message, decision: Decision, recipients: Sequence[str], event_id: str
    ) -> Mapping[str, str]:
        return {
            "host": self._host,
            "id": event_id,
            "time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
            "sender": message.facts.sender or "<>",
            "recipients": ", ".join(recipients[:20]) + (" …" if len(recipients) > 20 else ""),
            "subject": message.spooled.text(b"Subject"),
            "message_id": message.spooled.text(b"Message-ID"),
            "client_ip": message.facts.client_ip,
            "rule": decision.rule,
            "action": _ACTIONS[decision.action.value],
            "findings": "\n".join(dict.fromkeys(_findings(decision.causes))),
        }


def _findings(causes: Sequence[Cause]) -> Iterator[str]:
    for cause in causes:
        if cause.treatment.notify:
            detail = f": {cause.finding.detail}" if cause.finding.detail else ""
            yield f"{cause.check}: {cause.finding.status.value.replace('_', ' ')}{detail}"


def _write(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
