"""Kernel settings and file systems."""

from typing import Any

import pytest

from host.expectation import SYSCTLS

SEPARATE = {
    "/var": {"nodev", "nosuid"},
    "/var/log": {"nodev", "nosuid", "noexec"},
    "/var/log/audit": {"nodev", "nosuid", "noexec"},
    "/var/tmp": {"nodev", "nosuid", "noexec"},
    "/home": {"nodev", "nosuid"},
    "/tmp": {"nodev", "nosuid"},
    "/dev/shm": {"nodev", "nosuid"},
}


@pytest.mark.parametrize(("name", "value"), SYSCTLS.items())
def test_sysctl(facts: Any, name: str, value: str) -> None:
    if facts["container"] and not name.startswith("net."):
        pytest.skip("a container has its machine's kernel settings")
    assert facts["sysctls"][name] == value


@pytest.mark.parametrize("point", SEPARATE)
def test_file_system_refuses_what_does_not_belong_there(facts: Any, point: str) -> None:
    if facts["container"]:
        pytest.skip("a container has one file system")
    assert SEPARATE[point] <= set(facts["mounts"][point]["options"])


def test_root_file_system_is_read_only(facts: Any) -> None:
    if facts["container"]:
        pytest.skip("only the image has a read-only root")
    assert facts["mounts"]["/"]["kind"] == "erofs"
