"""Random changes on a running appliance are noticed by the verifier."""

import os
from collections.abc import Callable, Iterator

import pytest
from drift.drifts import WORK, Drift
from drift.test_drift import Found, differences, verify_with
from e2e.appliance import Appliance
from lab.target import Target

from mutation.disk_mutations import COUNT, batches, disk_mutations

SAMPLE = min(COUNT, int(os.environ.get("KSMG_MUTATIONS", "40")))
"""How many: KSMG_MUTATIONS=100 tries all of them."""
BAR = 0.95

pytestmark = pytest.mark.disruptive


@pytest.fixture(scope="module")
def appliance(target: Target) -> Iterator[Appliance]:
    """The appliance, without a difference before and afterwards."""
    found = Appliance(target)
    found.run("install", "-d", "-m", "0700", WORK)
    assert differences(found) == set()
    yield found
    found.run("rm", "-rf", WORK)


@pytest.fixture(scope="module")
def found(appliance: Appliance) -> dict[Drift, Found]:
    """What was found with each mutation."""
    by_mutation: dict[Drift, Found] = {}
    for batch in batches(SAMPLE):
        by_mutation |= dict.fromkeys(batch, verify_with(appliance, batch))
    return by_mutation


def test_mutations_of_the_disk_are_noticed(
    found: dict[Drift, Found], record_testsuite_property: Callable[..., None]
) -> None:
    missed = [mutation.name for mutation in disk_mutations(SAMPLE) if not is_noticed(mutation, found[mutation])]
    rate = 1 - len(missed) / len(found)
    record_testsuite_property("mutations of the disk: noticed", f"{rate:.1%} of {len(found)}")
    assert rate >= BAR, missed


def is_noticed(mutation: Drift, found: Found) -> bool:
    """Whether the verifier named the place, and what is wrong with it."""
    return (mutation.kind, mutation.place) in found


def test_nothing_is_left_of_the_mutations(found: dict[Drift, Found], appliance: Appliance) -> None:
    assert differences(appliance) == set()
