"""The appliance under test: described by the file that KSMG_TARGET names, or given to Testinfra by --hosts."""

import os
from pathlib import Path

import pytest
from ksmg.policy import DataPolicy, parse_policy
from ksmg.policy.loading import read_document

from lab.target import Target

REPOSITORY = Path(__file__).resolve().parent.parent
POLICY = parse_policy(read_document(REPOSITORY / "inventory/group_vars/all/data_policy.yml"))


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
