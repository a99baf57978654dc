"""A file system without any room left: senders wait, nothing that was taken is lost, and mail flows again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host.expectation import POLICY
from lab.target import Target

from e2e.appliance import Appliance
from e2e.weather import Weather

pytestmark = [pytest.mark.disruptive, pytest.mark.slow]

FILLER = "filler.for-the-test"
ROWS = ("backup", "temporary", "mta_queue", "mta_log")
"""Rows of the policy whose file systems are filled."""
SECONDS = 15.0


@pytest.fixture(params=ROWS)
def full(request: pytest.FixtureRequest, target: Target, appliance: Appliance) -> Iterator[str]:
    """The file system of a row's place, filled to the last block."""
    if not target.booted_image:
        pytest.skip("a container has the control machine's disk")
    place = POLICY.row(request.param).locations[-1].place
    mount = appliance.run("findmnt", "--noheadings", "--output", "TARGET", "--target", str(place)).strip()
    file = str(Path(mount, FILLER))
    appliance.run(
        "sh", "-c", f"fallocate -l $(df --output=avail -B1 {mount} | tail -1) {file}; cat /dev/zero >> {file}; true"
    )
    yield mount
    appliance.run("rm", "-f", file)


def test_nothing_is_lost_when_a_file_system_is_full(
    weather: Weather, full: str, appliance: Appliance, record_testsuite_property: Callable[[str, object], None]
) -> None:
    with weather.storm(SECONDS, connections=4) as ended:
        weather.pass_by(SECONDS)
        appliance.run("rm", "-f", str(Path(full, FILLER)))
        tally = ended()
    record_testsuite_property(f"full {full}", str(tally))
    assert not tally.faults
    assert tally.answers
