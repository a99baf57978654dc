"""Storms of mail, and the count of what became of each message.

A message that got 250 is delivered exactly once or is in a store; any other one was refused, or the connection ended
without an answer. Two deliveries count as one when Postfix made both from one queue file: between the next hop's answer
and the queue's note of it, SMTP itself allows that (RFC 1047). For the same reason a message may be delivered of which
Postfix says that it could not write its queue file: cleanup(8) may have been killed when the file was whole, and before
smtpd(8) heard of it. Its sender sends it again; none of the filter's own answers has that text.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.network import within
from lab.target import Target

from e2e.appliance import Appliance
from e2e.waiting import until

REPORT = "storm.jsonl"
"""The usual name of the file with each message's answer."""
MARKER = re.compile(rb"storm-[0-9]{2}-[0-9]{5}-[0-9a-f]{12}")
QUEUE_ID = re.compile(rb"^Received: from .*?\(Postfix\) with \S+ id (\w+)", re.M | re.S)
DRAINED = 300.0
UNSURE = (451, "4.3.0 Error: queue file write error")
"""What smtpd answers when it does not hear from cleanup."""


@dataclass
class Tally:
    """What became of the messages of a storm."""

    answers: Mapping[str, int]
    kinds: Mapping[str, str]
    delivered: Mapping[str, set[bytes]]
    """Queue ids of the deliveries, per marker."""
    kept: set[str]
    unsure: set[str] = field(default_factory=set)
    """Those of which Postfix did not know itself whether it has taken them."""
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def judge(self) -> None:
        """Looks for messages that were treated as they never may be."""
        for marker, code in self.answers.items():
            copies = len(self.delivered.get(marker, ()))
            if code == 250 and not copies and marker not in self.kept:
                self.faults["lost"].append(marker)
            if copies > 1:
                self.faults["doubled"].append(marker)
            if code >= 400 and copies and marker not in self.unsure:
                self.faults["refused and delivered"].append(marker)
            if self.kinds[marker] == "virus" and copies:
                self.faults["virus delivered"].append(marker)

    def __str__(self) -> str:
        codes = Counter(f"{code // 100}xx" if code else "no answer" for code in self.answers.values())
        counts = ", ".join(f"{number} {what}" for what, number in sorted(codes.items()))
        return f"{len(self.answers)} messages: {counts}; {len(self.delivered)} delivered, {len(self.kept)} in stores"


@dataclass(frozen=True)
class Weather:
    """Sends storms to the appliance and counts what became of them."""

    target: Target
    appliance: Appliance
    report: Path
    """What each message of the last storm was answered."""

    @contextmanager
    def storm(self, seconds: float, connections: int = 8) -> Iterator[Callable[[], Tally]]:
        """A storm that blows within the block. What is yielded ends it and tells the tally."""
        with blowing(self.target, self.report, seconds, connections) as process:
            yield lambda: self._ended(process)

    def pass_by(self, seconds: float) -> None:
        """Waits while a storm blows."""
        time.sleep(seconds)

    def _ended(self, process: "subprocess.Popen[bytes]") -> Tally:
        self.report.with_suffix(".over").touch()
        assert process.wait(timeout=900) == 0
        return self.tally()

    def tally(self) -> Tally:
        """What became of the last storm's messages, when all works again and the queue is empty."""
        self._mend()
        sent = [json.loads(line) for line in self.report.read_text().splitlines()]
        tally = Tally(
            answers={entry["marker"]: entry["code"] for entry in sent},
            kinds={entry["marker"]: entry["kind"] for entry in sent},
            delivered=self._delivered(),
            kept=self._kept(),
            unsure={entry["marker"] for entry in sent if (entry["code"], entry["text"]) == UNSURE},
        )
        tally.judge()
        return tally

    def _mend(self) -> None:
        """Waits until all works again and the queue is empty."""
        self.appliance.run("systemctl", "reset-failed", check=False)
        self.appliance.run("systemctl", "start", "postfix", "ksmg-filter", "clamav-daemon", "rspamd", check=False)
        self.appliance.await_engines()
        self.appliance.run("postqueue", "-f")
        until(lambda: self.appliance.run("postqueue", "-j").strip() == "", "empty queue", DRAINED)

    def _delivered(self) -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = defaultdict(set)
        for envelope in Path(self.target.inside.sink).glob("*.json"):
            content = envelope.with_suffix(".eml").read_bytes()
            if marker := MARKER.search(content):
                queue_id = QUEUE_ID.search(content)
                found[marker[0].decode()].add(queue_id[1] if queue_id else envelope.stem.encode())
        return found

    def _kept(self) -> set[str]:
        kept = set()
        for store in ("backup", "quarantine"):
            for entry in self.appliance.ksmg(store, "list", "--limit", "1000000"):
                kept |= set(re.findall(MARKER.pattern.decode(), entry["message_id"]))
        return kept


@contextmanager
def blowing(target: Target, report: Path, seconds: float, connections: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A storm from outside, ended with the block at the latest."""
    python = [sys.executable, "-m", "e2e.storm", target.address, str(report), f"--seconds={seconds}"]
    people = [f"--sender=anna@{target.partner}", f"--recipient=boris@{target.domain}", f"--connections={connections}"]
    process = subprocess.Popen(within(target.outside.netns, *python, *people))
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
