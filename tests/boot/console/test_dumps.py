"""Dumps were switched on at the console (boot.__main__): a crash leaves one, until they are off again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.waiting import until
from ksmg.diagnostics.archives import dump_location
from ksmg.diagnostics.dumps import OFF, ON
from ksmg.policy import DataPolicy
from ksmg.stores.system_events import Name
from testinfra.host import Host

VICTIM = "ksmg-filter.service"
ELF = "f0VMRg=="
"""The first bytes of a core file, in base64."""
DUMP_LIMIT = 120.0

Crash = Callable[[], None]


@pytest.fixture(scope="module")
def place(policy: DataPolicy) -> str:
    return str(dump_location(policy).place)


def dumps(host: Host, place: str) -> list[str]:
    """The dumps that there are."""
    return str(host.run(f"ls {place}/*.core").stdout).split()


@pytest.fixture(scope="module")
def crash(host: Host) -> Crash:
    """Makes a daemon crash, and waits until it works again."""

    def kill() -> None:
        before = _process(host)
        host.check_output(f"kill -SEGV {before}")
        until(lambda: _process(host) not in ("0", before), f"new {VICTIM}", DUMP_LIMIT)
        until(lambda: host.service(VICTIM).is_running, f"working {VICTIM}", DUMP_LIMIT)

    return kill


def _process(host: Host) -> str:
    return str(host.check_output(f"systemctl show --property=MainPID --value {VICTIM}"))


def recorded(host: Host) -> list[Name]:
    """The system events about dumps, the newest first."""
    events = json.loads(host.check_output("ksmg events --system --limit 500 --json"))
    return [Name(event["name"]) for event in events if event["name"].startswith("dumps_")]


def test_away_from_the_console_they_cannot_be_switched_on(host: Host) -> None:
    refused = host.run("ksmg dumps enable")
    assert refused.rc != 0
    assert "console" in refused.stderr


def test_they_are_on_and_said_to_be(host: Host) -> None:
    assert host.file("/proc/sys/kernel/core_pattern").content_string.strip() == ON
    assert json.loads(host.run("ksmg status --json").stdout)["diagnostics"]["dumps"]
    assert recorded(host)[:2] == [Name.DUMPS_REFUSED, Name.DUMPS_ENABLED]


def test_a_crash_leaves_a_dump_for_root_alone(host: Host, crash: Crash, place: str) -> None:
    crash()
    (dump,) = until(lambda: dumps(host, place), "dump", DUMP_LIMIT)
    assert host.check_output(f"stat --format='%U %G %a' {dump}") == "root root 600"
    assert host.check_output(f"head --bytes=4 {dump} | base64") == ELF
    assert Path(dump).name in host.check_output("ksmg dumps status")


def test_switched_off_nothing_is_left_and_nothing_new_is_made(host: Host, crash: Crash, place: str) -> None:
    host.check_output("ksmg dumps disable")
    assert host.file("/proc/sys/kernel/core_pattern").content_string.strip() == OFF
    crash()
    assert host.check_output(f"find {place} -mindepth 1") == ""
    assert recorded(host)[0] == Name.DUMPS_DISABLED
