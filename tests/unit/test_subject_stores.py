"""What the stores keep about a person is found and erased, others' data stays, and nothing is left on the disk."""

import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ksmg.filter.recorder import Recorder
from ksmg.rules.documents import default_document
from ksmg.rules.listing import Verdict
from ksmg.rules.lists import Entry, Lists
from ksmg.rules.store import RuleStore
from ksmg.stores.event_search import Criteria
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_events import MessageEventLog
from ksmg.stores.message_store import MessageStore, StoredMessage
from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import Name, SystemEvent, SystemEventLog
from ksmg.subject.configuration import FilesHolder, RulesHolder
from ksmg.subject.event_log import EventLogHolder
from ksmg.subject.finding import Erasure, Finding, Kind, Scope
from ksmg.subject.mail_in_work import QueueHolder, TemporaryHolder
from ksmg.subject.matcher import Matcher
from ksmg.subject.message_search import search_message
from ksmg.subject.message_stores import MessageStoreHolder
from ksmg.subject.person import parse_person
from ksmg.subject.pseudonyms import ERASED, Pseudonyms
from ksmg.subject.small_stores import StatisticsHolder, SystemEventHolder
from ksmg.system.syslog import Syslog
from unit.test_event_logs import EVENT

PERSON, OTHER = "canary.person@example.test", "somebody@example.test"
SUBJECT = "Canarysubject"
MATCHER = Matcher(parse_person(PERSON, ["Canary Human"]))
MESSAGE = f"From: {OTHER}\r\nTo: <{PERSON}>\r\nSubject: {SUBJECT}\r\n\r\nCanarybody\r\n".encode()
OTHERS = f"From: {OTHER}\r\nTo: x@example.test\r\nSubject: Minutes\r\n\r\nGood morning.\r\n".encode()
MENTION = OTHERS.replace(b"Good", f"Ask {PERSON}. Good".encode())


def erasure(scope: Scope | None = None) -> Erasure:
    return Erasure(MATCHER, Pseudonyms(MATCHER), scope or Scope())


def left_in(directory: Path, *needles: str) -> list[tuple[str, str]]:
    """Files that still have something of the person, in whatever case."""
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [(file.name, needle) for file in files for needle in needles if needle.encode() in file.read_bytes().lower()]


def entry(number: int, recipients: tuple[str, ...], subject: str = "Minutes") -> StoredMessage:
    return StoredMessage(
        f"{number:012x}-0", time.time(), 100, "infected", "Default", f"4{number}", f"<{number}@x>", "192.0.2.1", OTHER,
        recipients, subject,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MessageStore]:
    """A store with a message of the person, one of others, and one of others that mentions it."""
    kept = MessageStore(tmp_path, 10_000_000)
    kept.open()
    kept.keep(entry(1, (PERSON.upper(), OTHER), SUBJECT), MESSAGE).result()
    kept.keep(entry(2, ("x@example.test",)), OTHERS).result()
    kept.keep(entry(3, ("x@example.test",)), MENTION).result()
    yield kept
    kept.close()


def holder_of(store: MessageStore) -> MessageStoreHolder:
    return MessageStoreHolder("backup", "/backup", store)


def kinds(found: Iterator[Finding]) -> list[Kind]:
    return [finding.kind for finding in found]


def test_messages_and_mentions_are_found(store: MessageStore) -> None:
    assert sorted(kind.name for kind in kinds(holder_of(store).find(MATCHER))) == ["MENTION", "MESSAGE"]


def test_a_message_is_exported_as_it_came(store: MessageStore) -> None:
    found = next(one for one in holder_of(store).find(MATCHER) if one.kind is Kind.MESSAGE)
    assert found.original is not None
    with found.original() as original:
        assert original.read() == MESSAGE


def test_the_persons_messages_are_erased_and_others_stay(store: MessageStore, tmp_path: Path) -> None:
    outcome = holder_of(store).erase(erasure())
    assert (outcome.erased, outcome.kept) == (1, 1)
    assert [one.id[:12] for one in store.search().messages] == [f"{3:012x}", f"{2:012x}"]
    assert not left_in(tmp_path, "canarysubject", "canarybody")


def test_other_recipients_of_an_erased_message_are_told_of(store: MessageStore) -> None:
    assert "1 of the erased messages had other recipients too" in holder_of(store).erase(erasure()).grounds


def test_a_damaged_message_is_told_of_and_stops_nothing(store: MessageStore, tmp_path: Path) -> None:
    segment = next(tmp_path.glob("*.segment"))
    segment.write_bytes(segment.read_bytes().replace(b"Good morning.", b"Good evening.", 1))
    found = [one.text for one in holder_of(store).find(MATCHER)]
    assert sum("damaged" in text for text in found) == 1


def test_mentions_are_erased_when_that_is_wanted(store: MessageStore, tmp_path: Path) -> None:
    assert holder_of(store).erase(erasure(Scope(mentions=True))).erased == 2
    assert not left_in(tmp_path, "canary")


EVENTS = [
    dataclasses.replace(EVENT, id="1", message="1", time=1000.0, sender=OTHER, recipients=("x@example.test",)),
    dataclasses.replace(
        EVENT, id="2", message="2", time=2000.0, sender=OTHER, recipients=(PERSON, "x@example.test"), subject=SUBJECT,
        attachments=("canaryfile.pdf",), marks=("attachment removed: canaryfile.pdf",), message_id=f"<{PERSON}>",
        verdicts=({"check": "content", "status": "name", "detail": "canaryfile.pdf"},),
    ),
]  # fmt: skip
RECORDS = [
    FlightRecord("1", 1000.0, {"facts": {"sender": OTHER, "recipients": ["x@example.test"]}}),
    FlightRecord(
        "2", 2000.0, {"facts": {"sender": OTHER, "recipients": [PERSON]}, "message": {"subject": SUBJECT, "size": 5}}
    ),
]


@pytest.fixture(params=["indexed", "not indexed", "closed"])
def log(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MessageEventLog]:
    """A log with events of a person and of others, in each state that a segment can be in."""
    kept = MessageEventLog(tmp_path, 3, 10_000_000)
    kept.add([*EVENTS, *RECORDS])
    if request.param == "indexed":
        kept.index()
    elif request.param == "closed":
        kept.index()
        kept.close()
    yield kept
    kept.close()


def events_holder(log: MessageEventLog) -> EventLogHolder:
    return EventLogHolder("message_events", "/events", log)


def test_events_and_flight_records_are_found(log: MessageEventLog) -> None:
    assert kinds(events_holder(log).find(MATCHER)) == [Kind.EVENT, Kind.FLIGHT_RECORD]


def test_events_are_pseudonymised(log: MessageEventLog, tmp_path: Path) -> None:
    assert events_holder(log).erase(erasure()).pseudonymised == 2
    assert not list(events_holder(log).find(MATCHER))
    assert not left_in(tmp_path, "canary.person", "canarysubject", "canaryfile")


def test_an_erased_event_still_counts(log: MessageEventLog) -> None:
    events_holder(log).erase(erasure())
    newest = log.search()[0]
    assert (newest.id, newest.subject, newest.size, newest.recipients[1]) == ("2", ERASED, EVENT.size, "x@example.test")


@pytest.mark.parametrize("gone", [PERSON, SUBJECT, "canaryfile", "canary"])
def test_an_erased_event_is_not_found_by_its_old_words(log: MessageEventLog, gone: str) -> None:
    events_holder(log).erase(erasure())
    assert not log.search(Criteria(words=(gone,)))


def test_an_erased_event_is_found_by_what_it_still_says(log: MessageEventLog) -> None:
    events_holder(log).erase(erasure())
    assert [event.id for event in log.search(Criteria(words=("x@example",)))] == ["2", "1"]


def test_a_damaged_part_that_cannot_be_searched_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "2026-11-24T10.00000.damaged").write_bytes(b"x")
    outcome = EventLogHolder("message_events", str(tmp_path), MessageEventLog(tmp_path, 3, 10_000_000)).erase(erasure())
    assert (outcome.kept, "cannot be searched" in outcome.grounds[0]) == (1, True)


def test_events_of_others_stay_as_they_are(log: MessageEventLog) -> None:
    before = log.search()[1]
    events_holder(log).erase(erasure())
    assert log.search()[1] == before


def test_the_index_has_no_term_of_what_is_erased(log: MessageEventLog) -> None:
    events_holder(log).erase(erasure())
    with sqlite3.connect(log.segments()[0]) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab (main, search, row)")
        terms = {term for (term,) in connection.execute("SELECT term FROM temp.words")}
    assert not terms & {"can", "nar", "ary", "ysu"}


def test_the_writer_goes_on_beside_an_erasure(log: MessageEventLog) -> None:
    log.index()
    events_holder(log).erase(erasure())
    log.add([dataclasses.replace(EVENT, id="3", subject="afterwards")])
    log.index()
    assert [event.id for event in log.search(Criteria(words=("afterwards",)))] == ["3"]


@pytest.mark.parametrize("kept", ["open", "closed"])
def test_nothing_is_left_where_rows_were_moved(tmp_path: Path, kept: str) -> None:
    log = MessageEventLog(tmp_path, 3, 100_000_000)
    for number in range(30):
        ours, others = EVENTS[1], EVENTS[0]
        log.add(
            dataclasses.replace(e, id=str(number), subject=e.subject * (number % 7)) for e in [ours, *[others] * 20]
        )
        log.add(RECORDS)
        log.index()
    if kept == "closed":
        log.close()
    events_holder(log).erase(erasure())
    assert not left_in(tmp_path, "canary.person", "canarysubject", "canaryfile")
    log.close()


def test_what_the_recorder_has_in_memory_does_not_bring_names_back(tmp_path: Path) -> None:
    log, statistics = MessageEventLog(tmp_path, 3, 10_000_000), Statistics(tmp_path)
    recorder = Recorder(log, SystemEventLog(tmp_path, 10), Syslog("test", tmp_path / "none"), statistics)
    recorder.start()
    for event in EVENTS:
        recorder.record(dataclasses.replace(event, time=time.time()))
    deadline = time.monotonic() + 10
    while len(log.search()) < 2 and time.monotonic() < deadline:
        pass
    events_holder(log).erase(erasure())
    StatisticsHolder("statistics", "/statistics", Statistics(tmp_path)).erase(erasure())
    recorder.stop()
    recipients = dict(Statistics(tmp_path).top("recipients", 0, time.time(), 10))
    assert recipients["x@example.test"] == 2
    assert not any(map(MATCHER.within, recipients))


@pytest.fixture
def statistics(tmp_path: Path) -> Statistics:
    """Statistics of two events."""
    kept = Statistics(tmp_path)
    kept.add(EVENTS)
    kept.save("s/2")
    return kept


def test_a_line_of_the_statistics_is_found(statistics: Statistics) -> None:
    found = list(StatisticsHolder("statistics", "/statistics", statistics).find(MATCHER))
    assert [(one.record["name"], one.record["messages"]) for one in found if one.record] == [(PERSON, 1)]


def test_statistics_keep_their_numbers_under_a_pseudonym(statistics: Statistics, tmp_path: Path) -> None:
    before = [times for _, times in statistics.top("recipients", 0, 1e10, 10)]
    assert StatisticsHolder("statistics", "/statistics", statistics).erase(erasure()).pseudonymised == 1
    assert [times for _, times in statistics.top("recipients", 0, 1e10, 10)] == before
    assert not left_in(tmp_path, "canary")


def test_the_audit_trail_is_found_and_kept(tmp_path: Path) -> None:
    log = SystemEventLog(tmp_path, 10)
    log.add_all([SystemEvent(Name.LISTS_CHANGED, {"added": [f"deny {PERSON}"]}), SystemEvent(Name.RULES_LOADED, {})])
    holder = SystemEventHolder("system_events", "/system", log)
    assert holder.erase(erasure()).kept == 1
    assert len(list(holder.find(MATCHER))) == 1


def test_files_that_name_the_person_are_found_and_kept(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "transport").write_text(f"x@example.test smtp:a\n{PERSON} smtp:b\n")
    (tmp_path / "gateway.json").write_text(json.dumps({"postmaster": PERSON}))
    outcome = FilesHolder("settings", tmp_path, "a ground").erase(erasure())
    assert (outcome.kept, outcome.grounds) == (2, ["a ground"])


@pytest.fixture
def rules(tmp_path: Path) -> RulesHolder:
    """Rules whose older version names the person, lists of it and lists that name it."""
    rules, lists = RuleStore(tmp_path), Lists(tmp_path / "lists")
    rules.save(_rules(PERSON))
    rules.save(_rules(OTHER))
    lists.add([Entry(PERSON, Verdict.DENY), Entry(OTHER, Verdict.DENY)])
    lists.add([Entry("news.example", Verdict.ALLOW)], PERSON)
    return RulesHolder("rules", tmp_path, rules, lists, "a ground")


def _rules(sender: str) -> dict[str, Any]:
    document = default_document()
    return {**document, "rules": [{"name": "One", "when": {"sender": [sender]}}, *document["rules"]]}


def test_rules_and_lists_are_kept_unless_more_is_wanted(rules: RulesHolder) -> None:
    outcome = rules.erase(erasure())
    assert (outcome.erased, outcome.kept) == (0, 3)


def test_lists_and_old_rules_are_erased_when_that_is_wanted(rules: RulesHolder) -> None:
    outcome = rules.erase(erasure(Scope(configuration=True)))
    assert (outcome.erased, outcome.kept) == (3, 0)
    assert [entry.entry for entry in Lists(Path(rules.place) / "lists").entries()] == [OTHER]


class Queue:
    """The mail server's commands, for one message."""

    def __init__(self, spool: Path) -> None:
        self.file = spool / "hold" / "4AB"
        self.file.parent.mkdir()
        self.file.write_bytes(MESSAGE)
        self.asked: list[str] = []

    def run(self, command: "list[str]") -> bytes:
        self.asked.append(" ".join(command))
        if command[0] == "postqueue":
            recipients = [{"address": PERSON}]
            facts = {"queue_name": "deferred", "queue_id": "4AB", "arrival_time": 5, "sender": OTHER}
            return json.dumps({**facts, "recipients": recipients}).encode() + b"\n"
        return MESSAGE if command[0] == "postcat" else b""


@pytest.fixture
def queue(tmp_path: Path) -> tuple[Queue, QueueHolder]:
    """A queue with a message of the person."""
    commands = Queue(tmp_path)
    return commands, QueueHolder("mta_queue", tmp_path, commands.run)  # type: ignore[arg-type]


def test_messages_in_delivery_are_kept(queue: tuple[Queue, QueueHolder]) -> None:
    assert queue[1].erase(erasure()).kept == 1
    assert queue[0].file.read_bytes() == MESSAGE


def test_messages_in_delivery_are_overwritten_and_deleted_when_that_is_wanted(
    queue: tuple[Queue, QueueHolder],
) -> None:
    assert queue[1].erase(erasure(Scope(queue=True))).erased == 1
    assert queue[0].asked[-2:] == ["postsuper -h 4AB", "postsuper -d 4AB"]
    assert not queue[0].file.read_bytes().strip(b"\0")


def test_messages_that_are_being_judged_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(MESSAGE)
    (tmp_path / "b.eml").write_bytes(OTHERS)
    assert [found.id for found in TemporaryHolder("temporary", tmp_path).find(MATCHER)] == ["a.eml"]


@pytest.mark.parametrize(
    ("header", "body", "places"),
    [
        (f"To: {PERSON}", "x", ("header to",)),
        ("Subject: =?utf-8?q?for_Canary_Human?=", "x", ("header subject",)),
        ("X-To: =?utf-8?b?Y2FuYXJ5LnBlcnNvbkBleGFtcGxlLnRlc3Q=?=", "x", ("header x-to",)),
        (f"Received: from a\r\n\tfor <{PERSON}>", "x", ("header received",)),
        ("Content-Transfer-Encoding: base64", "Y2FuYXJ5LnBlcn\r\nNvbkBleGFtcGxlLnRlc3Q=", ("text",)),
        ("Content-Transfer-Encoding: quoted-printable", "canary.per=\r\nson=40example.test", ("text",)),
        ("Content-Type: text/html", "<b>canary</b>.person&#64;example.test", ("text",)),
        ("Content-Disposition: a; filename*0*=utf-8''canary%20; filename*1=human.pdf", "x", ("name of a file",)),
        ("Content-Type: text/plain; name=a.txt", PERSON, ()),
    ],
)  # fmt: skip
def test_a_person_is_found_where_people_read(header: str, body: str, places: tuple[str, ...]) -> None:
    assert search_message(f"{header}\r\n\r\n{body}\r\n".encode(), MATCHER).places == places


def test_an_attached_message_is_searched() -> None:
    inner = f"To: {PERSON}\r\n\r\nx"
    part = f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n"
    outer = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{part}"
    presence = search_message(outer.encode(), MATCHER)
    assert (presence.party, presence.places) == (False, ("header of a part",))
