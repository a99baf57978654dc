"""A person is erased from the appliance with its own disks; boot/off searches them when the machine is switched off."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.appliance import Appliance
from e2e.canary import FOUND_IN, REPORT, Canary
from e2e.samples import EICAR
from e2e.waiting import until
from host.question import ask_again
from lab.target import Target
from testinfra.host import Host

DISKS_LIMIT = 180.0
CHURNED = "/var/lib/churn"
"""On the file system of the mail queue and the gateway's own stores."""
CHURNED_FILES, CHURNED_AT_MOST = 1500, 5


@pytest.fixture(scope="module")
def deleted(host: Host, record_testsuite_property: Callable[[str, object], None]) -> str:
    """A word that was in many files which are deleted already: what a mail server does with a message."""
    word = f"qzdeleted{uuid.uuid4().hex[:12]}"
    asked = {"directory": CHURNED, "word": word, "files": CHURNED_FILES, "rounds": CHURNED_AT_MOST}
    record_testsuite_property("blocks that a plain discard left", ask_again(host, "churn", asked)["left"])
    return word


@pytest.fixture(scope="module")
def canary(target: Target, deleted: str) -> Canary:
    """A person with mail of all kinds, in every store and log; and another one, who stays."""
    canary, other = (Canary(target, Appliance(target)) for _ in range(2))
    other.receive(EICAR)
    canary.mail_of_all_kinds()
    until(lambda: canary.rows() >= FOUND_IN, f"person in all of {FOUND_IN}", DISKS_LIMIT)
    report = {"gone": [*(form.decode() for form in canary.forms), deleted], "kept": other.subject}
    (Path(os.environ["KSMG_REPORTS"]) / REPORT).write_text(json.dumps(report))
    return canary


@pytest.fixture(scope="module")
def receipt(canary: Canary) -> dict[str, Any]:
    """Of the erasure."""
    return canary.erase()


def test_nothing_is_found_after_the_erasure(receipt: dict[str, Any], canary: Canary) -> None:
    assert receipt["rows"]
    assert canary.found()["findings"] == []


def test_no_file_has_a_trace_of_the_person(receipt: dict[str, Any], canary: Canary) -> None:
    assert receipt["rows"]
    assert canary.files_with_traces() == []


def test_the_disks_took_back_their_free_blocks(receipt: dict[str, Any]) -> None:
    discarded = {one["directory"]: one["discarded_bytes"] for one in receipt["free_space"]}
    assert discarded["/var/log"]
    assert any(size for directory, size in discarded.items() if directory.startswith(("/var/opt", "/var/spool")))
