"""``python -m bench.image OUT``: the image builder's and the image's bars, measured in one run on this machine.

Works on a copy of the checkout with a cache of its own that holds nothing but downloaded packages.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from golden import cache, mirror, sandbox, target
from golden.machine import Hardware, Machine
from golden.pipeline import version
from golden.stages import tree
from golden.target import REPOSITORY

from bench import plain

CHANGED_FILE = "gateway/ksmg/__init__.py"
BOOTS = 3  # first boots and later boots, in turn with the plain image; the median counts
BOOT_LIMIT, POWER_OFF_LIMIT = 900.0, 90.0
LOGIN = "login: "


@dataclass(frozen=True)
class Bar:
    """One promise: a figure, its upper bound and its unit."""

    name: str
    value: float
    bound: float
    unit: str

    @property
    def met(self) -> bool:
        return self.value <= self.bound

    def line(self) -> str:
        return (
            f"  {self.name:<58} {self.value:8.2f} {self.unit:<3} (bar {self.bound:g}) {'met' if self.met else 'MISSED'}"
        )


class Workshop:
    """The copy of the checkout, its cache and its outputs."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.cache, self.out = folder / "checkout", folder / "cache", folder / "out"
        left_out = shutil.ignore_patterns(".git", "out", "__pycache__", ".*_cache")
        shutil.copytree(REPOSITORY, self.checkout, ignore=left_out, symlinks=True)
        (self.cache / "packages").mkdir(parents=True)
        self.target, self.mirror = target.load(), mirror.find()

    def build(self) -> float:
        """Seconds of `python -m golden image` as the Makefile calls it."""
        paths = [str(self.checkout / name) for name in ("image", "gateway", "playbooks", "tests")]
        environment = {**os.environ, "KSMG_CACHE": str(self.cache), "PYTHONPATH": ":".join(paths)}
        command = [sys.executable, "-m", "golden", "image", "--out", str(self.out)]
        started = time.monotonic()
        subprocess.run(command, cwd=self.checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started

    def mmdebstrap(self, root: Path) -> float:
        """Seconds of mmdebstrap alone for the appliance's package list, packages cached."""
        sources = self.mirror.sources(self.target.suite)
        command = tree.command(root, self.target.suite, self.target.packages, sources, self.cache / "packages")
        started = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(sandbox.enter([], command, network=True), check=True, **quiet)  # type: ignore[call-overload]
        seconds = time.monotonic() - started
        shutil.rmtree(root)
        return seconds

    def fill_package_cache(self) -> None:
        """Take over what this machine has downloaded before; the first, uncounted mmdebstrap fetches the rest."""
        known = cache.location() / "packages"
        if known.exists():
            subprocess.run(["cp", "--archive", f"{known}/.", str(self.cache / "packages")], check=True)

    def image(self) -> Path:
        """The finished qcow2."""
        return self.out / f"{self.target.id}-{version()}-example.qcow2"

    def tools(self) -> Path:
        """Root of the build's tools tree."""
        return max((self.cache / "stages/tools").glob("*/root"), key=lambda root: root.stat().st_mtime)


def build_bars(workshop: Workshop, folder: Path) -> Iterator[Bar]:
    """Cold, unchanged, one file changed."""
    workshop.fill_package_cache()
    workshop.mmdebstrap(folder / "warm-up")
    before = workshop.mmdebstrap(folder / "root")
    cold = workshop.build()
    after = workshop.mmdebstrap(folder / "root")
    alone = statistics.median([before, after])
    print(f"  mmdebstrap alone {before:.1f} s and {after:.1f} s, cold build between them {cold:.1f} s", flush=True)
    yield Bar("cold build / mmdebstrap of the same list", cold / alone, 2.0, "x")
    yield Bar("build without a change", workshop.build(), 5.0, "s")
    with (workshop.checkout / CHANGED_FILE).open("a") as handle:
        handle.write("# changed by the benchmark\n")
    yield Bar("build after one gateway source file changed", workshop.build(), 60.0, "s")
    yield Bar("compressed qcow2", workshop.image().stat().st_size / 1e6, 320.0, "MB")


def boot_bars(workshop: Workshop, folder: Path) -> Iterator[Bar]:
    """Power-on to the SMTP banner, against power-on to the login prompt of a plain image, in turn."""
    root, work = folder / "plain-root", folder / "plain"
    plain.packages(root, workshop.target, workshop.mirror, workshop.cache / "packages")
    plain.configure(root)
    work.mkdir()
    yardstick = Machine(plain.disk(root, workshop.tools(), work), folder / "plain-machine")
    yardstick.create()
    time_to_login(yardstick)  # what a first boot writes down is not counted
    port = free_port()
    network = (f"user,id=net0,hostfwd=tcp:127.0.0.1:{port}-:25",)
    ours = Machine(workshop.image(), folder / "machine", Hardware(network=network))
    logins, firsts, laters = [], [], []
    for number in range(BOOTS):
        ours.create()
        firsts.append(time_to_banner(ours, port, wait_for_mail=number == BOOTS - 1))
        logins.append(time_to_login(yardstick))
        print(f"  plain login {logins[-1]:.1f} s, our SMTP banner at first boot {firsts[-1]:.1f} s", flush=True)
    for _ in range(BOOTS):
        laters.append(time_to_banner(ours, port, wait_for_mail=False))
        logins.append(time_to_login(yardstick))
        print(f"  plain login {logins[-1]:.1f} s, our SMTP banner at a later boot {laters[-1]:.1f} s", flush=True)
    login = statistics.median(logins)
    yield Bar("SMTP banner at later boots / plain login", statistics.median(laters) / login, 1.5, "x")
    yield Bar("SMTP banner at first boot / plain login", statistics.median(firsts) / login, 1.5, "x")


def time_to_login(machine: Machine) -> float:
    """Seconds from power-on to the login prompt; then switched off in order."""
    machine.start()
    try:
        seconds = machine.wait_for(LOGIN, BOOT_LIMIT)
        switch_off(machine)
        return seconds
    finally:
        machine.power_off()


def time_to_banner(machine: Machine, port: int, *, wait_for_mail: bool) -> float:
    """Seconds from power-on to the SMTP banner; then switched off, after a message was accepted if asked for."""
    machine.start()
    try:
        seconds = banner(machine, port)
        machine.wait_for(LOGIN, BOOT_LIMIT)
        if wait_for_mail:
            print(f"  mail is accepted {await_mail(machine, port):.1f} s after power-on of a first boot", flush=True)
        switch_off(machine)
        return seconds
    finally:
        machine.power_off()


def switch_off(machine: Machine) -> None:
    """Press the power button and wait; what does not end in time is cut off by the caller."""
    machine.press_power_button()
    with contextlib.suppress(subprocess.TimeoutExpired):
        machine.wait_for_power_off(POWER_OFF_LIMIT)


def await_mail(machine: Machine, port: int) -> float:
    """Seconds from power-on until a message is accepted: every engine works. Raises TimeoutError."""
    while time.monotonic() - machine.started < BOOT_LIMIT:
        with contextlib.suppress(smtplib.SMTPException, OSError), smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.sendmail("bench@example.org", ["postmaster@example.com"], "Subject: bench\n\nready?\n")
            return time.monotonic() - machine.started
        time.sleep(2)
    raise TimeoutError(f"no message was accepted within {BOOT_LIMIT} s:\n{machine.console()[-1500:]}")


def banner(machine: Machine, port: int) -> float:
    """Seconds from power-on until port 25 answers with 220. Raises TimeoutError."""
    while time.monotonic() - machine.started < BOOT_LIMIT:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if connection.recv(4) == b"220 ":
                return time.monotonic() - machine.started
        time.sleep(0.2)
    raise TimeoutError(f"no SMTP banner within {BOOT_LIMIT} s:\n{machine.console()[-1500:]}")


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Measure everything; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="bench.image", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--only",
        choices=["build", "boot"],
        help="half of the figures; boot takes the image out of the machine's own cache",
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory(prefix="ksmg-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        workshop = Workshop(folder)
        if arguments.only == "boot":
            workshop.cache = cache.location()
            workshop.build()
        measures = {"build": build_bars, "boot": boot_bars}
        for measure in (measures[name] for name in measures if arguments.only in {None, name}):
            for bar in measure(workshop, folder):
                bars.append(bar)
                print(bar.line(), flush=True)
    report = [
        {"name": bar.name, "value": round(bar.value, 3), "bound": bar.bound, "unit": bar.unit, "met": bar.met}
        for bar in bars
    ]
    (arguments.out / "bench-image.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all(bar.met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
