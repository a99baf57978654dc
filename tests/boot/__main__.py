"""``python -m boot IMAGE REPORTS [PYTEST ARGUMENT…]``: power-on to power-off, with the test tiers in between."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from e2e.weather import REPORT, blowing

from boot import eviction
from boot.appliance import FIRST_BOOT_LIMIT, LATER_BOOT_LIMIT, LOGIN, Appliance, in_the_lab

TESTS = Path(__file__).resolve().parents[1]
GROWTH = "+20G"  # how much larger the disk is at the second boot
CONSOLE_LIMIT = 180.0  # seconds that a sign-in or a command on the console may take
BLOCK = "4k"  # of the file systems: boot/off looks for what was erased on the raw disk
STORM_SECONDS, STORM_CONNECTIONS = 60.0, 6


def switch_dumps_on(appliance: Appliance) -> None:
    """What only root on the machine's own console can do; boot/console looks at what comes of it."""
    machine, password = appliance.machine, secrets.token_urlsafe(24)
    appliance.ssh(f"echo 'root:{password}' | chpasswd")
    for prompt, answer in (
        (LOGIN, "root"),
        ("Password: ", password),
        (r"root@\S+# ", "ksmg dumps enable --hours 1"),
        (r"Dumps (are on|stay off).*\n", "logout"),
    ):
        machine.wait_for(prompt, CONSOLE_LIMIT)
        machine.type(answer)
    appliance.ssh("usermod --password '*' root")  # locked, as it was


def cut_power(appliance: Appliance, reports: Path) -> None:
    """The power fails in a storm of mail, while stores evict. boot/later counts what became of each message."""
    report, promised = reports / REPORT, reports / eviction.REPORT
    with (
        eviction.evicting(appliance.target, promised),
        blowing(appliance.target, report, STORM_SECONDS, STORM_CONNECTIONS) as storm,
    ):
        time.sleep(STORM_SECONDS / 2)
        appliance.machine.power_off()
        storm.wait()
    messages, batches = (len(file.read_text().splitlines()) for file in (report, promised))
    print(f"  power cut in a storm of {messages} messages, after {batches} batches in stores that evict", flush=True)


def tests(appliance: Appliance, reports: Path, name: str, folders: Sequence[str], extra: Sequence[str]) -> int:
    """Run test folders against the running appliance; pytest's exit code."""
    environment = {
        **os.environ,
        "KSMG_TARGET": appliance.port["target"],
        "KSMG_CONSOLE": str(appliance.machine.log),
        "KSMG_DISK": str(appliance.machine.disk),
        "KSMG_REPORTS": str(reports),
    }
    paths = [str(TESTS / folder) for folder in folders]
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={reports / f'{name}.xml'}", *extra, *paths]
    return subprocess.run(command, env=environment, cwd=TESTS.parent, check=False).returncode


def run(appliance: Appliance, reports: Path, extra: Sequence[str]) -> int:
    """Both boots with their tests; the worst exit code."""
    print("First boot", flush=True)
    times = {"first": appliance.boot(FIRST_BOOT_LIMIT, BLOCK)}
    before = appliance.ssh("cat /etc/machine-id /etc/ssh/ssh_host_*_key.pub; df --output=size -B1 /var/log | tail -1")
    (reports / "before.txt").write_text(before)
    # What is slow is the same on every host, and takes minutes on an emulated machine: it is tried in the container.
    result = tests(appliance, reports, "boot-first", ["boot/first", "host"], ["-m", "not slow", *extra])
    switch_dumps_on(appliance)
    result = tests(appliance, reports, "boot-console", ["boot/console"], extra) or result
    times["engines"] = appliance.wait_for_engines()
    result = tests(appliance, reports, "boot-mail", ["e2e"], extra) or result
    cut_power(appliance, reports)
    print(f"Second boot, the disk {GROWTH}", flush=True)
    subprocess.run(["qemu-img", "resize", "-q", str(appliance.machine.disk), GROWTH], check=True)
    times["later"] = appliance.boot(LATER_BOOT_LIMIT)
    appliance.wait_for_engines()
    result = tests(appliance, reports, "boot-later", ["boot/later"], extra) or result
    appliance.shut_down()
    result = tests(appliance, reports, "boot-off", ["boot/off"], extra) or result
    (reports / "boot-times.json").write_text(json.dumps(times) + "\n")
    return result


def main() -> int:
    """Boot, test, power off."""
    parser = argparse.ArgumentParser(prog="boot", description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("reports", type=Path)
    arguments, extra = parser.parse_known_args()
    try:
        with in_the_lab(arguments.image, arguments.reports) as appliance:
            return run(appliance, arguments.reports, extra)
    except (TimeoutError, subprocess.SubprocessError) as error:
        print(f"boot: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
