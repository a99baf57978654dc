"""The search of message events: what the index finds is what looking at every event finds."""

import dataclasses
import ipaddress
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ksmg.stores.event_search import Criteria, fold
from ksmg.stores.message_events import MessageEvent, MessageEventLog
from unit.test_event_logs import EVENT, events

ALPHABET = 'aAbB.@ "*%_-()^:|ßÄäΣσςЖжИ中文\x01\x00\n'
TEXT = st.text(ALPHABET, max_size=8)
NEEDLE = st.one_of(st.just(""), st.text(ALPHABET, min_size=1, max_size=4))
ADDRESSES = ("192.0.2.1", "192.0.2.77", "192.1.2.1", "10.0.0.1", "2001:db8::1", "2001:db8:1::9", "unknown", "")
NETWORKS = (
    "192.0.2.1",
    "192.0.2.64/26",
    "192.0.0.0/15",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "2001:db8::/32",
    "2001:db8::1",
    "::/0",
)
STATUSES = ("clean", "infected", "spam", "unscanned")
MODULES = ("antivirus", "antispam")


def verdict(module: str, status: str, detail: str) -> dict[str, str]:
    return {"check": module, "status": status, "detail": detail}


EVENTS = st.builds(
    dataclasses.replace,
    st.just(EVENT),
    id=st.sampled_from(["1-a", "2-b"]),
    queue_id=st.sampled_from(["4X", "4Y", "ab"]),
    message_id=st.sampled_from(["<m@x>", "m@x", "aB"]),
    time=st.integers(0, 9).map(float),
    client_ip=st.sampled_from(ADDRESSES),
    sender=TEXT,
    recipients=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    subject=TEXT,
    attachments=st.lists(TEXT, max_size=2).map(tuple),
    rule=st.sampled_from(["Default", "aB b"]),
    size=st.integers(0, 5000),
    action=st.sampled_from(["skip", "reject"]),
    direction=st.sampled_from(["inbound", "outbound"]),
    unscanned=st.sampled_from(["", "", "antivirus: timeout"]),
    verdicts=st.tuples(*(st.builds(verdict, st.just(m), st.sampled_from(STATUSES), TEXT) for m in MODULES)),
)
CRITERIA = st.builds(
    Criteria,
    words=st.lists(st.one_of(NEEDLE, st.sampled_from(["4X", "m@x", "1-a", "efau"])), max_size=2).map(tuple),
    sender=NEEDLE,
    recipient=NEEDLE,
    subject=NEEDLE,
    attachment=NEEDLE,
    network=st.one_of(st.none(), st.sampled_from(NETWORKS).map(ipaddress.ip_network)),
    action=st.sampled_from(["", "", "skip", "reject", "delete"]),
    rule=st.sampled_from(["", "", "Default", "aB b", "Def"]),
    direction=st.sampled_from(["", "", "inbound"]),
    statuses=st.one_of(st.just(()), st.tuples(st.tuples(st.sampled_from(MODULES), st.sampled_from(STATUSES)))),
    name=st.sampled_from(["", "", "", "1-a", "4X"]),
    queue_id=st.sampled_from(["", "", "", "4X"]),
    message_id=st.sampled_from(["", "", "", "m@x", "<m@x>"]),
    unscanned=st.sampled_from([None, None, True, False]),
    since=st.one_of(st.none(), st.integers(0, 9).map(float)),
    until=st.one_of(st.none(), st.integers(0, 9).map(float)),
    smallest=st.one_of(st.none(), st.integers(-1, 6000)),
    largest=st.one_of(st.none(), st.integers(-1, 6000)),
)
FIELDS = [field.name for field in dataclasses.fields(Criteria)]
ASKED = st.builds(
    lambda criteria, kept: Criteria(**{name: getattr(criteria, name) for name in kept}),
    CRITERIA,
    st.lists(st.sampled_from(FIELDS), max_size=3),
)
"""Some of the criteria: all of them at once would match nothing."""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[MessageEventLog]:
    opened = MessageEventLog(tmp_path, days=3, cap=10_000_000)
    yield opened
    opened.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    indexed=st.lists(EVENTS, max_size=6),
    recent=st.lists(EVENTS, max_size=3),
    asked=st.lists(ASKED, min_size=10, max_size=10),
    limit=st.integers(1, 4),
)
def test_the_index_finds_what_looking_finds(
    indexed: list[MessageEvent], recent: list[MessageEvent], asked: list[Criteria], limit: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log = MessageEventLog(Path(directory), days=3, cap=10_000_000)
        log.add(indexed)
        log.index()
        log.add(recent)
        stored = log.search()
        for criteria in asked:
            expected = [event for event in stored if criteria.matches(event)]
            assert log.search(criteria) == expected
            assert list(paged(log, criteria, limit)) == expected
        log.close()


def paged(log: MessageEventLog, criteria: Criteria, limit: int) -> Iterator[MessageEvent]:
    """The events of all pages."""
    before = ""
    while True:
        page = log.page(criteria, limit, before)
        yield from page.events
        if not page.before:
            return
        before = page.before


@pytest.mark.parametrize(
    "word", ['"', '" OR "', "a*", "sender : x", "NEAR(a b)", "x' OR '1'='1", "(", "%", "\x00", "\ud800"]
)
def test_no_syntax_is_in_what_is_looked_for(log: MessageEventLog, word: str) -> None:
    log.add([EVENT, dataclasses.replace(EVENT, id="2", subject=f"a {word}b")])
    log.index()
    found = log.search(Criteria(words=(word,)))
    assert [event.id for event in found] == ["2"]


def test_upper_and_lower_case_are_the_same_as_the_index_has_them() -> None:
    """For every character: what we take for the same, FTS5 does too; else the index would hide events."""
    changed = [chr(p) for p in range(0x20000) if not 0xD800 <= p < 0xE000 and fold(chr(p)) != chr(p)]
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE text USING fts5 (upper, lower, tokenize='trigram')")
    connection.execute("CREATE VIRTUAL TABLE term USING fts5vocab (text, 'instance')")
    rows = ((ord(c), c * 3, fold(c) * 3) for c in changed)
    connection.executemany("INSERT INTO text (rowid, upper, lower) VALUES (?, ?, ?)", rows)
    terms = connection.execute("SELECT doc, count(DISTINCT term) FROM term GROUP BY doc").fetchall()
    connection.close()
    assert len(changed) > 700
    assert [hex(point) for point, different in terms if different != 1] == []


@pytest.mark.parametrize(
    ("needle", "value"), [("MÜLLER", "Müller"), ("жук", "ЖУК"), ("中文", "中文信"), ("ΑΣ", "ας".upper())]
)
def test_case_does_not_matter_in_any_script_with_case(log: MessageEventLog, needle: str, value: str) -> None:
    log.add([dataclasses.replace(EVENT, subject=value)])
    log.index()
    assert len(log.search(Criteria(subject=needle))) == 1


def test_two_letters_at_the_end_of_a_value_are_found(log: MessageEventLog) -> None:
    log.add([dataclasses.replace(EVENT, subject="ends with zq")])
    log.index()
    assert len(log.search(Criteria(words=("zq",)))) == 1


def test_no_text_is_found_across_two_recipients(log: MessageEventLog) -> None:
    log.add([dataclasses.replace(EVENT, recipients=("ab", "cd"))])
    log.index()
    assert log.search(Criteria(recipient="bc")) == []


def test_every_finding_of_a_module_is_found(log: MessageEventLog) -> None:
    findings = [{"status": "infected", "detail": "Eicar"}, {"status": "macro", "detail": "a.doc"}]
    log.add(
        [dataclasses.replace(EVENT, verdicts=({"check": "antivirus", "status": "infected", "findings": findings},))]
    )
    log.index()
    assert len(log.search(Criteria(statuses=(("antivirus", "macro"),), words=("a.doc",)))) == 1


def test_a_page_begins_where_the_last_one_ended_over_segments(tmp_path: Path) -> None:
    log = MessageEventLog(tmp_path, days=3, cap=4_000_000)
    for _ in range(20):
        log.add(events(20, 5_000))
    assert len(list(tmp_path.glob("*.sqlite"))) > 3
    found = [event.id for event in paged(log, Criteria(), 7)]
    assert len(found) == len(set(found)) == 400
    assert found == [event.id for event in log.search(limit=1000)]
    log.close()


def test_hostile_text_comes_back_as_it_can_be_stored(log: MessageEventLog) -> None:
    log.add([dataclasses.replace(EVENT, sender="a\ud800\nb\x00", subject="\x01x\x01", recipients=("a\n\nb",))])
    (event,) = log.search()
    assert (event.sender, event.subject, event.recipients) == ("a\\ud800 b ", " x ", ("a  b",))


def test_a_reader_sees_whole_batches_while_the_writer_writes(log: MessageEventLog, tmp_path: Path) -> None:
    reader = MessageEventLog(tmp_path, days=3, cap=10_000_000)
    for number in range(30):
        log.add([dataclasses.replace(EVENT, id=f"{number}-{part}", time=time.time()) for part in range(3)])
        if number % 7 == 0:
            log.index()
        assert len(reader.search(Criteria(words=("a@x",)), limit=1000)) == 3 * (number + 1)
