"""What the filter answers the mail server: reply codes, header names and texts, shared with the tests."""

from collections.abc import Iterator

from ksmg.checks.verdict import Status, Verdict
from ksmg.mail.spool import SpooledMessage
from ksmg.milter.packets import Packet
from ksmg.milter.replies import ACCEPT, add_header, change_header, refusal
from ksmg.rules.action import Action
from ksmg.rules.default import Outcome

SUBJECT_TAG = "[SPAM] "
SPAM_FLAG_HEADER = "X-Spam-Flag"
ANTISPAM_HEADER = "X-KSMG-AntiSpam"
UNSCANNED_HEADER = "X-KSMG-Unscanned"
REFUSED = (550, "5.7.1")
"""Reply code and enhanced status (RFC 3463) of a refusal for good."""
TRY_AGAIN = (451, "4.7.1")
"""Reply code and enhanced status of a refusal for now."""


def answer(outcome: Outcome, spooled: SpooledMessage, reference: str) -> list[Packet]:
    """The changes that an outcome makes to a message, then its reply."""
    match outcome.action:
        case Action.REJECT:
            return [refusal(*REFUSED, f"Message refused: {_finding(outcome.decisive)} (reference {reference})")]
        case Action.TEMPFAIL:
            return [
                refusal(*TRY_AGAIN, f"Message cannot be checked now, please try again later (reference {reference})")
            ]
        case Action.TAG:
            return [*_marks(outcome, spooled), ACCEPT]
        case Action.DELIVER:
            return [ACCEPT]


def reply_text(packets: list[Packet]) -> str:
    """The reply as events show it: the SMTP reply, or nothing when the message was accepted."""
    last = packets[-1]
    return "" if last is ACCEPT else last.data.rstrip(b"\0").decode("ascii")


def _finding(verdicts: tuple[Verdict, ...]) -> str:
    infected = next((verdict for verdict in verdicts if verdict.status is Status.INFECTED), None)
    return f"malware found, {infected.detail}" if infected else "it is considered spam"


def _marks(outcome: Outcome, spooled: SpooledMessage) -> Iterator[Packet]:
    """Our own header fields are removed first: a sender could have put in some that say the opposite."""
    for name in (SPAM_FLAG_HEADER, ANTISPAM_HEADER, UNSCANNED_HEADER):
        for index in range(spooled.header_counts[name.lower().encode()], 0, -1):
            yield change_header(name.encode(), index, b"")
    for verdict in outcome.decisive:
        if verdict.status in (Status.SPAM, Status.PROBABLE_SPAM):
            yield from _spam_marks(verdict, spooled)
        if verdict.status is Status.UNSCANNED:
            yield add_header(
                UNSCANNED_HEADER, f"{verdict.check} ({verdict.reason.value if verdict.reason else 'error'})"
            )


def _spam_marks(verdict: Verdict, spooled: SpooledMessage) -> Iterator[Packet]:
    field = spooled.header(b"Subject")
    if field is None:
        yield add_header("Subject", SUBJECT_TAG.strip())
    elif not field[1].lstrip().startswith(SUBJECT_TAG.strip().encode()):
        yield change_header(field[0], 1, b" " + SUBJECT_TAG.encode() + field[1].lstrip())
    yield add_header(SPAM_FLAG_HEADER, "YES")
    yield add_header(ANTISPAM_HEADER, ", ".join([f"spam, score {verdict.detail}", *verdict.evidence])[:900])
