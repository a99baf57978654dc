"""Anti-spam: is the message unsolicited?"""

from typing import Any

from ksmg.checks.verdict import Check, Finding, Status, Verdict
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.rspamd import Rspamd
from ksmg.mail.message import Message

_MOST_SYMBOLS = 10


class Antispam(Check):
    """Has rspamd assess the message and its SMTP session."""

    name = "antispam"
    description = "tells spam from mail with Rspamd"
    statuses = (Status.SPAM,)

    def __init__(self, rspamd: Rspamd, size_limit: int) -> None:
        self._rspamd = rspamd
        self._size_limit = size_limit

    async def check(self, message: Message, options: Any) -> Verdict:
        """Spam or clean, with rspamd's score and the symbols that weigh most."""
        if message.spooled.size > self._size_limit:
            raise EngineFailure(Reason.LIMIT, f"the message is larger than {self._size_limit} bytes")
        assessment = await self._rspamd.check(message.envelope, message.spooled.path, message.spooled.size)
        return Verdict(
            self.name,
            (Finding(Status.SPAM, f"{assessment.score:.1f}/{assessment.required_score:.1f}"),)
            if assessment.action.spam
            else (),
            evidence=assessment.symbols[:_MOST_SYMBOLS],
            score=assessment.score,
        )

    async def probe(self) -> str:
        """Only whether rspamd answers: it does not tell its version to those who scan."""
        await self._rspamd.ping()
        return "answers"
