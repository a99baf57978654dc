"""What the access verifier takes out of the data policy, and what it says of results that differ from it."""

import pytest
from filter_plugins.data_policy import unit_view as view_of_the_roles  # type: ignore[import-untyped]
from host.expectation import POLICY, REPOSITORY, allowed, allowed_in_sandbox, locations
from ksmg.audit.access import account_differences, service_differences
from ksmg.audit.difference import Kind
from ksmg.audit.promise import EVERYTHING, PASS, READ, WRITE, Place, is_within, may_in_unit, place_of, places, unit_view
from ksmg.audit.trial import Found, Probe
from ksmg.policy.loading import read_document

PLACES = {place.path: place for place in places(POLICY)}
DOCUMENT = read_document(REPOSITORY / "inventory/group_vars/all/data_policy.yml")["data_policy"]
BACKUP = PLACES[str(POLICY.place("backup"))]
LOG = PLACES[str(POLICY.place("mta_log"))]
SYSTEM = [name for name, account in POLICY.accounts.items() if account.kind != "web"]


@pytest.mark.parametrize("name", sorted(locations(POLICY)))
def test_rights_are_those_that_the_tests_expect(name: str) -> None:
    location = locations(POLICY)[name]
    place = PLACES[str(location.place)]
    assert {account: place.may(account) - {PASS} for account in SYSTEM} == {
        account: frozenset(allowed(location, account)) for account in SYSTEM
    }


def promised(unit: str, place: Place) -> frozenset[str]:
    return may_in_unit(unit_view(POLICY, unit), POLICY.units[unit].account, place)


@pytest.mark.parametrize("unit", sorted(POLICY.units))
def test_rights_in_a_sandbox_are_those_that_the_tests_expect(unit: str) -> None:
    for location in locations(POLICY).values():
        found = promised(unit, PLACES[str(location.place)]) - {PASS}
        assert found == allowed_in_sandbox(POLICY, unit, location), location.place


@pytest.mark.parametrize("unit", sorted(POLICY.units))
def test_the_view_of_a_unit_is_that_of_the_roles(unit: str) -> None:
    ours, theirs = unit_view(POLICY, unit), view_of_the_roles(DOCUMENT, unit)
    temporary = {str(at.place) for at in POLICY.row("temporary").locations} if ours.temporary else set()
    assert ours.hidden == set(theirs["hidden"]) - temporary
    for name in ("write", "read", "emptied", "shown"):
        assert getattr(ours, name) == set(theirs[name]), name


@pytest.mark.parametrize(
    ("path", "directory", "within"),
    [("/a/b", "/a", True), ("/a", "/a", True), ("/ab", "/a", False), ("/a", "/", True), ("/a", "/a/b", False)],
)
def test_a_path_is_within_a_directory(path: str, directory: str, within: bool) -> None:
    assert is_within(path, directory) is within


def test_a_file_belongs_to_the_innermost_place() -> None:
    every = tuple(PLACES.values())
    found = place_of(every, "/var/log/kaspersky/extra/x")
    assert found is not None
    assert found.path == "/var/log/kaspersky/extra"


def test_a_rotated_log_belongs_to_its_log_and_a_neighbour_does_not() -> None:
    every = tuple(PLACES.values())
    assert place_of(every, f"{LOG.path}.1.gz") is LOG
    assert place_of(every, f"{LOG.path}x") is None


def found_by_accounts(place: Place, **rights: frozenset[str]) -> set[tuple[Kind, str]]:
    results = {account: (Found(may),) for account, may in rights.items()}
    found = account_differences((Probe(place, canary=0),), results)
    return {(difference.kind, difference.found) for difference in found}


def test_accounts_that_can_do_what_they_may_are_no_difference() -> None:
    assert found_by_accounts(BACKUP, root=EVERYTHING, kluser=EVERYTHING, nginx=frozenset()) == set()


def test_a_stranger_that_can_read_is_named() -> None:
    found = found_by_accounts(LOG, root=LOG.may("root"), kluser=frozenset({READ}), nginx=frozenset({READ}))
    assert found == {(Kind.CAN_MORE, "nginx can read")}


def test_strangers_that_can_do_the_same_are_one_difference() -> None:
    found = found_by_accounts(LOG, a=frozenset({READ}), b=frozenset({READ}), c=frozenset({READ, WRITE}))
    assert found == {(Kind.CAN_MORE, "a, b can read"), (Kind.CAN_MORE, "c can read, write")}


def test_an_account_that_lost_a_right_is_named() -> None:
    assert found_by_accounts(BACKUP, kluser=EVERYTHING - {WRITE}) == {(Kind.CAN_LESS, "kluser cannot write")}


def test_a_file_that_lies_there_counts_like_a_new_one() -> None:
    probe = Probe(LOG, samples=("x",))
    (difference,) = account_differences((probe,), {"nginx": (Found(frozenset(), readable=frozenset({"x"})),)})
    assert difference.found == "nginx can read"


def test_a_service_that_sees_what_is_hidden_from_it_is_named() -> None:
    results = {"nginx.service": (Found(frozenset({READ})),)}
    (difference,) = service_differences((Probe(LOG),), results, promised)
    assert (difference.kind, difference.row) == (Kind.SERVICE_CAN_MORE, "mta_log")
