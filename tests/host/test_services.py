"""What runs on the appliance, and how well it is shut in."""

from typing import Any

import pytest

from host.expectation import EXPOSURE, SERVICES, UNUSED


def test_system_is_running(facts: Any) -> None:
    assert (facts["state"], facts["failed"]) == ("running", [])


@pytest.mark.parametrize("unit", SERVICES)
def test_service_runs(facts: Any, unit: str) -> None:
    assert facts["units"]["active"].get(unit) == "active"


@pytest.mark.parametrize("unit", SERVICES)
def test_service_starts_at_boot(facts: Any, unit: str) -> None:
    enabled = {name for name, state in facts["units"]["enabled"].items() if state.startswith("enabled")}
    assert {unit, unit.replace(".service", ".socket")} & enabled


@pytest.mark.parametrize("unit", UNUSED)
def test_unused_part_does_not_run(facts: Any, unit: str) -> None:
    assert facts["units"]["active"].get(unit, "inactive") == "inactive"


@pytest.mark.parametrize(("unit", "bar"), EXPOSURE.items())
def test_exposure_is_within_its_bar(facts: Any, unit: str, bar: float) -> None:
    assert facts["exposures"][unit] <= bar


@pytest.mark.parametrize(
    ("command", "account"),
    [("nginx", "nginx"), ("clamd", "kluser"), ("rspamd", "kluser"), ("opendkim", "opendkim"), ("freshclam", "clamav")],
)
def test_daemon_runs_wholly_as_its_account(facts: Any, command: str, account: str) -> None:
    uids = {uid for process in facts["processes"] if process["command"] == command for uid in process["uids"]}
    assert uids == {facts["users"][account]["uid"]}


@pytest.mark.parametrize(
    "unit",
    [
        "ksmg-filter.service",
        "ksmg-inspect.service",
        "ksmg-submit.service",
        "ksmg-web.service",
        "clamav-daemon.service",
        "rspamd.service",
    ],
)
def test_kluser_daemon_has_no_capability(facts: Any, unit: str) -> None:
    held = [process["capabilities"] for process in facts["processes"] if process["unit"] == unit]
    assert held
    assert set(held) == {0}


def test_nginx_can_do_no_more_than_bind_low_ports(facts: Any) -> None:
    bind_service = 1 << 10
    held = {process["capabilities"] for process in facts["processes"] if process["command"] == "nginx"}
    assert held <= {0, bind_service}
