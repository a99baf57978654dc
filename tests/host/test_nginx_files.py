"""nginx sees personal data in transit only: it has none of the places open."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from host.expectation import POLICY, locations

PLACES = sorted({str(location.place) for location in locations(POLICY).values()})


def open_files(facts: Any, command: str) -> set[str]:
    return {file for process in facts["processes"] if process["command"] == command for file in process["files"]}


def test_nginx_runs(facts: Any) -> None:
    assert open_files(facts, "nginx")


@pytest.mark.parametrize("place", PLACES)
def test_nginx_has_no_file_of_the_policy_open(facts: Any, place: str) -> None:
    assert {file for file in open_files(facts, "nginx") if PurePosixPath(file).is_relative_to(place)} == set()


def test_nginx_has_only_known_files_open(facts: Any) -> None:
    known = (
        "socket:",
        "pipe:",
        "anon_inode:",
        "/dev/null",
        "/dev/urandom",
        "/run/",
        "/memfd:",
        "/dev/shm/",
        "/dev/zero",
    )
    assert {file for file in open_files(facts, "nginx") if not file.startswith(known)} == set()
