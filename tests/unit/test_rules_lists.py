"""Allow and deny lists: who is on them, which one counts, how many entries they hold."""

import time
from pathlib import Path

import pytest
from ksmg.rules.fields import RulesError
from ksmg.rules.listing import Verdict
from ksmg.rules.lists import MOST_ENTRIES, Entry, Lists

BOB = "bob@example.org"


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    return Lists(tmp_path / "lists")


def test_without_lists_nobody_is_listed(lists: Lists) -> None:
    assert lists.verdict("ann@example.com", "192.0.2.1", BOB) is None
    assert list(lists.owners()) == []


@pytest.mark.parametrize(
    ("entry", "sender", "client_ip"),
    [
        ("ann@example.com", "Ann@Example.com", ""),
        ("example.com", "x@example.com", ""),
        (".example.com", "x@sub.example.com", ""),
        ("news-*@example.com", "news-7@example.com", ""),
        ("10.0.0.0/8", "x@y.z", "10.1.2.3"),
        ("2001:db8::1", "", "2001:db8::1"),
    ],
)
def test_a_global_entry_counts_for_everybody(lists: Lists, entry: str, sender: str, client_ip: str) -> None:
    lists.add([Entry(entry, Verdict.DENY)])
    assert lists.verdict(sender, client_ip, BOB) is Verdict.DENY


def test_a_personal_entry_counts_for_its_owner_only(lists: Lists) -> None:
    lists.add([Entry("example.com", Verdict.ALLOW)], "Bob@Example.org")
    assert lists.verdict("ann@example.com", "", '"bob"@example.org') is Verdict.ALLOW
    assert lists.verdict("ann@example.com", "", "eve@example.org") is None
    assert list(lists.owners()) == [BOB]


@pytest.mark.parametrize(
    ("of_all", "own", "verdict"),
    [
        (Verdict.DENY, Verdict.ALLOW, Verdict.DENY),
        (Verdict.ALLOW, Verdict.DENY, Verdict.DENY),
        (Verdict.ALLOW, Verdict.ALLOW, Verdict.ALLOW),
    ],
)
def test_deny_wins(lists: Lists, of_all: Verdict, own: Verdict, verdict: Verdict) -> None:
    lists.add([Entry("example.com", of_all)])
    lists.add([Entry("ann@example.com", own)], BOB)
    assert lists.verdict("ann@example.com", "", BOB) is verdict


def test_each_list_of_each_address_has_its_own_limit(lists: Lists) -> None:
    full = [Entry(f"a{number}.example", Verdict.DENY) for number in range(MOST_ENTRIES)]
    for owner in ("", BOB):
        lists.add(full, owner)
        lists.add([Entry("more.example", Verdict.ALLOW)], owner)
        with pytest.raises(RulesError, match="more than 500 entries"):
            lists.add([Entry("more.example", Verdict.DENY)], owner)
        assert len(lists.entries(owner)) == MOST_ENTRIES + 1


def test_an_entry_that_is_added_again_is_replaced(lists: Lists) -> None:
    lists.add([Entry("example.com", Verdict.DENY, "old")])
    lists.add([Entry("EXAMPLE.com", Verdict.DENY, "new")])
    assert [entry.comment for entry in lists.entries()] == ["new"]


def test_another_process_sees_a_change(lists: Lists, tmp_path: Path) -> None:
    other = Lists(tmp_path / "lists")
    lists.add([Entry("example.com", Verdict.DENY)])
    assert other.verdict("x@example.com", "", BOB) is Verdict.DENY
    lists.remove("example.com", Verdict.DENY)
    assert other.verdict("x@example.com", "", BOB) is None


def test_what_was_added_is_kept(lists: Lists) -> None:
    entry = Entry("example.com", Verdict.DENY, "why ä", "root", 7.5)
    lists.add([entry], BOB)
    assert lists.entries(BOB) == (entry,)


def test_a_damaged_list_is_told_and_stays_as_it_was(
    lists: Lists, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lists.add([Entry("example.com", Verdict.DENY)])
    assert lists.verdict("x@example.com", "", BOB) is Verdict.DENY
    (tmp_path / "lists/global.json").write_text("[]")
    assert lists.verdict("x@example.com", "", BOB) is Verdict.DENY
    assert "global.json is not one" in caplog.text
    with pytest.raises(RulesError, match=r"global\.json is not one"):
        lists.entries()


def test_many_personal_lists_do_not_slow_a_look_up(lists: Lists) -> None:
    for number in range(300):
        lists.add([Entry("example.com", Verdict.DENY)], f"user{number}@example.org")
    started = time.process_time()
    for number in range(1_000):
        lists.verdict("x@other.example", "", f"nobody{number}@example.org")
    assert time.process_time() - started < 0.5
