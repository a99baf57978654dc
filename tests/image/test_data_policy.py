"""The places of the data policy on the finished file, before any machine has started from it."""

from __future__ import annotations

import pytest
from host.expectation import POLICY
from ksmg.policy import Container, Location

from image.conftest import Image

CONTAINERS = [container for container in POLICY.containers if str(container.path).startswith("/var/opt/")]
DIRECTORIES = [
    location
    for _, location in POLICY.locations()
    if location.type == "directory" and str(location.place).startswith(("/var/opt/", "/etc/"))
]


def owner(image: Image, name: str, database: str) -> int:
    rows = (line.split(":") for line in image.text(database).splitlines())
    return next(int(row[2]) for row in rows if row[0] == name)


@pytest.mark.parametrize(
    "place", [*CONTAINERS, *DIRECTORIES], ids=lambda place: str(getattr(place, "place", getattr(place, "path", "")))
)
def test_place_has_the_owner_and_mode_of_the_policy(image: Image, place: Container | Location) -> None:
    path = place.path if isinstance(place, Container) else place.place
    status = image.inside(str(path)).stat()
    expected = (owner(image, place.owner, "/etc/passwd"), owner(image, place.group, "/etc/group"), place.mode)
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == expected


def test_the_policy_on_the_image_is_the_projects(image: Image) -> None:
    from ksmg.policy import load_policy  # noqa: PLC0415

    assert load_policy(image.root / "usr/share/ksmg/data_policy.json") == POLICY


@pytest.mark.parametrize("row", [row.id for row in POLICY.rows if row.locations])
def test_no_data_is_shipped(image: Image, row: str) -> None:
    shipped_settings = {"settings", "mta_settings", "mta_queue", "ssh_keys"}
    places = [location.place for location in POLICY.row(row).locations]
    found = [path for place in places for path in image.inside(str(place)).rglob("*") if path.is_file()]
    assert row in shipped_settings or found == []
