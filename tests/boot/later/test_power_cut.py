"""The power failed while mail came in: what was taken is delivered once or kept, and the stores are whole."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.appliance import Appliance
from e2e.weather import REPORT, Tally, Weather
from lab.target import Target


@pytest.fixture(scope="module")
def tally(target: Target) -> Tally:
    """What became of the messages."""
    return Weather(target, Appliance(target), Path(os.environ["KSMG_REPORTS"]) / REPORT).tally()


def test_nothing_that_was_taken_is_lost_or_doubled(
    tally: Tally, record_testsuite_property: Callable[[str, object], None]
) -> None:
    record_testsuite_property("power cut", str(tally))
    assert not tally.faults


def test_the_power_failed_while_messages_were_on_their_way(tally: Tally) -> None:
    assert set(tally.answers.values()) >= {0, 250}
