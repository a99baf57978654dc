"""What the appliance answers; asked once per run."""

from typing import Any

import pytest
from ksmg.policy import DataPolicy
from testinfra.host import Host

from host import expectation
from host.question import ask

SYSCTLS = sorted(expectation.SYSCTLS)


@pytest.fixture(scope="module")
def access(host: Host, policy: DataPolicy) -> Any:
    """What every account, and every sandboxed daemon, can do with every place of the policy."""
    return ask(host, "access", expectation.access_question(policy))


@pytest.fixture(scope="module")
def facts(host: Host) -> Any:
    """Users, files with privileges, sockets, processes, units and settings."""
    return ask(host, "facts", {"sysctls": SYSCTLS, "exposures": sorted(expectation.EXPOSURE)})
