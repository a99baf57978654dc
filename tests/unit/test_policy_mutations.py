"""The data policy says what the statement says; and whatever is changed in it is noticed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from host.expectation import REPOSITORY
from ksmg.policy.__main__ import complaints
from ksmg.policy.loading import read_document
from mutation.policy_mutations import COUNT, mutations
from mutation.statement import STATEMENT, contradictions, tables

DOCUMENT = read_document(REPOSITORY / "inventory/group_vars/all/data_policy.yml")
TEXT = STATEMENT.read_text(encoding="utf-8")
MUTATIONS = mutations(DOCUMENT)


def noticed(document: Any) -> bool:
    """Whether the checks of the policy alone, or the statement, find anything."""
    return bool(complaints(document) or contradictions(document, TEXT))


def test_the_policy_is_the_statement() -> None:
    assert complaints(DOCUMENT) == []
    assert contradictions(DOCUMENT, TEXT) == []


def test_the_statement_has_every_table() -> None:
    assert {name: len(rows) > 1 for name, rows in tables(TEXT).items()} == dict.fromkeys(
        ("Accounts", "Shared directories", "Data classes", "Places", "Sent out", "Services"), True
    )


@pytest.mark.parametrize("row", range(len(tables(TEXT)["Places"])))
def test_a_place_that_only_the_statement_has_is_missed(row: int) -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    place = " | ".join(tables(TEXT)["Places"][row])
    changed = TEXT.replace(next(line for line in lines if place in line), "")
    assert contradictions(DOCUMENT, changed)


def test_mutations_are_many_and_different() -> None:
    assert len(MUTATIONS) == COUNT
    assert len({str(mutation.of(DOCUMENT)) for mutation in MUTATIONS}) > COUNT * 0.95


def test_a_mutation_leaves_the_policy_alone() -> None:
    before = copy.deepcopy(DOCUMENT)
    for mutation in MUTATIONS[:20]:
        mutation.of(DOCUMENT)
    assert before == DOCUMENT


def test_mutations_of_the_policy_are_noticed(record_testsuite_property: Callable[..., None]) -> None:
    found = {mutation.name: noticed(mutation.of(DOCUMENT)) for mutation in MUTATIONS}
    rate = sum(found.values()) / len(found)
    record_testsuite_property("mutations of the policy: noticed", f"{rate:.1%} of {len(found)}")
    assert [name for name, seen in found.items() if not seen] == []
