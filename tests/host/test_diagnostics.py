"""Traces, diagnostic archives and dumps on a running host: what is in them, who can have them, and that they go."""

import json
import re
from pathlib import PurePosixPath
from typing import Any

import pytest
from ksmg.diagnostics.archives import archive_location
from ksmg.stores.locations import settings_file
from testinfra.host import Host

from host.expectation import POLICY, locations
from host.question import ask

pytestmark = pytest.mark.slow

TRACES = [str(at.place) for at in POLICY.row("traces").locations if at.retention.per == "stream"]
KEYS = [str(at.place) for at in POLICY.row("mta_settings").locations if at.place.name in ("tls", "dkim")]
STRANGERS = ("kluser", "nginx", "postfix", "opendkim", "nobody")
DENIED = 4


@pytest.fixture(scope="module")
def seen(host: Host) -> Any:
    """What the remote program saw."""
    domain = host.check_output("postconf -h myhostname").strip()
    argument = {
        "recipient": f"postmaster@{domain}",
        "accounts": STRANGERS,
        "traces": TRACES,
        "settings": str(settings_file(POLICY)),
        "keys": KEYS,
        "archives": str(archive_location(POLICY).place),
    }
    return ask(host, "diagnose", argument)


@pytest.fixture(scope="module")
def events(seen: Any) -> list[str]:
    """Names of the system events that it left."""
    return [event["name"] for event in json.loads(seen["events"])]


def test_at_debug_a_message_leaves_its_trace_in_the_declared_places(seen: Any) -> None:
    assert seen["trace"]["reached"]
    assert [file for file in seen["trace"]["files"] if file.startswith(f"{TRACES[-1]}/")]


def test_and_nowhere_else(seen: Any) -> None:
    places = [location.place for location in locations(POLICY).values()]
    assert [f for f in seen["trace"]["files"] if not any(PurePosixPath(f).is_relative_to(p) for p in places)] == []


def test_the_body_of_a_message_is_only_in_the_trace_of_the_protocol(seen: Any) -> None:
    assert [file for file in seen["trace"]["files"] if file.startswith(f"{TRACES[0]}/")] == []


def test_once_traces_are_off_nothing_is_written(seen: Any) -> None:
    assert seen["growth"] == 0


def test_no_secret_of_the_machine_is_in_an_archive(seen: Any) -> None:
    assert len(seen["secrets"]) >= 2 * 6
    assert {name: members for name, members in seen["secrets"].items() if members} == {}


def test_an_archive_has_logs_traces_settings_and_state(seen: Any) -> None:
    assert {name.partition("/")[0] for name in seen["members"]} == {
        "about.json", "contents.json", "state", "configuration", "events", "logs", "traces",
    }  # fmt: skip


def test_messages_are_in_an_archive_only_when_somebody_asked_for_them(seen: Any) -> None:
    assert seen["plain"] == []
    assert {name.partition("/")[0] for name in seen["full"]} == {"messages", "traces"}


def test_an_archive_is_roots_alone_and_its_name_tells_the_time_only(seen: Any) -> None:
    assert (seen["mode"], seen["owner"]) == ("0o600", [0, 0])
    assert re.fullmatch(r"diagnostics-\d{8}T\d{6}Z-[0-9a-f]{6}\.pem", seen["name"])


def test_its_passphrase_is_not_on_the_disk(seen: Any) -> None:
    assert seen["on_disk"] == []


@pytest.mark.parametrize("account", STRANGERS)
def test_nobody_but_root_can_make_list_or_read_one(seen: Any, account: str) -> None:
    assert seen["attempts"][account] == {"collect": DENIED, "list": DENIED, "dumps": DENIED, "read": 1}


def test_an_archive_is_overwritten_and_gone_after_a_day(seen: Any) -> None:
    assert seen["age"] == {"after 23 hours": True, "after 24 hours": False, "overwritten": True}


def test_an_archive_can_be_deleted_before(seen: Any) -> None:
    assert seen["deleted"]


def test_the_timer_that_deletes_them_runs(host: Host) -> None:
    assert host.service("ksmg-diagnostics-expire.timer").is_running


def test_dumps_cannot_be_switched_on_over_ssh(seen: Any) -> None:
    assert seen["dumps_over_ssh"] == DENIED


@pytest.mark.parametrize("name", ["diagnostics_collected", "diagnostics_deleted", "dumps_refused", "traces_changed"])
def test_what_was_done_is_a_system_event(events: list[str], name: str) -> None:
    assert name in events
