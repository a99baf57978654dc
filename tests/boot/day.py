"""``python -m boot.day IMAGE REPORTS``: a day of mail on the booted image, and the same machine when it has become old.

Each time every row of the data-protection statement has to be true. Takes half an hour; exit code 1 when one is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.weather import REPORT, blowing
from golden.machine import CLUSTER
from host.expectation import POLICY

from boot.appliance import FIRST_BOOT_LIMIT, LATER_BOOT_LIMIT, Appliance, in_the_lab

CONNECTIONS = 6
STATEMENT = "statement.md"
DAYS = POLICY.retention("message_events").days or 0
UNIT = timedelta(hours=8)
"""Longer than one segment of the events: the oldest one goes when all of it is too old."""


def main() -> int:
    """Boots, sends, asks the appliance about itself, and does so again some days later."""
    parser = argparse.ArgumentParser(prog="boot.day", description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("reports", type=Path)
    parser.add_argument("--minutes", type=float, default=15.0, help="how long the day's mail is sent (15)")
    chosen = parser.parse_args()
    try:
        with in_the_lab(chosen.image, chosen.reports) as appliance:
            return 0 if all(run(appliance, chosen.reports, chosen.minutes * 60)) else 1
    except TimeoutError as error:
        print(f"boot.day: {error}", file=sys.stderr)
        return 1


def run(appliance: Appliance, reports: Path, seconds: float) -> list[bool]:
    """Both days; what held."""
    appliance.boot(FIRST_BOOT_LIMIT, CLUSTER)
    appliance.wait_for_engines()
    send(appliance, reports, seconds)
    held = [green(appliance, "after the day"), bool(asked(appliance, "events --limit 1"))]
    (reports / STATEMENT).write_text(appliance.ssh("ksmg statement --format md"))
    appliance.shut_down()
    appliance.set_clock(datetime.now(UTC) + timedelta(days=DAYS) + UNIT)
    appliance.boot(LATER_BOOT_LIMIT)
    appliance.wait_for_engines()
    held += [gone(appliance), green(appliance, f"{DAYS} days later")]
    appliance.shut_down()
    return held


def send(appliance: Appliance, reports: Path, seconds: float) -> None:
    """The day's mail, clean, spam and viruses; somebody looks at it and releases a message."""
    report = reports / REPORT
    with blowing(appliance.target, report, seconds, CONNECTIONS) as storm:
        storm.wait()
    print(f"  {len(report.read_text().splitlines()):,} messages sent", flush=True)
    kept = asked(appliance, "backup list --limit 1")
    for verb in ("show", "release"):
        appliance.ssh(f"ksmg backup {verb} {kept[0]['id']}")
    appliance.ssh("systemctl start ksmg-retention.service ksmg-audit.service")


def green(appliance: Appliance, when: str) -> bool:
    """Whether every row is true; prints what `ksmg audit` says when one is not."""
    began = time.monotonic()
    answer = appliance.ssh("ksmg audit; echo $?")
    whole = answer.split()[-1] == "0"
    print(f"  {when}: {'every row is true' if whole else answer} ({time.monotonic() - began:.0f} s)", flush=True)
    return whole


def gone(appliance: Appliance) -> bool:
    """Whether no event of the day is left, while Backup is."""
    events, backup = asked(appliance, "events --limit 1"), asked(appliance, "backup list --limit 1")
    print(f"  {DAYS} days later: {'events are left' if events else 'no event is left'}", flush=True)
    return not events and bool(backup)


def asked(appliance: Appliance, command: str) -> Any:
    """The JSON answer of a `ksmg` command."""
    return json.loads(appliance.ssh(f"ksmg {command} --json"))


if __name__ == "__main__":
    sys.exit(main())
