"""The same machine, started again on a disk that was enlarged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ksmg.policy import DataPolicy
from testinfra.host import Host

GROWN = 15_000_000_000  # bytes that /var/log has gained at least of the 20 GiB


@pytest.fixture(scope="module")
def before() -> list[str]:
    return (Path(os.environ["KSMG_REPORTS"]) / "before.txt").read_text().splitlines()


def test_the_system_is_running(host: Host) -> None:
    assert host.run("systemctl is-system-running").stdout.strip() == "running"


def test_no_unit_has_failed(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_identity_stayed(host: Host, before: list[str]) -> None:
    assert host.check_output("cat /etc/machine-id /etc/ssh/ssh_host_*_key.pub").splitlines() == before[:-1]


def test_the_new_space_is_in_use(host: Host, before: list[str]) -> None:
    size = int(host.check_output("df --output=size -B1 /var/log | tail -1"))
    assert size - int(before[-1]) > GROWN


def test_the_mail_of_before_is_still_in_the_log(host: Host, policy: DataPolicy) -> None:
    assert "status=sent" in host.file(str(policy.row("mta_log").locations[0].place)).content_string


def test_temporary_messages_are_gone(host: Host, policy: DataPolicy) -> None:
    places = " ".join(str(location.place) for location in policy.row("temporary").locations)
    assert host.check_output(f"find {places} -type f") == ""
