"""The header fields that a decision changes: tags, marks of findings, a rule's own fields."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ksmg.changes.edits import HeaderEdit, Kind, UnchangeableMessage
from ksmg.changes.fields import (
    ANTISPAM_HEADER,
    OWN_PREFIX,
    SPAM_FLAG_HEADER,
    UNSCANNED_HEADER,
    field_value,
    header_name,
)
from ksmg.changes.source import header_fields
from ksmg.changes.subject import subject_edits
from ksmg.checks.verdict import Status, Verdict
from ksmg.mail.spool import SpooledMessage
from ksmg.rules.treatment import Cause, Decision

MOST_EDITS = 200
"""Fields of a message that are changed. The mail server looks for each from the beginning."""
_SPAM = (Status.SPAM, Status.PROBABLE_SPAM, Status.MASS_MAIL)
_LONGEST_EVIDENCE = 900


def header_edits(
    spooled: SpooledMessage, decision: Decision, verdicts: Mapping[str, Verdict]
) -> tuple[HeaderEdit, ...]:
    """The edits, in the order in which they are made.

    Our own fields are removed first: a sender could have put in some that say the opposite. Raises
    UnchangeableMessage for a message with hundreds of fields to change.
    """
    edits = [
        HeaderEdit(Kind.REMOVE, name, index)
        for name, count in forged_fields(spooled).items()
        for index in range(min(count, MOST_EDITS + 1), 0, -1)
    ]
    if tags := [cause.treatment.tag for cause in decision.causes if cause.treatment.tag]:
        edits += subject_edits(_subjects(spooled), tags)
    edits += _added(dict.fromkeys([*_marks(decision.causes, verdicts), *_rule_fields(decision)]))
    if len(edits) > MOST_EDITS:
        raise UnchangeableMessage("the message has too many header fields that would have to be changed")
    return tuple(edits)


def forged_fields(spooled: SpooledMessage) -> dict[bytes, int]:
    """Fields that only this gateway writes and the message came with, and how many of each."""
    flag = SPAM_FLAG_HEADER.lower().encode()
    return {n: c for n, c in spooled.header_counts.items() if n == flag or n.startswith(OWN_PREFIX)}


def _subjects(spooled: SpooledMessage) -> Sequence[tuple[bytes, bytes]]:
    count = spooled.header_counts[b"subject"]
    if count < 2:
        first = spooled.header(b"Subject")
        return [first] if first else []
    if count > MOST_EDITS:
        raise UnchangeableMessage(f"the message has {count} subjects")
    return [(name, value) for name, value in header_fields(spooled) if name.lower() == b"subject"]


def _marks(causes: Sequence[Cause], verdicts: Mapping[str, Verdict]) -> Iterator[tuple[str, str]]:
    for cause in causes:
        verdict = verdicts.get(cause.check)
        if cause.finding.status in _SPAM and cause.treatment.tag:
            if cause.finding.status is Status.SPAM:
                yield SPAM_FLAG_HEADER, "YES"
            found = f"{cause.finding.status.value.replace('_', ' ')}, score {cause.finding.detail}"
            yield ANTISPAM_HEADER, ", ".join([found, *(verdict.evidence if verdict else ())])[:_LONGEST_EVIDENCE]
        if cause.finding.status is Status.UNSCANNED:
            reason = verdict.reason.value if verdict and verdict.reason else "error"
            yield UNSCANNED_HEADER, f"{cause.check} ({reason})"


def _rule_fields(decision: Decision) -> Iterator[tuple[str, str]]:
    yield from decision.headers
    for cause in decision.causes:
        yield from cause.treatment.headers


def _added(fields: Iterable[tuple[str, str]]) -> Iterator[HeaderEdit]:
    for name, text in fields:
        own = name in (SPAM_FLAG_HEADER, ANTISPAM_HEADER, UNSCANNED_HEADER)
        encoded = name.encode("ascii") if own else header_name(name)
        yield HeaderEdit(Kind.ADD, encoded, 1, field_value(text, encoded))
