"""What the filter answers the mail server: reply codes and texts, shared with the tests."""

from collections.abc import Iterable

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


def accepted(plan: Plan, message: Message, changes: Changes | None) -> list[Packet]:
    """The message passes, for the recipients that are left, with its changes."""
    if plan.answer is Answer.DISCARD:
        return [DISCARD]
    recipients = message.envelope.recipients
    removals = [delete_recipient(recipients[number]) for number in plan.removed]
    return [*removals, *(change_packets(changes) if changes else ()), ACCEPT]


def refused(plan: Plan, reference: str) -> list[Packet]:
    """The refusal, in the words of the rule of the first recipients, or of what was found."""
    causes = [
        c for c in plan.shares[0].decision.causes if c.treatment.action in (Action.REJECT, Action.DELETE_ATTACHMENT)
    ]
    return [refusal(*REFUSED, f"{_words(causes)} (reference {reference})")]


def put_off(reference: str, full: bool = False) -> list[Packet]:
    """The refusal for now."""
    if full:
        return [refusal(*FULL, f"The quarantine is full, please try again later (reference {reference})")]
    return [refusal(*TRY_AGAIN, f"Message cannot be checked now, please try again later (reference {reference})")]


def reply_text(packets: list[Packet]) -> str:
    """The reply as events show it: the SMTP reply, or nothing when the message was accepted."""
    last = packets[-1]
    return last.data.rstrip(b"\0").decode("ascii") if last.data else ""


def _words(causes: Iterable[Cause]) -> str:
    for cause in causes:
        if cause.treatment.reply:
            return cause.treatment.reply
        text = _FINDINGS.get(cause.finding.status, cause.finding.status.value)
        return "Message refused: " + text.format(detail=cause.finding.detail).removesuffix(", ")
    return "Message refused by a rule"
