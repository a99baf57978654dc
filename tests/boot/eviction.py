"""What is asked of the appliance so that stores evict, and a log ends its parts, while the power fails."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.expectation import POLICY, PRIORITIES, locations
from host.question import command
from lab.target import Target

REPORT = "eviction.jsonl"
"""What the stores promised, a JSON line for each batch."""
STORES = {"messages": 128, "events": 25}
"""Store -> segments in its cap; one more may be there for a moment."""
DIRECTORY = "/var/lib/eviction"
"""On the file system of the gateway's own stores."""
LOG = "ksmg-important"
FILLED = 600.0
"""Seconds in which all stores have come to their caps, on a machine that does other things as well."""
LONGEST = FILLED + 300.0
"""Seconds until it ends when the power does not fail."""


def asked(seconds: float) -> dict[str, Any]:
    """Of host/remote/evict.py: to fill for so long, or to look."""
    log = next(str(at.place) for at in locations(POLICY).values() if at.place.name == LOG)
    return {"directory": DIRECTORY, "log": log, "priority": PRIORITIES[LOG], "seconds": seconds}


@contextmanager
def evicting(target: Target, report: Path) -> Iterator[None]:
    """Within the block all stores evict. Afterwards `report` has what they promised."""
    ssh = ["ssh", "-F", target.ssh_config, target.name, command("evict", asked(LONGEST))]
    with report.open("wb") as output:
        process = subprocess.Popen(ssh, stdout=output)
        try:
            _wait_until_all_evict(process, report)
            yield
        finally:
            process.terminate()
            process.wait(30)


def told(report: Path) -> list[dict[str, Any]]:
    """What the stores have promised so far; a line that is not whole yet is left out."""
    return [json.loads(line) for line in report.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _wait_until_all_evict(process: subprocess.Popen[bytes], report: Path) -> None:
    deadline = time.monotonic() + FILLED
    while {batch["store"] for batch in told(report) if batch["evicts"]} != set(STORES):
        if time.monotonic() > deadline or process.poll() is not None:
            raise TimeoutError(f"not every store evicts within {FILLED:.0f} s: {told(report)[-2:]}")
        time.sleep(1.0)
