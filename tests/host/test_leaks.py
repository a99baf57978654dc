"""Personal data is in the places of the policy, and nowhere else: a marked message goes through and is looked for."""

import uuid
from pathlib import PurePosixPath
from typing import Any

import pytest
from testinfra.host import Host

from host.expectation import POLICY, locations
from host.question import ask_again

PLACES = [location.place for location in locations(POLICY).values()]
MAIL_LOG = str(POLICY.place("mta_log"))


@pytest.fixture(scope="module")
def trace(host: Host) -> Any:
    """Where a message left traces. It is infected, so it is refused and goes nowhere."""
    domain = host.check_output("postconf -h myhostname").strip()
    settings = {"recipient": f"postmaster@{domain}", "marker": f"leak{uuid.uuid4().hex}", "log": MAIL_LOG}
    return ask_again(host, "leak", settings)


def is_declared(file: str) -> bool:
    """Whether the file belongs to a place of the policy, or is its rotated part."""
    path = PurePosixPath(file)
    return any(
        path == place or path.is_relative_to(place) or path.name.startswith(f"{place.name}.") for place in PLACES
    )


def test_marked_message_went_through_the_filter(trace: Any) -> None:
    assert trace["reply"] == 550


def test_marker_is_in_the_declared_places(trace: Any) -> None:
    assert [file for file in trace["files"] if is_declared(file)]


def test_marker_is_nowhere_else(trace: Any) -> None:
    assert [file for file in trace["files"] if not is_declared(file)] == []


def test_journal_has_no_personal_data(trace: Any) -> None:
    assert trace["journal"] == []


@pytest.mark.disruptive
def test_deleted_message_is_in_no_file_of_backup(host: Host) -> None:
    domain, marker = host.check_output("postconf -h myhostname").strip(), f"leak{uuid.uuid4().hex}"
    ask_again(host, "leak", {"recipient": f"postmaster@{domain}", "marker": marker, "log": MAIL_LOG})
    search = f"grep -rlaF {marker} {POLICY.place('backup')}"
    assert host.run(search).stdout.split()
    host.check_output(f"ksmg backup delete --all-matching --subject {marker} --yes")
    assert host.run(search).stdout.split() == []
