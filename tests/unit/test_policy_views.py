"""What the roles read out of the data policy: places, access lists, and each daemon's view."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
POLICY: dict[str, Any] = yaml.safe_load((TOP / "inventory/group_vars/all/data_policy.yml").read_text())["data_policy"]
UNITS = list(POLICY["units"])


@pytest.fixture(scope="session")
def filters() -> Any:
    spec = importlib.util.spec_from_file_location("data_policy", TOP / "playbooks/filter_plugins/data_policy.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("unit", UNITS)
def test_every_place_that_a_unit_does_not_open_is_hidden(filters: Any, unit: str) -> None:
    view = filters.unit_view(POLICY, unit)
    for place in (place["place"] for place in filters.places(POLICY)):
        hidden = any(place == path or place.startswith(f"{path}/") for path in view["hidden"])
        assert hidden != (place in view["write"] + view["read"])


@pytest.mark.parametrize("unit", UNITS)
def test_where_a_unit_opens_a_place_beside_the_log_files_it_sees_no_log_file(filters: Any, unit: str) -> None:
    view = filters.unit_view(POLICY, unit)
    for place in (place["place"] for place in filters.places(POLICY) if place["type"] == "log"):
        assert place.rpartition("/")[0] in view["emptied"] + view["hidden"]
    assert {place for place in view["write"] if place.startswith("/var/log/")} <= {
        place for shown in view["shown"] for place in view["write"] if place == shown or place.startswith(f"{shown}/")
    }


@pytest.mark.parametrize("unit", UNITS)
def test_a_view_opens_as_many_places_as_its_unit_names(filters: Any, unit: str) -> None:
    view, rules = filters.unit_view(POLICY, unit), POLICY["units"][unit]
    assert len(view["write"]) >= len(rules["write"])
    assert len(view["read"]) >= len(rules["read"])


def test_no_directory_of_another_account_lies_below_one_that_an_account_owns(filters: Any) -> None:
    shared = [(container["path"], container["owner"]) for container in POLICY["containers"]]
    for place in filters.places(POLICY):
        for path, owner in shared:
            if place["place"].startswith(f"{path}/"):
                assert owner in ("root", place["owner"])


def test_a_reader_that_is_neither_owner_nor_group_gets_an_entry(filters: Any) -> None:
    keys = next(place for place in filters.places(POLICY) if place["place"].endswith("mta/dkim"))
    assert filters.acl(keys, POLICY) == ["u:kluser:rX", "d:u:kluser:rX"]


def test_the_owner_needs_no_entry(filters: Any) -> None:
    backup = next(place for place in filters.places(POLICY) if place["row"] == "backup")
    assert filters.acl(backup, POLICY) == []
