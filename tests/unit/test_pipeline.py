"""The way of a message through checks, rule, Backup and events, with checks that say what the test wants."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ksmg.checks.verdict import Check, Status, Verdict, found
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.filter.engine_watch import EngineWatch
from ksmg.filter.pipeline import Pipeline
from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Message
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.mail.structure import Structure
from ksmg.rules.action import Action
from ksmg.rules.default import DefaultRule
from ksmg.stores.backup import Backup
from ksmg.stores.message_events import MessageEvent
from ksmg.stores.system_events import Name, SystemEvent


class Says(Check):
    """A check that says what it is told to."""

    name = "antivirus"
    description = "a fake"
    statuses = (Status.INFECTED,)

    def __init__(self, answer: Status | Exception) -> None:
        self.answer = answer
        self.version = "1"

    async def check(self, message: Message, options: object) -> Verdict:
        if isinstance(self.answer, Exception):
            raise self.answer
        return Verdict(self.name) if self.answer is Status.CLEAN else found(self.name, self.answer, "Eicar")

    async def probe(self) -> str:
        if isinstance(self.answer, EngineFailure):
            raise self.answer
        return self.version


DOWN = EngineFailure(Reason.UNREACHABLE, "no clamd")


async def nothing_inside(_: SpooledMessage) -> Structure:
    return Structure(())


class Bench:
    """A pipeline with everything around it."""

    def __init__(self, directory: Path) -> None:
        self.events: list[MessageEvent | SystemEvent] = []
        (directory / "backup").mkdir()
        self.backup = Backup(directory / "backup", 1_000_000)
        self.backup.open()
        self.spool = Spool(directory)
        self.thread = ThreadPoolExecutor(1)

    async def judge(self, answer: Status | Exception, body: bytes = b"body\r\n") -> bytes:
        check = Says(answer)
        rule = DefaultRule(Action.REJECT, Action.TAG, {})
        watch = EngineWatch([check], self.events.append)
        pipeline = Pipeline(
            "node",
            Neighbourhood([], []),
            nothing_inside,
            [check],
            rule,
            self.backup,
            self.thread,
            watch,
            self.events.append,
        )
        envelope = Envelope(Client("192.0.2.1", b"h", b"helo"), b"a@example.com", (), [b"b@example.org"], "4X")
        with self.spool.new_message() as spooled:
            spooled.add_header(b"Subject", b" hello")
            spooled.finish(body)
            return (await pipeline.process(envelope, spooled))[-1].data

    @property
    def message_event(self) -> MessageEvent:
        (event,) = (event for event in self.events if isinstance(event, MessageEvent))
        return event

    @property
    def system_events(self) -> list[Name]:
        return [event.name for event in self.events if isinstance(event, SystemEvent)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.thread.shutdown()
    made.backup.close()


async def test_a_clean_message_is_delivered_and_an_event(bench: Bench) -> None:
    assert await bench.judge(Status.CLEAN) == b""
    event = bench.message_event
    assert (event.action, event.queue_id, event.subject, event.reply) == ("deliver", "4X", "hello", "")
    assert (event.sender, event.recipients, event.client_ip) == ("a@example.com", ("b@example.org",), "192.0.2.1")
    assert bench.backup.entries() == []


async def test_an_infected_message_is_in_backup_when_it_is_refused(bench: Bench) -> None:
    assert (await bench.judge(Status.INFECTED)).startswith(b"550 5.7.1 ")
    (entry,) = bench.backup.entries()
    assert bench.backup.path(entry).read_bytes() == b"Subject: hello\r\n\r\nbody\r\n"
    assert (entry.id, entry.reason) == (bench.message_event.backup_id, "infected: Eicar")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk I/O error")])
async def test_without_a_copy_the_message_is_only_put_off(
    bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(bench.backup, "add", fail)
    assert (await bench.judge(Status.INFECTED)).startswith(b"451 4.7.1 ")
    assert bench.system_events == [Name.BACKUP_FAILED]
    assert (bench.message_event.action, bench.message_event.backup_id) == ("tempfail", "")


async def test_an_engine_that_is_down_puts_the_message_off_and_is_an_event(bench: Bench) -> None:
    assert (await bench.judge(DOWN)).startswith(b"451 4.7.1 ")
    assert bench.system_events == [Name.ENGINE_DOWN]
    (verdict,) = bench.message_event.verdicts
    assert (verdict["status"], verdict["reason"]) == ("unscanned", "unreachable")


async def test_a_message_that_is_too_much_says_nothing_about_the_engine(bench: Bench) -> None:
    assert (await bench.judge(EngineFailure(Reason.LIMIT, "too large"))).startswith(b"451 ")
    assert bench.system_events == []


async def test_a_defect_in_a_check_never_lets_a_message_pass(bench: Bench) -> None:
    assert (await bench.judge(ZeroDivisionError())).startswith(b"451 ")
    assert "ZeroDivisionError" in bench.message_event.verdicts[0]["detail"]


async def test_a_message_that_could_not_be_spooled_is_put_off(bench: Bench, tmp_path: Path) -> None:
    bench.spool = Spool(tmp_path / "none")
    assert (await bench.judge(Status.CLEAN)).startswith(b"451 ")
    assert bench.message_event.verdicts[0]["check"] == "spool"


async def test_each_change_of_an_engine_is_one_event() -> None:
    events: list[SystemEvent] = []
    check = Says(DOWN)
    watch = EngineWatch([check], events.append)
    for answer in (DOWN, DOWN, Status.CLEAN, Status.CLEAN, DOWN):
        check.answer = answer
        await watch.probe()
    assert [event.name for event in events] == [Name.ENGINE_DOWN, Name.ENGINE_UP, Name.ENGINE_DOWN]


async def test_outdated_and_new_signatures_are_events() -> None:
    events: list[SystemEvent] = []
    check = Says(Status.CLEAN)
    watch = EngineWatch([check], events.append)
    for version, outdated in (("1", True), ("1", True), ("2", False), ("2", False)):
        check.version, check.outdated = version, outdated
        await watch.probe()
    assert [event.name for event in events] == [Name.SIGNATURES_OUTDATED, Name.SIGNATURES_UPDATED]
