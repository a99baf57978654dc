"""The boot tier starts a machine again that stopped because of the emulator, and no other one."""

from typing import cast

import pytest
from boot.appliance import LOGIN, MOST_STARTS, Appliance
from golden.machine import EmulatorFault, Machine


class Stopping:
    """A machine whose first starts end in failures."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.done: list[str] = []

    def create(self, cluster: str) -> None:
        self.done.append(f"fresh disk {cluster}")

    def start(self) -> None:
        self.done.append("on")

    def power_off(self) -> None:
        self.done.append("off")

    def wait_for(self, pattern: str, limit: float) -> float:
        assert (pattern, limit) == (LOGIN, 9.0)
        if self._failures:
            raise self._failures.pop(0)
        return 1.0


def start(machine: Stopping, cluster: str = "4k") -> float:
    appliance = Appliance.__new__(Appliance)
    appliance.machine = cast(Machine, machine)
    return appliance._start(9.0, cluster)


def test_a_first_boot_begins_anew() -> None:
    machine = Stopping(EmulatorFault("int3"))
    assert start(machine) == 1.0
    assert machine.done == ["fresh disk 4k", "on", "off", "fresh disk 4k", "on"]


def test_a_later_boot_keeps_its_disk() -> None:
    machine = Stopping(EmulatorFault("int3"))
    assert start(machine, cluster="") == 1.0
    assert machine.done == ["on", "off", "on"]


def test_it_gives_up_in_the_end() -> None:
    machine = Stopping(*[EmulatorFault("int3")] * MOST_STARTS)
    with pytest.raises(EmulatorFault):
        start(machine)
    assert machine.done.count("on") == MOST_STARTS


def test_what_is_not_the_emulators_doing_counts_at_once() -> None:
    machine = Stopping(TimeoutError("Kernel panic"))
    with pytest.raises(TimeoutError):
        start(machine)
    assert machine.done.count("on") == 1
