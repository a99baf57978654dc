"""Programs that stay: each runs under a small parent in its own control group and network namespace.

`python -m lab.daemon LAB MEMBER NETNS PROGRAM...` is that parent. It starts the program again when a container asks
for a reboot (exit status 133), and otherwise ends with it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import group
from lab.place import Place

REBOOT = 133
START_LIMIT = 10.0
PACKAGES = Path(__file__).resolve().parents[1]


def start(place: Place, member: str, netns: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Start the program in the background, in a session of its own; its output goes to the member's log."""
    log = place.dir / "log" / f"{member}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        subprocess.run(
            ["setsid", "--fork", sys.executable, "-m", "lab.daemon", place.name, member, netns, *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": str(PACKAGES), **(env or {})},
            check=True,
        )
    deadline = time.monotonic() + START_LIMIT
    while not group.populated(place, member) and time.monotonic() < deadline:
        time.sleep(0.01)


def main(argv: Sequence[str]) -> int:
    """Run the program until it ends."""
    lab, member, netns, *program = argv
    group.join(Place.from_environment(lab), member)
    while True:
        status = subprocess.run(["nsenter", f"--net=/run/netns/{netns}", *program], check=False).returncode
        if status != REBOOT:
            return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
