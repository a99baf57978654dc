"""Each row of the data policy, tried as each account of the appliance: who can list, read and write the data."""

from typing import Any

import pytest
from ksmg.policy import DataPolicy

from host.expectation import (
    EVERYBODY_ELSE,
    POLICY,
    RIGHTS,
    allowed,
    allowed_in_sandbox,
    containers,
    locations,
)

PLACES = sorted(locations(POLICY))
SHARED = sorted(containers(POLICY))
SYSTEM_ACCOUNTS = [name for name, account in POLICY.accounts.items() if account.kind != "web"]


@pytest.mark.parametrize("place", [*PLACES, *SHARED])
def test_place_exists(access: Any, place: str) -> None:
    assert place not in access["absent"]


@pytest.mark.parametrize("account", SYSTEM_ACCOUNTS)
@pytest.mark.parametrize("place", PLACES)
def test_named_account_can_do_what_the_policy_says_and_no_more(
    access: Any, policy: DataPolicy, place: str, account: str
) -> None:
    can = set(access["accounts"][account][place]) & set(RIGHTS)
    assert can == allowed(locations(policy)[place], account)


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("place", PLACES)
def test_everybody_else_is_kept_out(access: Any, place: str, right: str) -> None:
    others = access["accounts"].keys() - set(SYSTEM_ACCOUNTS)
    assert {account for account in others if right in access["accounts"][account][place]} == set()


@pytest.mark.parametrize("account", [*SYSTEM_ACCOUNTS, EVERYBODY_ELSE])
@pytest.mark.parametrize("path", SHARED)
def test_shared_directory_is_passed_only_by_those_on_their_way(
    access: Any, policy: DataPolicy, path: str, account: str
) -> None:
    shared = containers(policy)[path]
    through = {"root", shared.owner, shared.group, *shared.traverse}
    who = {account} if account in SYSTEM_ACCOUNTS else access["accounts"].keys() - set(SYSTEM_ACCOUNTS)
    assert {name for name in who if access["accounts"][name][path]} == who & through


@pytest.mark.parametrize("right", ["list", "read", "write"])
@pytest.mark.parametrize("path", SHARED)
def test_shared_directory_keeps_its_names_to_its_owner(access: Any, policy: DataPolicy, path: str, right: str) -> None:
    shared = containers(policy)[path]
    inside = {"root", shared.owner} | ({shared.group} if right != "write" else set())
    assert {name for name, rights in access["accounts"].items() if right in rights[path]} <= inside


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("unit", sorted(POLICY.units))
def test_daemon_sees_only_its_rows_from_inside_its_sandbox(
    access: Any, policy: DataPolicy, unit: str, place: str
) -> None:
    assert access["sandboxes"][unit] is not None, f"{unit} does not run"
    can = set(access["sandboxes"][unit][place]) & set(RIGHTS)
    assert can == allowed_in_sandbox(policy, unit, locations(policy)[place])
