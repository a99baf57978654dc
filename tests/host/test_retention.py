"""How long data stays: the caps of the policy as the appliance's settings have them, and the restart that empties."""

import re
import shlex
from typing import Any

import pytest
from ksmg.policy import Location
from testinfra.host import Host

from host.expectation import POLICY, locations

LOGS = {name: location for name, location in locations(POLICY).items() if location.type == "log"}
STREAMS = {name: location for name, location in locations(POLICY).items() if location.retention.per == "stream"}
CAPPED = {name: location for name, location in {**LOGS, **STREAMS}.items() if location.retention.bytes}
TEMPORARY = {str(location.place): location for location in POLICY.row("temporary").locations}
EMPTIED_BY = {
    str(location.place): unit.name
    for unit in POLICY.units.values()
    for entry in unit.write
    for location in POLICY.resolve(entry)
    if location.retention.limit == "restart"
}
WEEK = 7
UNITS = {"": 1, "k": 1024, "M": 1024**2, "G": 1024**3}


@pytest.fixture(scope="module")
def rotation(host: Host) -> dict[str, dict[str, str]]:
    """logrotate's settings, per pattern of files."""
    text = host.check_output("cat /etc/logrotate.conf; find /etc/logrotate.d -type f -exec cat {} + 2>/dev/null; true")
    if not re.search(r"^include", text, re.M):
        text = host.check_output("cat /etc/logrotate.conf")
    found: dict[str, dict[str, str]] = {}
    for names, block in re.findall(r"^(/[^{\n]*)\{(.*?)^\}", text, re.M | re.S):
        settings = dict(line.strip().partition(" ")[::2] for line in block.splitlines() if line.strip())
        found |= dict.fromkeys(names.split(), settings)
    return found


def pattern(location: Location) -> str:
    """The name under which logrotate knows the location's files."""
    return str(location.place) if location.type == "log" else f"{location.place}/*.log"


def size(text: str) -> int:
    """logrotate's sizes: a number, with k, M or G."""
    number, unit = re.fullmatch(r"(\d+)([kMG]?)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


@pytest.mark.parametrize("name", CAPPED)
def test_log_never_takes_more_than_its_cap(rotation: dict[str, dict[str, str]], name: str) -> None:
    settings, cap = rotation[pattern(CAPPED[name])], CAPPED[name].retention.bytes
    assert cap is not None
    assert size(settings["size"]) * (int(settings["rotate"]) + 1) <= cap


@pytest.mark.parametrize("name", CAPPED)
def test_log_makes_use_of_its_cap(rotation: dict[str, dict[str, str]], name: str) -> None:
    settings, cap = rotation[pattern(CAPPED[name])], CAPPED[name].retention.bytes
    assert cap is not None
    assert size(settings["size"]) * int(settings["rotate"]) >= 0.8 * cap


@pytest.mark.parametrize("name", [name for name, at in LOGS.items() if at.retention.weeks])
def test_log_goes_after_its_weeks(rotation: dict[str, dict[str, str]], name: str) -> None:
    settings, weeks = rotation[pattern(LOGS[name])], LOGS[name].retention.weeks
    assert weeks is not None
    assert LOGS[name].retention.rotate in settings
    assert (int(settings["rotate"]) + 1) * WEEK <= weeks * WEEK
    assert int(settings["maxage"]) <= weeks * WEEK


@pytest.mark.parametrize("name", LOGS)
def test_log_keeps_its_owner_and_mode_when_it_is_rotated(rotation: dict[str, dict[str, str]], name: str) -> None:
    location = LOGS[name]
    assert rotation[pattern(location)]["create"] == f"{location.mode:04o} {location.owner} {location.group}"


def test_rotation_runs_several_times_an_hour(host: Host, facts: Any) -> None:
    calendar = host.check_output("systemctl show -P TimersCalendar logrotate.timer")
    assert facts["units"]["active"]["logrotate.timer"] == "active"
    assert re.search(r"\*:(\*|\d\d?/\d|00/\d)", calendar)


def test_rotation_accepts_its_settings(host: Host) -> None:
    assert "error" not in host.run("logrotate --debug /etc/logrotate.conf").stderr.lower()


def test_journal_is_kept_in_memory_only(host: Host) -> None:
    assert not host.file("/var/log/journal").exists


@pytest.mark.disruptive
@pytest.mark.parametrize("place", TEMPORARY)
def test_temporary_files_go_when_the_application_restarts(host: Host, place: str) -> None:
    left = f"{place}/left-behind.probe"
    quoted = shlex.quote(left)
    host.check_output(f"setpriv --reuid=kluser --regid=kluser --clear-groups touch {quoted}")
    host.check_output(f"systemctl restart {EMPTIED_BY[place]}")
    assert not host.file(left).exists
