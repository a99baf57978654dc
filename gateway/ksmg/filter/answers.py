"""What the filter answers the mail server: reply codes and texts, shared with the tests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from ksmg.changes import Changes
from ksmg.changes import packets as change_packets
from ksmg.checks.verdict import Status
from ksmg.filter.plan import Answer, Plan
from ksmg.mail.message import Message
from ksmg.milter.packets import Packet
from ksmg.milter.replies import ACCEPT, DISCARD, delete_recipient, refusal
from ksmg.rules.treatment import Action, Cause

REFUSED = (550, "5.7.1")
"""Reply code and enhanced status (RFC 3463) of a refusal for good."""
TRY_AGAIN = (451, "4.7.1")
"""Reply code and enhanced status of a refusal for now."""
FULL = (452, "4.3.1")
"""Reply code and enhanced status when the quarantine is full and is set to refuse."""

_FINDINGS = {
    Status.INFECTED: "malware found, {detail}",
    Status.ENCRYPTED: "encrypted content, {detail}",
    Status.MACRO: "document with macros, {detail}",
    Status.SPAM: "it is considered spam",
    Status.PROBABLE_SPAM: "it is considered spam",
    Status.MASS_MAIL: "mass mail is not accepted",
    Status.PHISHING: "phishing, {detail}",
    Status.MALICIOUS_LINK: "malicious link, {detail}",
    Status.SIZE: "too large, {detail}",
    Status.NAME: "forbidden attachment, {detail}",
    Status.TYPE: "forbidden attachment, {detail}",
    Status.COUNT: "too many attachments, {detail}",
    Status.SPF_FAIL: "the sender's domain does not permit this client (SPF)",
    Status.DKIM_FAIL: "its DKIM signature is wrong",
    Status.DMARC_NONE: "the author's domain is not authenticated (DMARC)",
    Status.DMARC_QUARANTINE: "the author's domain is not authenticated (DMARC)",
    Status.DMARC_REJECT: "refused by the policy of the author's domain (DMARC)",
}


@dataclass(frozen=True)
class Reply:
    """The packets that answer a message: changes, which may be read from a file while they are sent, and the verdict.

    They can be taken once.
    """

    verdict: Packet
    changes: Iterable[Packet] = ()

    def __iter__(self) -> Iterator[Packet]:
        yield from self.changes
        yield self.verdict

    @property
    def text(self) -> str:
        """The reply as events show it: the SMTP reply, or nothing when the message was accepted."""
        return self.verdict.data.rstrip(b"\0").decode("ascii")


def accepted(plan: Plan, message: Message, changes: Changes | None) -> Reply:
    """The message passes, for the recipients that are left, with its changes. Raises OSError."""
    if plan.answer is Answer.DISCARD:
        return Reply(DISCARD)
    recipients = message.envelope.recipients
    removals = [delete_recipient(recipients[number]) for number in plan.removed]
    return Reply(ACCEPT, chain(removals, change_packets(changes)) if changes else removals)


def refused(plan: Plan, reference: str) -> Reply:
    """The refusal, in the words of the rule of the first recipients, or of what was found."""
    causes = [
        c for c in plan.shares[0].decision.causes if c.treatment.action in (Action.REJECT, Action.DELETE_ATTACHMENT)
    ]
    return Reply(refusal(*REFUSED, f"{_words(causes)} (reference {reference})"))


def put_off(reference: str, full: bool = False) -> Reply:
    """The refusal for now."""
    if full:
        return Reply(refusal(*FULL, f"The quarantine is full, please try again later (reference {reference})"))
    text = f"Message cannot be checked now, please try again later (reference {reference})"
    return Reply(refusal(*TRY_AGAIN, text))


def _words(causes: Iterable[Cause]) -> str:
    for cause in causes:
        if cause.treatment.reply:
            return cause.treatment.reply
        text = _FINDINGS.get(cause.finding.status, cause.finding.status.value)
        return "Message refused: " + text.format(detail=cause.finding.detail).removesuffix(", ")
    return "Message refused by a rule"
