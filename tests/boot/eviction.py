"""What is asked of the appliance so that stores evict, and a log ends its parts, while the power fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.expectation import POLICY, PRIORITIES, locations
from host.question import command
from lab.target import Target

REPORT = "eviction.jsonl"
"""What the stores promised, a JSON line for each batch."""
DIRECTORY = "/var/lib/eviction"
"""On the file system of the gateway's own stores."""
LOG = "ksmg-important"
LONGEST = 300.0
"""Seconds until it ends when the power does not fail."""


def asked(seconds: float) -> dict[str, Any]:
    """Of host/remote/evict.py: to fill for so long, or to look."""
    log = next(str(at.place) for at in locations(POLICY).values() if at.place.name == LOG)
    return {"directory": DIRECTORY, "log": log, "priority": PRIORITIES[LOG], "seconds": seconds}


@contextmanager
def evicting(target: Target, report: Path) -> Iterator[None]:
    """Within the block stores evict. Afterwards `report` has what they promised."""
    ssh = ["ssh", "-F", target.ssh_config, target.name, command("evict", asked(LONGEST))]
    with report.open("wb") as output:
        process = subprocess.Popen(ssh, stdout=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
