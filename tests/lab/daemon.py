"""Programs that stay: each runs under a small parent in its own control group and network namespace.

`python -m lab.daemon LAB MEMBER NETNS PROGRAM...` is that parent. It starts the program again when a container asks for a
reboot (exit status 133), and otherwise ends with it.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from lab import group
from lab.place import Place

REBOOT = 133


def start(place: Place, member: str, netns: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Start the program in the background; its output goes to the member's log."""
    log = place.dir / "log" / f"{member}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.daemon", place.name, member, netns, *argv],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env={**os.environ, **python_path(), **(env or {})},
        )  # fmt: skip


def python_path() -> dict[str, str]:
    """So that the child finds this package, wherever the caller's directory is."""
    return {"PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}


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
