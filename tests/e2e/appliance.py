"""The appliance's own command line, over SSH."""

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from host.expectation import POLICY, locations
from lab.target import Target

from e2e.waiting import until

TIME_LIMIT = 180
START_LIMIT = 420.0
"""Seconds; an emulated machine takes minutes for what a real one does in ten seconds."""


@dataclass(frozen=True)
class Appliance:
    """Runs commands on the target as its administrator."""

    target: Target

    def run(self, *argv: str, check: bool = True) -> str:
        """What the command printed."""
        done = self.attempt(*argv)
        if check and done.returncode:
            raise AssertionError(f"`{shlex.join(argv)}` failed ({done.returncode}): {done.stderr or done.stdout}")
        return done.stdout

    def attempt(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """What became of the command, text as UTF-8."""
        return subprocess.run(self._ssh(argv), capture_output=True, text=True, timeout=TIME_LIMIT, check=False)

    def feed(self, text: str, *argv: str) -> str:
        """What the command printed that was given a text on its standard input."""
        done = subprocess.run(
            self._ssh(argv), input=text, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
        )
        if done.returncode:
            raise AssertionError(f"`{shlex.join(argv)}` failed ({done.returncode}): {done.stderr or done.stdout}")
        return done.stdout

    def run_bytes(self, *argv: str) -> bytes:
        """What the command printed, as it is."""
        return subprocess.run(self._ssh(argv), capture_output=True, timeout=TIME_LIMIT, check=True).stdout

    def _ssh(self, argv: Sequence[str]) -> list[str]:
        return ["ssh", "-F", self.target.ssh_config, self.target.name, shlex.join(argv)]

    def ksmg(self, *argv: str) -> Any:
        """The JSON answer of a `ksmg` command; its exit code may say that something is wrong with the appliance."""
        return json.loads(self.run("ksmg", *argv, "--json", check=False))

    def await_engines(self) -> None:
        """Wait until every engine answers: one that has just started compiles its rules first."""
        until(lambda: self.ksmg("status")["healthy"], "working appliance", START_LIMIT)

    def lines_with(self, marker: str, file: str) -> list[str]:
        """Lines of a log that name the marker."""
        return self.run("grep", "-F", marker, file, check=False).splitlines()

    def log(self, name: str) -> str:
        """The path of one of the policy's log files, by its name."""
        return next(str(at.place) for at in locations(POLICY).values() if at.type == "log" and at.place.name == name)

    def event_about(self, marker: str) -> dict[str, Any]:
        """The event of the message with this marker; events are written a moment after the answer."""

        def look() -> dict[str, Any] | None:
            return next((event for event in self.ksmg("events") if marker in event["message_id"]), None)

        return until(look, f"event about {marker}")

    def backup_of(self, marker: str) -> dict[str, Any]:
        """The copy in Backup of the message with this marker; it is there before the sender has the answer."""
        entries: list[dict[str, Any]] = self.ksmg("backup", "list")
        return next(entry for entry in entries if marker in entry["message_id"])

    def dkim_record(self, domain: str) -> tuple[str, str]:
        """Name and value of the TXT record to publish for a signing domain, as the appliance prints it."""
        for line in self.run("ksmg", "dkim", "show").splitlines():
            name, _, value = line.partition(" IN TXT ")
            if name.endswith(f"._domainkey.{domain}."):
                return name.rstrip("."), "".join(re.findall(r'"([^"]*)"', value))
        raise AssertionError(f"the appliance prints no DKIM record for {domain}")
