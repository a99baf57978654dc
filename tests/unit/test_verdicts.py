"""From verdicts to what the mail server is answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.checks.verdict import Status, Verdict, found, unscanned
from ksmg.engines.failure import Reason
from ksmg.filter import answers
from ksmg.mail.spool import Spool, SpooledMessage
from ksmg.milter.replies import ACCEPT, add_header, change_header
from ksmg.rules.action import Action, OnFailure
from ksmg.rules.default import DefaultRule

CLEAN = Verdict("antivirus")
INFECTED = found("antivirus", Status.INFECTED, "Eicar")
SPAM = found("antispam", Status.SPAM, "20.0/15.0", evidence=("GTUBE",))
UNSCANNED = unscanned("antivirus", Reason.UNREACHABLE, "no clamd")
RULE = DefaultRule(Action.REJECT, Action.TAG, {})
MARKING = DefaultRule(Action.REJECT, Action.TAG, {"antivirus": OnFailure.DELIVER_MARKED})


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[SpooledMessage]:
    with Spool(tmp_path).new_message() as message:
        yield message


@pytest.mark.parametrize(
    ("verdicts", "action"),
    [
        ([], Action.DELIVER),
        ([CLEAN], Action.DELIVER),
        ([SPAM], Action.TAG),
        ([CLEAN, SPAM], Action.TAG),
        ([UNSCANNED], Action.TEMPFAIL),
        ([UNSCANNED, SPAM], Action.TEMPFAIL),
        ([INFECTED, SPAM], Action.REJECT),
        ([INFECTED, found("antispam", Status.UNSCANNED)], Action.REJECT),
    ],
)
def test_the_strictest_action_wins(verdicts: list[Verdict], action: Action) -> None:
    assert RULE.decide(verdicts).action is action


def test_an_unscanned_message_is_delivered_only_when_the_setting_says_so() -> None:
    assert MARKING.decide([UNSCANNED]).action is Action.TAG
    assert MARKING.decide([found("spool", Status.UNSCANNED)]).action is Action.TEMPFAIL


def test_a_clean_message_is_not_changed_at_all(spooled: SpooledMessage) -> None:
    assert answers.answer(RULE.decide([CLEAN]), spooled, "id") == [ACCEPT]


def test_a_refusal_names_the_malware_and_the_reference(spooled: SpooledMessage) -> None:
    packets = answers.answer(RULE.decide([INFECTED]), spooled, "id-1")
    assert answers.reply_text(packets) == "550 5.7.1 Message refused: malware found, Eicar (reference id-1)"


def test_an_unscanned_message_is_put_off(spooled: SpooledMessage) -> None:
    assert answers.reply_text(answers.answer(RULE.decide([UNSCANNED]), spooled, "id")).startswith("451 4.7.1 ")


def test_spam_is_tagged_in_subject_and_headers(spooled: SpooledMessage) -> None:
    spooled.add_header(b"SUBJECT", b" =?utf-8?q?=C3=BC?=\n more")
    assert answers.answer(RULE.decide([SPAM]), spooled, "id") == [
        change_header(b"SUBJECT", 1, b" [SPAM] =?utf-8?q?=C3=BC?=\n more"),
        add_header("X-Spam-Flag", "YES"),
        add_header("X-KSMG-AntiSpam", "spam, score 20.0/15.0, GTUBE"),
        ACCEPT,
    ]


def test_spam_without_a_subject_gets_one(spooled: SpooledMessage) -> None:
    assert add_header("Subject", "[SPAM]") in answers.answer(RULE.decide([SPAM]), spooled, "id")


def test_a_tagged_subject_is_not_tagged_again(spooled: SpooledMessage) -> None:
    spooled.add_header(b"Subject", b" [SPAM] buy")
    assert not any(packet.command == b"m" for packet in answers.answer(RULE.decide([SPAM]), spooled, "id"))


def test_headers_that_a_sender_forged_are_removed(spooled: SpooledMessage) -> None:
    for _ in range(2):
        spooled.add_header(b"x-spam-flag", b" NO")
    packets = answers.answer(RULE.decide([SPAM]), spooled, "id")
    assert packets[:2] == [change_header(b"X-Spam-Flag", index, b"") for index in (2, 1)]


def test_a_message_that_is_delivered_unscanned_says_so(spooled: SpooledMessage) -> None:
    packets = answers.answer(MARKING.decide([UNSCANNED]), spooled, "id")
    assert packets == [add_header("X-KSMG-Unscanned", "antivirus (unreachable)"), ACCEPT]


def test_actions_are_ordered_by_strictness() -> None:
    assert sorted(Action, reverse=True)[0] is Action.REJECT
    assert Action.DELIVER < Action.TAG < Action.TEMPFAIL < Action.REJECT
