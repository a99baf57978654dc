"""Floods one log file of the appliance under a small cap, and says how it went; then as before.

Argument: {"log": path, "logs": {name in variables: path}, "priority": of syslog, "room": bytes}.
The room is the flooded log's cap. What it held before goes first: nothing counts until it is below the cap, and how
much is kept counts when all of that is gone. The others keep what they have.
"""

import contextlib
import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
from typing import Any

from ksmg.audit.promise import JOURNAL_SOCKET

DROP_IN = pathlib.Path("/run/systemd/system/rsyslog.service.d/99-flood.conf")
ENVIRONMENT = pathlib.Path("/run/flood.env")
SOCKET = JOURNAL_SOCKET.partition(":")[0]
LINE = 400
TIMES = 3
PARTS = 50


def files(log: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        (path for path in log.parent.glob(log.name + "*") if re.fullmatch(r"(\.\d+)?", path.name[len(log.name) :])),
        key=lambda path: int(path.suffix[1:]) if path.suffix[1:].isdigit() else sys.maxsize,
    )


def total(log: pathlib.Path) -> int:
    """Counted again when a part got its name meanwhile: a listing may have neither the old name nor the new one."""
    while True:
        listed, found = files(log), 0
        for path in listed:
            with contextlib.suppress(FileNotFoundError):  # evicted at this moment
                found += path.stat().st_size
        if files(log) == listed:
            return found


def use_caps(asked: dict[str, Any]) -> None:
    """What rsyslog's service has from the gateway's package, with other numbers."""
    lines = []
    for name, log in asked["logs"].items():
        cap, unit = asked["room"] + (0 if log == asked["log"] else total(pathlib.Path(log))), asked["room"] // PARTS
        lines += [f"KSMG_UNIT_{name}={unit}\n", f"KSMG_ROTATE_{name}=/usr/libexec/ksmg/rotate-log {log} {cap} {unit}\n"]
    ENVIRONMENT.write_text("".join(lines))
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\nEnvironmentFile={ENVIRONMENT}\n")
    restart()


def restart() -> None:
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "restart", "rsyslog.service"], check=True)


class Watch:
    """The log's size at each look, and since which of them nothing is left of what it held before."""

    def __init__(self, log: pathlib.Path) -> None:
        self._log = log
        self._before = [os.open(path, os.O_RDONLY) for path in files(log)]  # open, their inodes are not given anew
        self.sizes: list[int] = []
        self.settled: int | None = None

    def look(self) -> None:
        if self.settled is None and not any(os.fstat(descriptor).st_nlink for descriptor in self._before):
            self.settled = len(self.sizes)
        self.sizes.append(total(self._log))

    def most(self, cap: int) -> int:
        """From the first look on at which it was below its cap."""
        return max(itertools.dropwhile(lambda size: size > cap, self.sizes), default=sys.maxsize)

    def least(self, cap: int) -> int:
        """Once it was full, and of nothing but the flood."""
        new = self.sizes[self.settled :] if self.settled is not None else []
        return min(itertools.dropwhile(lambda size: size <= 0.9 * cap, new), default=0)


def flood(asked: dict[str, Any], log: pathlib.Path, marker: str, watch: Watch) -> int:
    """Sends numbered lines, and looks at the size after each few; the number of the last."""
    number = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.connect(SOCKET)
        while number * LINE < TIMES * asked["room"]:
            for following in range(number + 1, number + 21):
                text = f"<{asked['priority']}>flood: {marker} {following:07} "
                daemon.send(text.ljust(LINE, ".").encode())
            number += 20
            watch.look()
    deadline = time.monotonic() + 240
    while number not in numbers(log, marker) and time.monotonic() < deadline:  # the log may just have ended a part
        watch.look()
        time.sleep(0.05)
    time.sleep(0.5)
    watch.look()
    return number


def numbers(log: pathlib.Path, marker: str) -> list[int]:
    found: list[str] = []
    for path in files(log):
        with contextlib.suppress(FileNotFoundError):  # evicted at this moment
            found += re.findall(rf"{marker} (\d+)", path.read_text(errors="replace"))
    return [int(number) for number in found]


def everywhere(text: str) -> list[str]:
    """Files that have a text, but for those of the kernel."""
    found = subprocess.run(
        ["grep", "-rlsaF", "--exclude-dir=proc", "--exclude-dir=sys", text, "/var", "/tmp", "/run", "/etc", "/root"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.split()


def main() -> None:
    asked = json.loads(sys.argv[1])
    log, marker = pathlib.Path(asked["log"]), f"flood{os.urandom(6).hex()}"
    before, watch = log.stat(), Watch(log)
    cap = asked["room"]
    use_caps(asked)
    try:
        last = flood(asked, log, marker, watch)
        kept = numbers(log, marker)
        stats = [path.stat() for path in files(log)]
    finally:
        DROP_IN.unlink(missing_ok=True)
        restart()
        ENVIRONMENT.unlink(missing_ok=True)
    json.dump({
        "cap": cap, "unit": cap // PARTS, "last": last, "kept": kept,
        "most": watch.most(cap), "least": watch.least(cap),
        "log": str(log),
        "like_before": all(
            (facts.st_uid, facts.st_gid, facts.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
            for facts in stats
        ),
        "evicted_in": everywhere(f"{marker} {1:07}"),
    }, sys.stdout)  # fmt: skip


main()
