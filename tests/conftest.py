"""The appliance under test: described by the file that KSMG_TARGET names, or given to Testinfra by --hosts."""

import os
from pathlib import Path

import pytest
from host.expectation import POLICY
from ksmg.policy import DataPolicy
from lab.target import Target


def described_target() -> Target | None:
    """The target of KSMG_TARGET."""
    file = os.environ.get("KSMG_TARGET")
    return Target.load(Path(file)) if file else None


def pytest_configure(config: pytest.Config) -> None:
    """Point Testinfra at the target, unless the command line says where to go."""
    target = described_target()
    if target and not config.getoption("hosts", None):
        config.option.hosts = f"ssh://{target.name}"
        config.option.ssh_config = target.ssh_config


@pytest.fixture(scope="session")
def policy() -> DataPolicy:
    return POLICY


@pytest.fixture(scope="session")
def target() -> Target:
    found = described_target()
    if found is None:
        pytest.skip("KSMG_TARGET names no appliance in a lab")
    return found
