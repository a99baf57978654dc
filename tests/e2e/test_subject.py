"""The rights of a person: all that is kept about it is found, handed out and erased, and everything else goes on."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ksmg.statement.signature import verify
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.canary import FOUND_IN, Canary
from e2e.conftest import Send
from e2e.mailbox import Mailbox
from e2e.waiting import until

ARCHIVE = "/run/subject-test.zip"


@dataclass(frozen=True)
class Story:
    """What happened in the order in which it did: mail, a search, an archive, the erasure, another search."""

    canary: Canary
    mail: list[samples.Sample]
    others: samples.Sample
    """Of somebody else: it must not be touched."""
    found: dict[str, Any]
    files: list[str]
    """Which had something of the person before the erasure."""
    archive: zipfile.ZipFile
    receipt: dict[str, Any]


@pytest.fixture(scope="module")
def story(appliance: Appliance, target: Target, send_in: Send, stranger: str, employee: str) -> Story:
    if target.booted_image:
        pytest.skip("a machine with its own disks has its own, boot/later: those are searched as well")
    canary = Canary(target, appliance)
    others = samples.infected("zipped", stranger, employee)
    assert send_in(others).code == 550
    mail = canary.mail_of_all_kinds()
    until(lambda: canary.rows() >= FOUND_IN, f"person in all of {FOUND_IN}")
    found = canary.found()
    appliance.run("rm", "-f", ARCHIVE)
    canary.tell("export", ARCHIVE)
    archive = zipfile.ZipFile(io.BytesIO(appliance.run_bytes("cat", ARCHIVE)))
    mode = appliance.run("stat", "--format=%a %U", ARCHIVE).strip()
    assert mode == "600 root"
    appliance.run("rm", ARCHIVE)
    return Story(canary, mail, others, found, canary.files_with_traces(), archive, canary.erase())


def kinds(story: Story) -> set[str]:
    return {finding["kind"] for finding in story.found["findings"]}


def test_everything_is_found(story: Story) -> None:
    assert kinds(story) >= {"message", "event", "flight record", "count", "line", "trace line"}


def test_messages_of_all_kinds_are_found(story: Story) -> None:
    named = {finding["record"]["message_id"] for finding in story.found["findings"] if finding["kind"] == "message"}
    assert {f"<{sample.marker}@{story.canary.target.partner}>" for sample in story.mail[1:3]} <= named


def test_the_archive_has_the_messages_as_they_came(story: Story) -> None:
    messages = [story.archive.read(name) for name in story.archive.namelist() if name.endswith(".eml")]
    assert all(any(message.endswith(sample.content) for message in messages) for sample in story.mail[1:3])


def test_the_archive_has_events_and_lines(story: Story) -> None:
    texts = b"".join(story.archive.read(name) for name in story.archive.namelist() if not name.endswith(".eml"))
    assert all(sample.marker.encode() in texts for sample in story.mail)


def test_the_archive_proves_itself(story: Story) -> None:
    lines = story.archive.read("SHA256SUMS").decode().splitlines()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    assert set(sums) == set(story.archive.namelist()) - {"SHA256SUMS"}
    assert all(hashlib.sha256(story.archive.read(name)).hexdigest() == digest for name, digest in sums.items())


def test_nothing_is_found_afterwards(story: Story) -> None:
    assert story.canary.found()["findings"] == []


def test_the_receipt_counts(story: Story) -> None:
    rows = {row["row"]: row for row in story.receipt["rows"] if row["found"]}
    assert (rows["backup"]["erased"], rows["spam_quarantine"]["erased"]) == (1, 1)
    assert rows["message_events"]["pseudonymised"]
    assert not any(row["found_afterwards"] for row in story.receipt["rows"])


def test_the_receipt_does_not_name_the_person_and_proves_who_it_was(story: Story) -> None:
    subject = story.receipt["subject"]
    said = json.dumps(story.receipt)
    assert story.canary.local not in said
    salted = bytes.fromhex(subject["salt"]) + story.canary.address.encode()
    assert hashlib.sha256(salted).hexdigest() == subject["sha256"]


def test_the_receipt_is_signed(story: Story, site_authority: Path, target: Target) -> None:
    signed = story.receipt["signed"]
    signer = verify(signed["receipt"].encode(), signed["signature"].encode(), site_authority.read_bytes())
    assert signer.name == target.name


def test_no_file_has_a_trace_of_the_person(story: Story, appliance: Appliance) -> None:
    assert appliance.log("maillog") in story.files
    assert story.canary.files_with_traces() == []


def test_a_restart_brings_nothing_back(story: Story, appliance: Appliance) -> None:
    appliance.run("systemctl", "restart", "ksmg-filter.service", "rsyslog.service")
    appliance.await_engines()
    assert story.canary.found()["findings"] == []
    assert story.canary.files_with_traces() == []


def test_mail_of_others_is_still_there(story: Story, appliance: Appliance) -> None:
    entry = appliance.backup_of(story.others.marker)
    shown = appliance.run_bytes("ksmg", "backup", "show", "--raw", entry["id"])
    assert shown.endswith(story.others.content)


def test_events_of_others_are_found_by_their_words(story: Story, appliance: Appliance) -> None:
    assert appliance.ksmg("events", "--text", story.others.marker)


def test_erased_events_still_count(story: Story, appliance: Appliance) -> None:
    markers = [sample.marker for sample in story.mail]
    events = appliance.ksmg("events", "--limit", "1000")
    assert {marker for marker in markers for event in events if marker in event["message_id"]} == set(markers)


def test_the_erasure_is_an_event_without_the_person(story: Story, appliance: Appliance) -> None:
    events = [event for event in appliance.ksmg("events", "--system") if event["name"] == "subject_erased"]
    assert events[0]["detail"]["counts"]["backup"] == 1
    assert story.canary.local not in json.dumps(events)


def test_the_audit_trail_is_whole(story: Story, appliance: Appliance) -> None:
    assert story.receipt
    assert appliance.attempt("ksmg", "audit", "verify").returncode == 0


def test_mail_goes_on(story: Story, send_in: Send, inside: Mailbox, stranger: str, employee: str) -> None:
    assert story.receipt
    sample = samples.greeting(stranger, employee)
    assert send_in(sample).accepted
    assert inside.receive(sample.marker)
