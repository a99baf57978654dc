"""The texts of notifications, with placeholders for what is told."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ksmg.mail.readable import readable
from ksmg.rules.treatment import Notified

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "host": "the gateway's name",
        "id": "the event's id, which finds it again",
        "time": "when the message was processed, UTC",
        "sender": "the envelope's sender",
        "recipients": "the recipients that this is about",
        "subject": "the message's subject",
        "message_id": "the message's Message-ID",
        "client_ip": "the address of the client that sent it",
        "rule": "the rule that applied",
        "action": "what was done",
        "findings": "what was found, one line each",
    }
)
"""The words that a text may have as `$word` or `${word}`, and what each stands for."""
LONGEST_TEXT = 20_000
"""Characters of a template."""
_LINES = frozenset({"findings"})
"""Placeholders of several lines."""
_LINE_END = re.compile(r"\r\n?|\n")


class _Words(string.Template):
    idpattern = r"[a-z_]+"
    flags = re.ASCII


@dataclass(frozen=True)
class Template:
    """A notification's subject and text."""

    subject: str
    text: str

    def __post_init__(self) -> None:
        """Raises ValueError, the end of a sentence, for a text with an unknown placeholder or one that is too long."""
        for text in (self.subject, self.text):
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"is longer than {LONGEST_TEXT} characters")
            if not _Words(text).is_valid():
                raise ValueError("has a '$' that begins no placeholder: write '$$' for the sign itself")
            if unknown := set(_Words(text).get_identifiers()) - PLACEHOLDERS.keys():
                raise ValueError(f"has the unknown placeholder ${min(unknown)}; there are {', '.join(PLACEHOLDERS)}")

    def render(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Subject and text with their values. Whatever a stranger put into a value is made one readable line."""
        clean = {name: _cleaned(name, values.get(name, "")) for name in PLACEHOLDERS}
        return readable(_Words(self.subject).substitute(clean)), _Words(self.text).substitute(clean)


def _cleaned(name: str, value: str) -> str:
    if name not in _LINES:
        return readable(value)
    return "\n".join(readable(line) for line in _LINE_END.split(value))


DEFAULTS: Mapping[Notified, Template] = MappingProxyType(
    {
        Notified.ADMINISTRATOR: Template(
            "$host: $action: $subject",
            "The mail gateway $host processed a message of which you want to know.\n\n"
            "What was done: $action (rule $rule)\n$findings\n\n"
            "Sender:     $sender\nRecipients: $recipients\nSubject:    $subject\nMessage-ID: $message_id\n"
            "Client:     $client_ip\nTime:       $time\n\nMore about it: ksmg explain $id\n",
        ),
        Notified.SENDER: Template(
            "Your message was not delivered as you sent it: $subject",
            "The mail gateway $host changed or stopped a message that was sent in your name.\n\n"
            "What was done: $action\n$findings\n\n"
            "Recipients: $recipients\nSubject:    $subject\nTime:       $time\n\n"
            "If you did not send it, tell your administrator. The reference is $id.\n",
        ),
        Notified.RECIPIENT: Template(
            "A message to you was changed or stopped: $subject",
            "The mail gateway $host changed or stopped a message to you.\n\n"
            "What was done: $action\n$findings\n\n"
            "Sender:  $sender\nSubject: $subject\nTime:    $time\n\n"
            "If you need it, ask your administrator. The reference is $id.\n",
        ),
    }
)
"""The texts that are used unless a rule or the settings have others."""
