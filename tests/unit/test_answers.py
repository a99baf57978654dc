"""What the mail server is told about a message."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.checks.verdict import Finding, Status
from ksmg.filter.answers import accepted, put_off, refused
from ksmg.filter.plan import Share, make_plan
from ksmg.mail.envelope import Client, Envelope
from ksmg.mail.facts import Facts
from ksmg.mail.message import Message
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.mail.structure import Structure
from ksmg.milter.packets import Packet
from ksmg.milter.replies import ACCEPT, DISCARD
from ksmg.rules.treatment import Action, Cause, Decision, Treatment


async def nothing_inside(_: SpooledMessage) -> Structure:
    return Structure(())


@pytest.fixture
def message(tmp_path: Path) -> Iterator[Message]:
    envelope = Envelope(Client(), b"a@x", (), [b"b@y", b"c@y"])
    with Spool(tmp_path).new_message() as spooled:
        yield Message(envelope, spooled, Facts("a@x", ("b@y", "c@y"), (), ""), nothing_inside)


def share(*recipients: int, action: Action, status: Status = Status.SPAM, detail: str = "", reply: str = "") -> Share:
    cause = Cause("module", Finding(status, detail), Treatment(action, reply=reply))
    return Share(recipients, Decision("Rule", action, (cause,)))


def test_a_message_for_all_is_accepted_as_it_is(message: Message) -> None:
    assert [*accepted(make_plan([Share((0, 1), Decision("Default", Action.SKIP))]), message, None)] == [ACCEPT]


def test_recipients_of_another_outcome_are_taken_off(message: Message) -> None:
    plan = make_plan([share(0, action=Action.SKIP), share(1, action=Action.DELETE)])
    assert [*accepted(plan, message, None)] == [Packet(b"-", b"<c@y>\0"), ACCEPT]


def test_a_message_for_nobody_is_discarded(message: Message) -> None:
    assert [*accepted(make_plan([share(0, 1, action=Action.DELETE)]), message, None)] == [DISCARD]


def test_a_refusal_names_what_was_found_and_the_reference() -> None:
    plan = make_plan([share(0, action=Action.REJECT, status=Status.INFECTED, detail="Eicar")])
    assert refused(plan, "ref-1").text == "550 5.7.1 Message refused: malware found, Eicar (reference ref-1)"


def test_a_refusal_without_detail_ends_in_no_comma() -> None:
    plan = make_plan([share(0, action=Action.REJECT, status=Status.PHISHING)])
    assert refused(plan, "r").text == "550 5.7.1 Message refused: phishing (reference r)"


def test_a_rules_own_words_come_first() -> None:
    plan = make_plan([share(0, action=Action.REJECT, reply="Call us")])
    assert refused(plan, "r").text == "550 5.7.1 Call us (reference r)"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.CLEAN])
def test_every_status_has_words(status: Status) -> None:
    plan = make_plan([share(0, action=Action.REJECT, status=status, detail="x")])
    assert refused(plan, "r").text.startswith("550 5.7.1 Message refused")


@pytest.mark.parametrize(("full", "start"), [(False, "451 4.7.1 "), (True, "452 4.3.1 ")])
def test_putting_off_is_temporary(full: bool, start: str) -> None:
    assert put_off("r", full).text.startswith(start)
