"""Treatments out of a rule's document.

No text of a rule can end a header field or a reply and begin another: texts without control characters are the only
ones that get past here, and so are words of an engine that are put in their place.
"""

import dataclasses
import re
from typing import Any

from ksmg.checks.verdict import Finding, Verdict
from ksmg.rules.fields import ascii_text, choice, listed, record, text, truth, within
from ksmg.rules.treatment import Action, Inserted, Notified, Treatment

LONGEST_VALUE = 900
"""Characters of a header field's value; with its name below the 998 of RFC 5322, 2.1.1."""
_FIELD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,59}")
_TAKEN = frozenset((
    "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "date", "subject",
    "received", "return-path", "delivered-to", "mime-version", "dkim-signature", "domainkey-signature",
    "authentication-results", "received-spf", "errors-to", "disposition-notification-to",
))  # fmt: skip
_TAKEN_BEGINNINGS = ("content-", "resent-", "arc-", "list-")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
PLACEHOLDERS = ("module", "status", "detail", "evidence", "score")
"""What can stand in braces in a treatment's header value: of the finding, and of the verdict that it is part of."""


def header_name(value: Any) -> str:
    """The name of a header field that rules may add: not one that mail programs act upon. Raises ValueError."""
    if not isinstance(value, str) or not _FIELD_NAME.fullmatch(value):
        raise ValueError("must be a header field's name: letters, digits and hyphens, at most 60")
    folded = value.lower()
    if folded in _TAKEN or folded.startswith(_TAKEN_BEGINNINGS):
        raise ValueError("is a header field that rules may not add")
    return value


def parse_headers(value: Any) -> tuple[tuple[str, str], ...]:
    """Header fields out of an object of names and values. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of header names and values")
    found = []
    for name, inner in value.items():
        with within(str(name)):
            found.append((header_name(name), ascii_text(LONGEST_VALUE)(inner)))
    return tuple(found)


def parse_inserted(value: Any) -> Inserted:
    """A text to put into messages. Raises ValueError."""
    found = record(value, {"text": text(10_000, lines=True), "html": text(50_000, lines=True), "at": _place})
    if not found.get("text"):
        raise ValueError("must have a text")
    return Inserted(found["text"], found.get("html", ""), found.get("at", True))


def parse_treatment(value: Any) -> Treatment:
    """A treatment; a single word is the treatment with that action alone. Raises ValueError."""
    if isinstance(value, str):
        return Treatment(choice(Action)(value))
    return Treatment(
        **record(
            value,
            {
                "action": choice(Action),
                "tag": text(100),
                "headers": _treatment_headers,
                "backup": truth,
                "insert": parse_inserted,
                "notify": lambda names: frozenset(map(choice(Notified), listed(names))),
                "reply": ascii_text(400),
            },
        )
    )


def filled(treatment: Treatment, verdict: Verdict, finding: Finding) -> Treatment:
    """The treatment with the finding's words in place of the placeholders of its header values."""
    if not any("{" in value for _, value in treatment.headers):
        return treatment
    words = {
        "module": verdict.check,
        "status": finding.status.value,
        "detail": finding.detail,
        "evidence": ", ".join(verdict.evidence),
        "score": "" if verdict.score is None else f"{verdict.score:.1f}",
    }
    headers = ((name, _printable(_PLACEHOLDER.sub(lambda m: words[m[1]], value))) for name, value in treatment.headers)
    return dataclasses.replace(treatment, headers=tuple(headers))


def _treatment_headers(value: Any) -> tuple[tuple[str, str], ...]:
    found = parse_headers(value)
    for name, inner in found:
        for word in _PLACEHOLDER.findall(inner):
            if word not in PLACEHOLDERS:
                raise ValueError(f"has {{{word}}} in {name}; there are: {', '.join(PLACEHOLDERS)}")
    return found


def _place(value: Any) -> bool:
    if value not in ("top", "bottom"):
        raise ValueError("must be one of: top, bottom")
    return bool(value == "top")


def _printable(value: str) -> str:
    escaped = value.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(letter if letter.isprintable() else "?" for letter in escaped)[:LONGEST_VALUE].strip(" ,")
