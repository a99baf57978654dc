"""The way of a message through rules, modules, stores and the answer, with modules that say what the test wants."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ksmg.checks.verdict import Check, Status, Verdict, found
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.filter.answers import FULL, REFUSED, TRY_AGAIN
from ksmg.filter.budget import Budget
from ksmg.filter.chronicle import Chronicle
from ksmg.filter.delivery import ALREADY_HANDED_OVER, HELD, IN_BACKUP, OWN_COPY, Delivery
from ksmg.filter.engine_watch import EngineWatch
from ksmg.filter.judgement import Judges
from ksmg.filter.pipeline import Judgement, Pipeline
from ksmg.filter.plan import REFUSED_FOR_SOME
from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Message
from ksmg.mail.spool import LARGEST_IN_MEMORY, Spool, SpooledMessage
from ksmg.mail.structure import Structure
from ksmg.milter.packets import Packet
from ksmg.notifications import Notifier
from ksmg.rules.documents import parse_rules
from ksmg.rules.rule_set import RuleSet
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_store import MessageStore, StoreFull
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.submission.protocol import SubmissionFailure

DOWN = EngineFailure(Reason.UNREACHABLE, "no clamd")
BACK_LATER, NEVER = TRY_AGAIN[0], REFUSED[0]


class Says(Check):
    """A module that says what it is told to."""

    name = "antivirus"
    description = "a fake"
    statuses = (Status.INFECTED, Status.SPAM)

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


async def nothing_inside(_: SpooledMessage) -> Structure:
    return Structure(())


@dataclass
class Fixed:
    """Rules that do not change."""

    current: RuleSet


@dataclass
class Submitted:
    """A mail server that takes copies, once each, or does not."""

    copies: list[tuple[bytes, Sequence[bytes]]] = field(default_factory=list)
    known: set[bytes] = field(default_factory=set)
    failure: Exception | None = None

    async def __call__(
        self, file: Path, sender: bytes, recipients: Sequence[bytes], *, smtputf8: bool, once: bytes
    ) -> str:
        if self.failure:
            raise self.failure
        if once in self.known:
            return ""
        self.known.add(once)
        self.copies.append((await asyncio.to_thread(file.read_bytes), recipients))
        return "4COPY"


def rules(*documents: Mapping[str, Any], default: Mapping[str, Any] | None = None) -> RuleSet:
    """A rule set: these rules, then the default one with this part for the module."""
    presets = [{"name": name, "enabled": False} for name in ("DenyList", "AllowList")]
    last = {"name": "Default", "modules": {"antivirus": default or {}}}
    return parse_rules({"format": 1, "rules": [*documents, *presets, last]}, "digest", {"antivirus": Says})


def rule(name: str, recipient: str, part: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "when": {"recipient": [recipient]}, "modules": {"antivirus": part}}


class Bench:
    """A pipeline with everything around it."""

    def __init__(self, directory: Path) -> None:
        self.events: list[MessageEvent] = []
        self.records: list[FlightRecord] = []
        self.system: list[SystemEvent] = []
        self.submitted = Submitted()
        self.spool = Spool(self._made(directory / "spool"))
        self.backup = MessageStore(self._made(directory / "backup"), 1_000_000)
        self.quarantine = MessageStore(self._made(directory / "quarantine"), 1_000_000)
        self.budget = Budget(2)
        self.notices: list[tuple[str, ...]] = []
        self.failures: list[str] = []
        self._directory = directory / "spool"
        self.backup.open()
        self.quarantine.open()

    @staticmethod
    def _made(directory: Path) -> Path:
        directory.mkdir()
        return directory

    async def judge(
        self,
        answer: Status | Exception,
        rule_set: RuleSet | None = None,
        recipients: str = "b",
        body: bytes = b"body\r\n",
    ) -> list[Packet]:
        check = Says(answer)
        judges = Judges([check], EngineWatch([check], self.system.append))
        ours = Neighbourhood([], ["example.org"])
        judgement = Judgement(ours, nothing_inside, judges, Fixed(rule_set or rules()), self.budget)
        delivery = Delivery(self.backup, self.quarantine, self.submitted, self._directory, "gw")
        notifier = Notifier("gw", "root@example.org", ours, self._directory, self._take, self.failures.append)
        pipeline = Pipeline(judgement, delivery, Chronicle("node", self._remember), notifier)
        to = [f"{name}@example.org".encode() for name in recipients]
        envelope = Envelope(Client("192.0.2.1", b"h", b"helo"), b"a@example.com", (), to, "4X")
        with self.spool.new_message() as spooled:
            spooled.add_header(b"Message-ID", b" <1@example.com>")
            spooled.add_header(b"Subject", b" hello")
            spooled.finish(body)
            reply = await pipeline.process(envelope, spooled)
        packets = list(reply)  # the message is gone by now, and so is the file of a new body
        await notifier.finish()
        return packets

    async def _take(self, file: Path, sender: str, recipients: Sequence[str]) -> str:
        self.notices.append((sender, *recipients))
        return "4NOTE"

    def _remember(self, events: Sequence[MessageEvent], record: FlightRecord) -> None:
        self.events.extend(events)
        self.records.append(record)

    def close(self) -> None:
        self.backup.close()
        self.quarantine.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await asyncio.to_thread(made.close)
    assert list((tmp_path / "spool").iterdir()) == []


def code(packets: list[Packet]) -> int:
    """The reply's code; 250 when there is none."""
    return int(packets[-1].data[:3] or b"250")


async def test_a_clean_message_is_delivered_and_an_event(bench: Bench) -> None:
    assert code(await bench.judge(Status.CLEAN)) == 250
    (event,) = bench.events
    assert (event.action, event.queue_id, event.subject, event.reply) == ("skip", "4X", "hello", "")
    assert (event.sender, event.recipients, event.client_ip) == ("a@example.com", ("b@example.org",), "192.0.2.1")
    assert bench.backup.search().messages == ()


async def test_every_message_has_a_flight_record_that_names_the_rules(bench: Bench) -> None:
    await bench.judge(Status.CLEAN)
    (record,) = bench.records
    assert (record.message, record.document["rules"]) == (bench.events[0].id, "digest")


async def test_an_infected_message_is_in_backup_when_it_is_refused(bench: Bench) -> None:
    assert code(await bench.judge(Status.INFECTED)) == NEVER
    (entry,) = bench.backup.search().messages
    with bench.backup.read(entry) as kept:
        assert kept.read() == b"Message-ID: <1@example.com>\r\nSubject: hello\r\n\r\nbody\r\n"
    assert (entry.id, entry.reason) == (bench.events[0].backup_id, "infected: Eicar")
    assert bench.events[0].marks == (IN_BACKUP,)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk I/O error")])
async def test_without_a_copy_the_message_is_only_put_off(
    bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: Future[None] = Future()
    failed.set_exception(error)
    monkeypatch.setattr(bench.backup, "keep", lambda *_: failed)
    assert code(await bench.judge(Status.INFECTED)) == BACK_LATER
    assert (bench.events[0].action, bench.events[0].backup_id) == ("tempfail", "")


async def test_an_engine_that_is_down_puts_the_message_off_and_is_an_event(bench: Bench) -> None:
    assert code(await bench.judge(DOWN)) == BACK_LATER
    assert [event.name for event in bench.system] == [Name.ENGINE_DOWN]
    assert bench.events[0].unscanned == "antivirus (unreachable): no clamd"


async def test_a_message_that_is_too_much_says_nothing_about_the_engine(bench: Bench) -> None:
    assert code(await bench.judge(EngineFailure(Reason.LIMIT, "too large"))) == BACK_LATER
    assert bench.system == []


async def test_a_defect_in_a_module_never_lets_a_message_pass(bench: Bench) -> None:
    assert code(await bench.judge(ZeroDivisionError())) == BACK_LATER
    assert "ZeroDivisionError" in bench.events[0].unscanned


async def test_a_message_that_could_not_be_spooled_is_put_off(bench: Bench, tmp_path: Path) -> None:
    bench.spool = Spool(tmp_path / "none")
    assert code(await bench.judge(Status.CLEAN, body=b"x" * LARGEST_IN_MEMORY)) == BACK_LATER
    assert bench.events[0].unscanned.startswith("spool ")


async def test_messages_pass_unscanned_only_as_long_as_the_budget_lasts(bench: Bench) -> None:
    lenient = rules(default={"on_failure": {"any": "deliver_marked"}})
    codes = [code(await bench.judge(DOWN, lenient)) for _ in range(3)]
    assert codes == [250, 250, BACK_LATER]
    assert [bool(event.unscanned) for event in bench.events] == [True, True, True]


async def test_a_message_that_is_held_is_in_the_quarantine_before_the_answer(bench: Bench) -> None:
    packets = await bench.judge(Status.SPAM, rules(default={"on": {"spam": {"action": "quarantine"}}}))
    assert packets[-1].command == b"d"
    (entry,) = bench.quarantine.search().messages
    assert (entry.id, entry.recipients) == (bench.events[0].quarantine_id, ("b@example.org",))
    assert bench.events[0].marks == (HELD,)


async def test_a_quarantine_that_is_set_to_refuse_says_that_it_is_full(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: Future[None] = Future()
    failed.set_exception(StoreFull("full"))
    monkeypatch.setattr(bench.quarantine, "keep", lambda *_: failed)
    packets = await bench.judge(Status.SPAM, rules(default={"on": {"spam": {"action": "quarantine"}}}))
    assert code(packets) == FULL[0]


TAGGED = rule("Tagged", "b@example.org", {"on": {"spam": {"tag": "[SPAM]"}}})
PLAIN: Mapping[str, Any] = {"on": {"spam": {"action": "skip", "tag": "", "headers": {}}}}


async def test_a_group_with_other_changes_gets_a_copy_of_its_own(bench: Bench) -> None:
    packets = await bench.judge(Status.SPAM, rules(TAGGED, default=PLAIN), recipients="bcd")
    assert [packet for packet in packets if packet.command == b"-"] == [Packet(b"-", b"<b@example.org>\0")]
    ((copy, to),) = bench.submitted.copies
    assert (to, b"Subject: [SPAM] hello" in copy) == ([b"b@example.org"], True)
    assert {event.rule: event.marks for event in bench.events}["Tagged"] == ("tagged", f"{OWN_COPY}: 4COPY")


async def test_a_copy_that_was_handed_over_is_not_handed_over_again(bench: Bench) -> None:
    for _ in range(2):
        await bench.judge(Status.SPAM, rules(TAGGED, default=PLAIN), recipients="bcd")
    assert len(bench.submitted.copies) == 1
    assert ALREADY_HANDED_OVER in bench.events[-2].marks


async def test_a_copy_that_cannot_be_handed_over_puts_everything_off(bench: Bench) -> None:
    bench.submitted.failure = SubmissionFailure("no mail server")
    assert code(await bench.judge(Status.SPAM, rules(TAGGED, default=PLAIN), recipients="bcd")) == BACK_LATER
    assert {event.action for event in bench.events} == {"tempfail"}


async def test_a_refusal_for_some_recipients_is_kept_and_not_bounced(bench: Bench) -> None:
    strict = rule("Strict", "b@example.org", {"on": {"infected": {"action": "reject"}}})
    lax = {"on": {"infected": {"action": "skip", "backup": False}}}
    assert code(await bench.judge(Status.INFECTED, rules(strict, default=lax), recipients="bc")) == 250
    (entry,) = bench.backup.search().messages
    assert entry.recipients == ("b@example.org",)
    assert REFUSED_FOR_SOME in bench.events[0].marks


async def test_the_administrator_is_told_where_a_rule_wants_it(bench: Bench) -> None:
    telling = {"on": {"infected": {"action": "reject", "notify": ["administrator", "sender"]}}}
    await bench.judge(Status.INFECTED, rules(default=telling))
    assert bench.notices == [("", "root@example.org")]  # the sender is a stranger: that would be backscatter
    assert bench.failures == []


async def test_events_of_one_message_are_told_apart_and_belong_together(bench: Bench) -> None:
    await bench.judge(Status.CLEAN, rules(TAGGED), recipients="bc")
    first, second = bench.events
    assert (second.id, second.message) == (f"{first.id}.2", first.message)
    assert (first.recipients, second.recipients) == (("b@example.org",), ("c@example.org",))


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
