"""The audit trail of a running appliance: who did what from where, and what hands do to the trail itself."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.target import Target
from testinfra.host import Host

from host.expectation import POLICY

pytestmark = pytest.mark.slow

TIME_LIMIT = 100
"""Seconds: refused sign-ins are told when their minute is over."""
DATABASE = f"{POLICY.place('system_events')}/events.sqlite"
ALTERED = 6
"""The exit code of an audit that found something."""
BY_HAND = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
BACKUP = (
    "import sqlite3,sys; a=sqlite3.connect(sys.argv[1]); b=sqlite3.connect(sys.argv[2]);"
    "a.backup(b); b.close(); a.close()"
)
AS_OWNER = "runuser -u kluser --"

Event = dict[str, Any]


@pytest.fixture(scope="module")
def begin(host: Host) -> str:
    """The time on the appliance before anything happened."""
    return str(host.check_output("sleep 1; date +%Y-%m-%dT%H:%M:%S"))


def events(host: Host, begin: str, name: str) -> list[Event]:
    found: list[Event] = json.loads(host.check_output(f"ksmg audit events --json --since {begin} --name {name}"))
    return found


def awaited(host: Host, begin: str, name: str, wanted: Callable[[Event], bool] = lambda _: True) -> Event:
    """The event, as soon as it is there."""
    deadline = time.monotonic() + TIME_LIMIT
    while time.monotonic() < deadline:
        for event in events(host, begin, name):
            if wanted(event):
                return event
        time.sleep(1)
    raise AssertionError(f"there is no {name} after {TIME_LIMIT} s")


def sign_in(target: Target, account: str, *more: str) -> int:
    """Tries to sign in with a connection of its own; the exit code."""
    options = ("-o", "ControlPath=none", "-o", "BatchMode=yes", "-l", account, *more)
    command = ["ssh", "-F", target.ssh_config, *options, target.name, "true"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode


def my_address(host: Host) -> str:
    """The address that these tests come from."""
    return str(host.check_output("echo $SSH_CONNECTION")).split()[0]


def test_a_sign_in_is_an_event_with_its_origin_and_key(host: Host, target: Target, begin: str) -> None:
    assert sign_in(target, "root") == 0
    event = awaited(host, begin, "signed_in")
    assert (event["account"], event["origin"], event["detail"]["service"]) == ("root", my_address(host), "ssh")
    assert "SHA256:" in event["detail"]["key"]


def test_a_refused_sign_in_is_an_event_with_its_origin(host: Host, target: Target, begin: str) -> None:
    assert sign_in(target, "nobody-here") != 0
    event = awaited(host, begin, "sign_in_refused", lambda event: "nobody-here" in event["detail"]["accounts"])
    assert event["origin"] == my_address(host)


def test_sudo_is_an_event_without_the_arguments(host: Host, begin: str) -> None:
    host.check_output("sudo -u nobody /usr/bin/env SECRET=hidden true")
    event = awaited(host, begin, "privilege_used", lambda event: event["detail"]["service"] == "sudo")
    assert (event["account"], event["detail"]["as"]) == ("root", "nobody")
    assert "hidden" not in json.dumps(event)


def test_a_changed_list_has_what_was_changed_and_where_from(host: Host, begin: str) -> None:
    host.check_output("ksmg lists global add deny trail-test@example.org")
    host.check_output("ksmg lists global remove deny trail-test@example.org")
    event = awaited(host, begin, "lists_changed")
    assert (event["account"], event["origin"]) == ("root", my_address(host))
    assert "trail-test@example.org" in json.dumps(event["detail"])


@pytest.fixture
def traced(host: Host) -> Iterator[None]:
    """A setting that was changed for a while."""
    host.check_output("ksmg trace set command error")
    yield
    host.check_output("ksmg trace set command off")


@pytest.mark.usefixtures("traced")
def test_a_changed_setting_has_its_values_before_and_after(host: Host, begin: str) -> None:
    event = awaited(host, begin, "settings_changed", lambda event: "traces.command" in str(event["detail"]))
    assert event["detail"]["changes"]["traces.command"] == {"before": "off", "after": "error"}


def test_another_key_for_ssh_is_an_event(host: Host, begin: str) -> None:
    place = str(POLICY.place("ssh_keys"))
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA trail-test"
    host.check_output("cp -a %s /run/keys-before && echo %s >> %s", place, line, place)
    event = awaited(host, begin, "ssh_keys_changed")
    host.check_output("cp -a /run/keys-before %s && rm /run/keys-before", place)
    assert "trail-test" in event["detail"]["added"][0]


def test_a_command_that_is_refused_is_told(host: Host, begin: str) -> None:
    assert host.run("runuser -u nobody -- ksmg backup list").rc != 0
    host.check_output("systemctl start ksmg-trail.service")
    event = awaited(host, begin, "access_refused")
    assert event["detail"]["accounts"] == ["nobody"]


def test_each_record_is_announced_to_the_log_files(host: Host) -> None:
    newest = json.loads(host.check_output("ksmg audit events --json --limit 1"))[0]
    log = next(str(at.place) for at in POLICY.row("message_events").locations if at.type == "log")
    assert host.run("grep -q %s %s", newest["digest"], log).rc == 0


def test_the_trail_is_whole_and_signed(host: Host) -> None:
    host.check_output("ksmg audit checkpoint")
    found = json.loads(host.check_output("ksmg audit verify --json"))
    assert found["whole"]
    assert found["checkpoints"] >= 1


def test_nobody_but_root_reaches_the_checkpoints(host: Host) -> None:
    place = next(at.place for at in POLICY.row("system_events").locations if at.owner == "root")
    assert host.run(f"{AS_OWNER} ls {place}").rc != 0


@pytest.fixture
def spoiled(host: Host) -> Iterator[Callable[[str], Any]]:
    """Does something to the log by hand, as its owner could, and verifies; the log is as before afterwards."""
    host.check_output("ksmg audit checkpoint")
    copy = f"{DATABASE}.kept"
    host.check_output(f"{AS_OWNER} python3 -c {shlex.quote(BACKUP)} {DATABASE} {copy}")

    def verify(statement: str) -> Any:
        host.check_output(f"{AS_OWNER} python3 -c {shlex.quote(BY_HAND)} {DATABASE} {shlex.quote(statement)}")
        done = host.run("ksmg audit verify --json")
        assert done.rc == ALTERED
        return json.loads(done.stdout)["findings"]

    yield verify
    host.check_output(f"{AS_OWNER} python3 -c {shlex.quote(BACKUP)} {copy} {DATABASE}; rm {copy}")


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("UPDATE event SET account = 'nobody' WHERE number = (SELECT min(number) + 2 FROM event)", "altered"),
        ("DELETE FROM event WHERE number = (SELECT min(number) + 2 FROM event)", "missing"),
        ("DELETE FROM event WHERE number > (SELECT max(number) - 3 FROM event)", "missing"),
        ("DELETE FROM event", "missing"),
    ],
)
def test_what_a_hand_did_to_the_log_is_found(spoiled: Callable[[str], Any], statement: str, damage: str) -> None:
    assert damage in [finding["damage"] for finding in spoiled(statement)]
