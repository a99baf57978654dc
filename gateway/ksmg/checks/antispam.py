"""Anti-spam: is the message unsolicited, or sent to many?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ksmg.checks.options import chosen_options, points
from ksmg.checks.verdict import Check, Finding, Status, Verdict
from ksmg.engines.rspamd import Action, Assessment
from ksmg.mail.message import Message

MOST_SYMBOLS = 15
"""Symbols in the evidence, those that weigh most."""
_MASS_MAIL_FIELDS = (b"list-unsubscribe", b"list-id", b"feedback-id")
_MASS_MAIL_SYMBOLS = frozenset({"MAILLIST", "HAS_LIST_UNSUB", "PRECEDENCE_BULK"})


@dataclass(frozen=True)
class AntispamOptions:
    """Scores of rspamd from which a message counts as spam; without one, rspamd's own action decides."""

    spam_score: float | None = None
    probable_score: float | None = None


class Antispam(Check):
    """Has rspamd assess the message and its SMTP session."""

    name = "antispam"
    description = "tells spam and mass mail from other mail with Rspamd"
    statuses = (Status.SPAM, Status.PROBABLE_SPAM, Status.MASS_MAIL)
    order = 20

    @classmethod
    def parse_options(cls, document: Mapping[str, Any]) -> AntispamOptions:
        """`spam_score` and `probable_score`."""
        options = AntispamOptions(**chosen_options(cls.name, document, spam_score=points, probable_score=points))
        probable, certain = options.probable_score, options.spam_score
        if probable is not None and certain is not None and probable > certain:
            raise ValueError("probable_score must not be above spam_score")
        return options

    async def check(self, message: Message, options: Any) -> Verdict:
        """Spam, probable spam, mass mail or clean, with rspamd's score and the symbols that weigh most."""
        assessment = await self._engines.assess(message)
        status = _status(assessment, options or AntispamOptions()) or _mass_mail(message, assessment)
        return Verdict(
            self.name,
            (Finding(status, f"{assessment.score:.1f}/{assessment.required_score:.1f}"),) if status else (),
            engine=assessment.engine,
            evidence=tuple(map(str, assessment.symbols[:MOST_SYMBOLS])),
            score=assessment.score,
        )

    async def probe(self) -> str:
        """Only whether rspamd answers: it does not tell its version to those who scan."""
        await self._engines.rspamd.ping()
        return "answers"


def _status(assessment: Assessment, options: AntispamOptions) -> Status | None:
    if assessment.beyond_doubt or _reached(assessment, options.spam_score, Action.REJECT):
        return Status.SPAM
    probable = _reached(assessment, options.probable_score, *(action for action in Action if action.spam))
    return Status.PROBABLE_SPAM if probable else None


def _reached(assessment: Assessment, score: float | None, *actions: Action) -> bool:
    return assessment.action in actions if score is None else assessment.score >= score


def _mass_mail(message: Message, assessment: Assessment) -> Status | None:
    """By what its sender says of it in the header. An automatic reply often says so too, and is none."""
    fields = message.spooled.header_counts
    if any(fields[name] for name in _MASS_MAIL_FIELDS):
        return Status.MASS_MAIL
    told = any(symbol.name in _MASS_MAIL_SYMBOLS for symbol in assessment.symbols)
    return Status.MASS_MAIL if told and not fields[b"auto-submitted"] else None
