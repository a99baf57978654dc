"""The power failed while stores evicted and a log ended a part: nothing is orphaned or missing, and the caps hold."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host.question import ask_again
from testinfra.host import Host

from boot.eviction import DIRECTORY, LOG, REPORT, STORES, asked, told

NOT_FULL = 4
"""Segments: the one that was written to, those that were being erased, and what a write-ahead log held."""


@pytest.fixture(scope="module")
def promised() -> dict[str, int]:
    """Store -> the newest number that it said to have."""
    return {batch["store"]: batch["newest"] for batch in told(Path(os.environ["KSMG_REPORTS"]) / REPORT)}


@pytest.fixture(scope="module")
def left(host: Host, record_testsuite_property: Callable[[str, object], None]) -> Any:
    """What is in the stores, each opened once; every message was read."""
    found = ask_again(host, "evict", asked(0))
    record_testsuite_property("cut while it was erased", found["unfinished"])
    host.check_output(f"rm -r {DIRECTORY}")
    return found


@pytest.mark.parametrize("store", STORES)
def test_the_store_was_evicting_when_the_power_failed(left: Any, store: str) -> None:
    assert min(left["numbers"][store]) > 1


def test_every_message_that_was_promised_and_not_evicted_is_there(left: Any, promised: dict[str, int]) -> None:
    assert max(left["numbers"]["messages"]) >= promised["messages"] > 0


@pytest.mark.parametrize("store", STORES)
def test_no_entry_is_missing_between_the_oldest_and_the_newest(left: Any, store: str) -> None:
    numbers = sorted(left["numbers"][store])
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


@pytest.mark.parametrize("store", STORES)
def test_no_file_is_orphaned(left: Any, store: str) -> None:
    assert [name for name in left["files"][store] if name.endswith((".evicted", ".new", ".folded"))] == []


@pytest.mark.parametrize("store", STORES)
def test_the_cap_holds(left: Any, store: str) -> None:
    cap, segment = left["caps"][store], left["caps"][store] / STORES[store]
    assert cap - NOT_FULL * segment <= left["bytes"][store] <= cap + segment


def test_the_parts_of_the_log_are_each_there_once(left: Any) -> None:
    numbers = [int(name.rpartition(".")[2]) for name in left["parts"] if name != LOG]
    assert numbers
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert left["once"]
