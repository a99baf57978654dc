"""Sending with swaks from a neighbour's network namespace."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from lab.network import within
from lab.target import Neighbour, Target

from e2e.samples import Sample

TIME_LIMIT = 120
ANSWER = re.compile(r"^<(?P<kind>-|~|\*\*|~\*)\s+(?P<code>\d{3})[ -](?P<text>.*)$", re.M)


@dataclass(frozen=True)
class Answer:
    """The server's last word on a message: its refusal, or its acceptance after the data."""

    code: int
    text: str
    transcript: str

    @property
    def accepted(self) -> bool:
        return self.code == 250


def send(target: Target, origin: Neighbour, sender: str, recipient: str, sample: Sample, *options: str) -> Answer:
    """Give the message to the appliance; `options` are swaks' own, for example --tls."""
    with NamedTemporaryFile(suffix=".eml") as file:
        Path(file.name).write_bytes(sample.content.removesuffix(b"\r\n"))  # swaks ends the last line itself
        command = [
            "swaks", "--server", target.address, "--helo", "mx.partner.test", "--timeout", "60s",
            "--from", sender, "--to", recipient, "--data", f"@{file.name}", *options,
        ]  # fmt: skip
        done = subprocess.run(
            within(origin.netns, *command),
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TIME_LIMIT,
            check=False,
        )
    return last_word(done.stdout + done.stderr)


def last_word(transcript: str) -> Answer:
    """The refusal if there was one, else the answer before the goodbye."""
    answers = [m for m in ANSWER.finditer(transcript) if m["code"] != "221"]
    if not answers:
        return Answer(0, "", transcript)
    refusals = [m for m in answers if m["kind"] in ("**", "~*")]
    word = (refusals or answers[-1:])[0]
    return Answer(int(word["code"]), word["text"], transcript)
