"""A person whose traces can be looked for: by words in its address, subjects and texts that are nowhere else."""

import base64
import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Any

from ksmg.rules.rule import Preset
from lab.target import Target

from e2e.appliance import Appliance
from e2e.samples import EICAR, GTUBE, Sample
from e2e.smtp import Answer, send
from e2e.waiting import until

SEARCHED = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/var")
"""Everything that can be written to on the appliance."""
FOUND_IN = {"backup", "message_events", "mta_log", "spam_quarantine", "statistics", "traces"}
"""Rows in which all kinds of mail leave something of a person."""
HELD = "canary-spam"
REPORT = "canary.json"
"""Which words a search of the disk looks for."""


def _word(beginning: str) -> str:
    return f"{beginning}{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class Canary:
    """The person, and mail of all kinds from and to it."""

    target: Target
    appliance: Appliance
    local: str = field(default_factory=lambda: _word("qzperson"))
    subject: str = field(default_factory=lambda: _word("qzsubject"))
    text: str = field(default_factory=lambda: _word("qztext"))

    @property
    def address(self) -> str:
        return f"{self.local}@{self.target.domain}"

    @property
    def stranger(self) -> str:
        return f"anna@{self.target.partner}"

    @property
    def words(self) -> tuple[str, ...]:
        return (self.local, self.subject, self.text)

    @property
    def forms(self) -> tuple[bytes, ...]:
        """What a search of files and disks looks for: the words, and what base64 makes of them."""
        return tuple(form for word in self.words for form in (word.encode(), *_in_base64(word)))

    def message(self, sender: str, recipient: str, text: str, encoding: str = "7bit") -> Sample:
        """A message with the person's words, the subject in an encoded word. The virus is a file that has its name."""
        marker = f"t{uuid.uuid4().hex}"
        message = EmailMessage()
        message["Date"] = format_datetime(localtime())
        message["From"] = f"Anna <{sender}>"
        message["To"] = f"Grüße <{recipient}>"
        message["Subject"] = f"{self.subject} grüßt"
        message["Message-ID"] = f"<{marker}@{sender.rpartition('@')[2]}>"
        message.set_content(f"{self.text}\n{text if text != EICAR else ''}\n", cte=encoding)
        if text == EICAR:
            name = f"{self.subject}.com"
            message.add_attachment(EICAR.encode(), maintype="application", subtype="octet-stream", filename=name)
        return Sample(marker, message.as_bytes().replace(b"\n", b"\r\n"), str(message["Subject"]))

    def receive(self, text: str, sender: str = "", encoding: str = "7bit") -> tuple[Sample, Answer]:
        """Mail from the internet to the person."""
        sample = self.message(sender or self.stranger, self.address, text, encoding)
        return sample, send(self.target, self.target.outside, sender or self.stranger, self.address, sample)

    def write(self) -> tuple[Sample, Answer]:
        """Mail of the person to the internet."""
        sample = self.message(self.address, self.stranger, "Good morning.", "base64")
        return sample, send(self.target, self.target.inside, self.address, self.stranger, sample)

    def mail_of_all_kinds(self) -> list[Sample]:
        """Clean mail both ways, a virus that goes to Backup, spam that is held; returns when all of it is recorded."""
        with self._spam_is_held(), self._traced():
            sent = [
                self.receive("Good morning.", encoding="quoted-printable"),
                self.receive(EICAR),
                self.receive(GTUBE, f"{HELD}@{self.target.partner}"),
                self.write(),
            ]
            codes = [answer.code for _, answer in sent]
            assert codes == [250, 550, 250, 250], [answer.text for _, answer in sent]
            for sample, _ in sent:
                self.appliance.event_about(sample.marker)
        until(lambda: not self.queued(), "end of the deliveries")
        return [sample for sample, _ in sent]

    def queued(self) -> bool:
        """Whether mail is still in delivery."""
        return bool(self.appliance.run("postqueue", "-j").strip())

    def found(self) -> dict[str, Any]:
        """What `ksmg subject find` says."""
        found: dict[str, Any] = json.loads(self.tell("find", "--json"))
        return found

    def rows(self) -> set[str]:
        """The rows in which something is found."""
        return {finding["row"] for finding in self.found()["findings"]}

    def tell(self, verb: str, *options: str) -> str:
        """`ksmg subject` about the person, whose address is in no command line: those are in logs of their own."""
        return self.appliance.feed(f"{self.address}\n", "ksmg", "subject", verb, "-", *options)

    def erase(self, *options: str) -> dict[str, Any]:
        """Erases the person; the receipt and its signature."""
        handed_out = json.loads(self.tell("erase", "--yes", "--json", *options))
        return {**json.loads(handed_out["receipt"]), "signed": handed_out}

    def files_with_traces(self) -> list[str]:
        """Files of the appliance that still have one of the words."""
        patterns = "".join(f"{form.decode()}\n" for form in self.forms)
        command = ["grep", "-rlaF", "-f", "-", "--devices=skip", *SEARCHED]
        lowered = ["grep", "-rlaiF", "-f", "-", "--devices=skip", *SEARCHED]
        plain = "".join(f"{word}\n" for word in self.words)
        return [*self._grep(patterns, command), *self._grep(plain, lowered)]

    def _grep(self, patterns: str, command: list[str]) -> list[str]:
        return self.appliance.feed(patterns, "sh", "-c", f"{' '.join(command)} 2>/dev/null || true").splitlines()

    @contextlib.contextmanager
    def _spam_is_held(self) -> Iterator[None]:
        """A rule for one sender, which names the person nowhere."""
        before = self.appliance.run("ksmg", "rules", "export")
        rule = {
            "name": "Canary",
            "when": {"sender": [f"{HELD}@{self.target.partner}"]},
            "modules": {"antispam": {"on": {"spam": "quarantine"}}},
        }
        self.appliance.feed(json.dumps(rule), "ksmg", "rules", "add", "-", "--before", Preset.DENY_LIST.value)
        try:
            self._await_rules()
            yield
        finally:
            self.appliance.feed(before, "ksmg", "rules", "import", "-")
        self._await_rules()

    def _await_rules(self) -> None:
        digest = self.appliance.ksmg("rules", "list")["digest"]
        until(lambda: self._newest_rules() == digest, f"filter with the rules {digest}")

    def _newest_rules(self) -> str:
        events = self.appliance.ksmg("events", "--system")
        return next((event["detail"]["digest"] for event in events if event["name"] == "rules_loaded"), "")

    @contextlib.contextmanager
    def _traced(self) -> Iterator[None]:
        """Whole conversations are traced, with the messages in them."""
        self.appliance.run("ksmg", "trace", "set", "milter", "debug")
        self.appliance.run("ksmg", "trace", "set", "filter", "debug")
        try:
            until(self._trace_is_written, "trace of the mail server's conversation")
            yield
        finally:
            for component in ("milter", "filter"):
                self.appliance.run("ksmg", "trace", "set", component, "off")

    def _trace_is_written(self) -> bool:
        """Mail of another person, until it is traced."""
        other = replace(self, local=_word("other"), subject=_word("other"), text=_word("other"))
        other.receive("Good morning.")
        return bool(self.appliance.run("ksmg", "trace", "show", "milter", "--lines", "1").strip())


def _in_base64(word: str) -> Iterator[bytes]:
    """What base64 has of a word, at each alignment."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + word.encode())
        yield coded[-(-before * 8 // 6) : (before + len(word)) * 8 // 6]
