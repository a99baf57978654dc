"""Every kind of host test is seen failing once: the appliance is spoiled in many ways, tested, and mended."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from e2e.appliance import Appliance
from host.expectation import REPOSITORY
from lab.target import Target

from qa.seeds import COPY, SEEDS, WORK, Seed

TIME_LIMIT = 600
SELECTIONS = (["tests/host", "-m", "not slow"], ["tests/host/test_statement.py"])
"""The host tests that notice a fault. The other slow ones wait for what a spoiled host never does."""

pytestmark = pytest.mark.disruptive


@pytest.fixture(scope="module")
def spoiled(target: Target) -> Iterator[Appliance]:
    """The appliance with all faults at once."""
    appliance = Appliance(target)
    appliance.run("mkdir", "-p", WORK)
    try:
        for seed in SEEDS:
            appliance.run("sh", "-ec", seed.spoil)
        yield appliance
    finally:
        mending = [seed.mend for seed in reversed(SEEDS)]
        cleaning = ["systemctl restart rsyslog.service", "systemctl reset-failed", f"rm -rf {WORK} {COPY}"]
        appliance.run("sh", "-c", "\n".join([*mending, *cleaning]))


@pytest.fixture(scope="module")
def failures(spoiled: Appliance, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the host tests that fail on it."""
    reports = tmp_path_factory.mktemp("qa")
    return [name for chosen in SELECTIONS for name in failed_tests(report_of(chosen, reports / f"{len(chosen)}.xml"))]


def report_of(chosen: list[str], report: Path) -> Path:
    """The report of some host tests."""
    command = [sys.executable, "-m", "pytest", *chosen, "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    subprocess.run(command, cwd=REPOSITORY, env=os.environ, capture_output=True, timeout=TIME_LIMIT, check=False)
    return report


def failed_tests(report: Path) -> list[str]:
    """Failed tests of a report, without the host in their parameters."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    failed = [case.get("name", "") for case in cases if case.find("failure") is not None]
    return [re.sub(r"\[ssh://[^-\]]*-?", "[", name).removesuffix("[]") for name in failed]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_fault_is_noticed(failures: list[str], seed: Seed) -> None:
    assert [part for part in seed.noticed_by if not any(part in name for name in failures)] == []
