"""The ledger of handed over mail: nobody gets a copy twice, and what was not confirmed is handed over again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.submission.ledger import KEPT_SECONDS, Entry, Ledger, content_digest, key

KEY = b"k" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger")
    yield opened
    opened.close()


def test_a_copy_that_was_handed_over_is_done(ledger: Ledger) -> None:
    assert ledger.begin(KEY) is Entry.NEW
    ledger.done(KEY)
    assert ledger.begin(KEY) is Entry.DONE


def test_a_copy_that_failed_is_new_again(ledger: Ledger) -> None:
    ledger.begin(KEY)
    ledger.failed(KEY)
    assert ledger.begin(KEY) is Entry.NEW


def test_a_restart_forgets_what_was_not_confirmed_and_nothing_else(tmp_path: Path, ledger: Ledger) -> None:
    ledger.begin(KEY)
    ledger.begin(b"other")
    ledger.done(KEY)
    again = Ledger(tmp_path / "ledger")
    assert (again.begin(KEY), again.begin(b"other")) == (Entry.DONE, Entry.NEW)
    again.close()


def test_a_copy_that_is_under_way_is_waited_for(ledger: Ledger) -> None:
    found: list[Entry] = []
    ledger.begin(KEY)
    waiting = threading.Thread(target=lambda: found.append(ledger.begin(KEY)))
    waiting.start()
    ledger.done(KEY)
    waiting.join(10)
    assert found == [Entry.DONE]


def test_after_seven_days_it_is_forgotten(tmp_path: Path) -> None:
    now = [1000.0]
    ledger = Ledger(tmp_path / "ledger", lambda: now[0])
    ledger.begin(KEY)
    ledger.done(KEY)
    now[0] += KEPT_SECONDS + 1
    assert ledger.begin(KEY) is Entry.NEW
    ledger.close()


def test_no_address_is_in_the_file(tmp_path: Path, ledger: Ledger) -> None:
    digest = key(b"once", b"anna@partner.test", b"boris@example.test")
    ledger.begin(digest)
    ledger.done(digest)
    assert all(b"example" not in path.read_bytes() for path in tmp_path.iterdir())


def test_sender_and_recipient_are_told_apart() -> None:
    assert key(b"", b"ab", b"c") != key(b"", b"a", b"bc")


def test_a_retry_is_the_same_message_only_if_it_has_an_id(tmp_path: Path) -> None:
    file = tmp_path / "m"
    file.write_bytes(b"x")
    assert content_digest(file, "4X1", True) == content_digest(file, "4X2", True)
    assert content_digest(file, "4X1", False) != content_digest(file, "4X2", False)
