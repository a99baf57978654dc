"""What an administrator sees and does with the command `ksmg`."""

import pytest
from ksmg.stores.system_events import Name

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send
from e2e.waiting import until


def test_status_says_that_everything_works(appliance: Appliance) -> None:
    assert appliance.ksmg("status")["healthy"]


def test_status_warns_of_missing_vendor_signatures(appliance: Appliance) -> None:
    assert [warning for warning in appliance.ksmg("status")["warnings"] if "signatures outdated" in warning]


def test_missing_vendor_signatures_are_an_event(appliance: Appliance) -> None:
    names = [event["name"] for event in appliance.ksmg("events", "--system", "--limit", "10000")]
    assert Name.SIGNATURES_OUTDATED.value in names


@pytest.fixture(scope="module")
def refused(send_in: Send, stranger: str, employee: str) -> samples.Sample:
    """A message that was refused, and so is in Backup."""
    sample = samples.infected("zipped", stranger, employee)
    assert send_in(sample).code == 550
    return sample


def test_backup_shows_what_it_knows_of_a_message(appliance: Appliance, refused: samples.Sample) -> None:
    entry = appliance.backup_of(refused.marker)
    assert appliance.ksmg("backup", "show", entry["id"]) == entry


def test_backup_shows_the_message_as_it_came(appliance: Appliance, refused: samples.Sample) -> None:
    entry = appliance.backup_of(refused.marker)
    shown = appliance.run_bytes("ksmg", "backup", "show", "--raw", entry["id"])
    assert shown.endswith(refused.content)


def test_look_at_a_message_is_an_event(appliance: Appliance, refused: samples.Sample) -> None:
    entry = appliance.backup_of(refused.marker)
    appliance.run("ksmg", "backup", "show", "--raw", entry["id"])
    assert until(
        lambda: [
            event
            for event in appliance.ksmg("events", "--system")
            if event["name"] == Name.BACKUP_VIEWED.value and event["detail"]["backup_id"] == entry["id"]
        ],
        "event about the look",
    )


def test_unknown_message_is_a_sentence_and_an_exit_code(appliance: Appliance) -> None:
    done = appliance.attempt("ksmg", "backup", "release", "nothing")
    assert done.returncode != 0
    assert "Backup has no message nothing" in done.stderr
    assert "Traceback" not in done.stderr
