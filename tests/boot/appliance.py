"""The image, its virtual machine and its port in the lab."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

from golden.machine import EmulatorFault, Hardware, Machine
from lab import lifecycle
from lab.place import Place
from lab.target import Target

FIRST_BOOT_LIMIT, LATER_BOOT_LIMIT = 600.0, 420.0
"""Seconds to the login prompt, on a busy machine without hardware help."""
NAME = "gw1.example.test"
SETTLED_LIMIT = 420  # seconds from there until systemd has started everything
POWER_OFF_LIMIT = 120.0
ENGINES_LIMIT = 900.0
LOGIN = "login: "
MOST_STARTS = 3
"""Attempts to get past faults of the emulator, each of which is printed."""
HEALTH = "ksmg status > /dev/null && echo works"


class Appliance:
    """The image, its virtual machine and its port in the lab."""

    def __init__(self, image: Path, place: Place) -> None:
        self.port = lifecycle.guest_port(place, NAME)
        self.target = Target.load(Path(self.port["target"]))
        tap = f"tap,id=net0,ifname={self.port['tap']},script=no,downscript=no"
        hardware = Hardware(network=(tap,), mac=self.port["mac"])
        enter = ("ip", "netns", "exec", self.port["netns"])
        self.machine = Machine(image, place.host_dir(NAME) / "machine", hardware, enter)

    def boot(self, limit: float, cluster: str = "") -> dict[str, float]:
        """Power on, with `cluster` on a fresh disk of such clusters; seconds to the login prompt.

        Returns when SSH says that the start is over.
        """
        login = self._start(limit, cluster)
        state = self.ssh(f"timeout {SETTLED_LIMIT} systemctl is-system-running --wait")
        print(f"  login prompt after {login:.1f} s, system {state.strip()}", flush=True)
        return {"login": round(login, 1)}

    def _start(self, limit: float, cluster: str, more: int = MOST_STARTS - 1) -> float:
        if cluster:
            self.machine.create(cluster)
        self.machine.start()
        try:
            return self.machine.wait_for(LOGIN, limit)
        except EmulatorFault as fault:
            self.machine.power_off()
            if not more:
                raise
            print(f"  started again, because the emulator failed: {fault}", flush=True)
        return self._start(limit, cluster, more - 1)

    def wait_for_engines(self) -> dict[str, float]:
        """Until mail can be checked: at first boot the anti-spam engine compiles its patterns for this processor."""
        end = time.monotonic() + ENGINES_LIMIT
        while self.ssh(HEALTH).strip() != "works":
            if time.monotonic() > end:
                raise TimeoutError(f"the engines do not work after {ENGINES_LIMIT:.0f} s: {self.ssh('ksmg status')}")
            time.sleep(3)
        ready = time.monotonic() - self.machine.started
        print(f"  engines work after {ready:.1f} s", flush=True)
        return {"ready": round(ready, 1)}

    def set_clock(self, moment: datetime) -> None:
        """The machine's clock at its next boot; it goes on from there."""
        self.machine.hardware = dataclasses.replace(self.machine.hardware, clock=moment.strftime("%Y-%m-%dT%H:%M:%S"))

    def ssh(self, command: str) -> str:
        """What a command on the appliance prints; its exit code is for the tests to judge."""
        arguments = ["ssh", "-F", self.target.ssh_config, "-o", "ConnectionAttempts=20", self.target.name, command]
        return subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=False).stdout

    def shut_down(self) -> None:
        """A clean power-off through the system itself."""
        self.ssh("systemctl poweroff")
        self.machine.wait_for_power_off(POWER_OFF_LIMIT)


@contextmanager
def in_the_lab(image: Path, reports: Path) -> Iterator[Appliance]:
    """The image in a lab of its own. Whatever happens, also a SIGTERM, no machine is left running."""
    signal.signal(signal.SIGTERM, _stop)
    reports.mkdir(parents=True, exist_ok=True)
    place = Place.from_environment()
    appliance = Appliance(image, place)
    try:
        yield appliance
    finally:
        appliance.machine.power_off()
        (reports / "console.log").write_bytes(appliance.machine.log.read_bytes())
        lifecycle.down(place)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)
