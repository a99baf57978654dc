"""Anti-spam: from rspamd's assessment to spam, probable spam and mass mail."""

import pytest
from ksmg.checks.antispam import Antispam
from ksmg.checks.verdict import Status, Verdict
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.rspamd import Action, Assessment, Symbol
from unit.checks_sample import Sample, assessment


async def judge(found: Assessment, headers: tuple[bytes, ...] = (), **options: float) -> Verdict:
    sample = Sample(assessment=found, headers=headers)
    return await Antispam(sample.engines()).check(sample.message(), Antispam.parse_options(options))


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (Action.NO_ACTION, Status.CLEAN),
        (Action.GREYLIST, Status.CLEAN),
        (Action.ADD_HEADER, Status.PROBABLE_SPAM),
        (Action.REWRITE_SUBJECT, Status.PROBABLE_SPAM),
        (Action.SOFT_REJECT, Status.PROBABLE_SPAM),
        (Action.REJECT, Status.SPAM),
    ],
)
async def test_without_options_the_engines_action_decides(action: Action, status: Status) -> None:
    assert (await judge(assessment(action=action, score=20))).status is status


@pytest.mark.parametrize(("score", "status"), [(3.9, Status.CLEAN), (4, Status.PROBABLE_SPAM), (8, Status.SPAM)])
async def test_a_rules_scores_decide_instead_of_the_action(score: float, status: Status) -> None:
    found = assessment(action=Action.ADD_HEADER, score=score)
    assert (await judge(found, spam_score=8, probable_score=4)).status is status


async def test_what_the_engine_calls_spam_without_a_score_is_spam_whatever_the_rules_scores() -> None:
    assert (await judge(assessment("GTUBE", action=Action.REJECT), spam_score=100)).status is Status.SPAM


async def test_evidence_names_the_symbols_that_weigh_most_with_their_scores() -> None:
    verdict = await judge(assessment(Symbol("A", 2.5), Symbol("B", -0.125), action=Action.ADD_HEADER, score=7))
    assert (verdict.evidence, verdict.score, verdict.detail) == (("A(2.50)", "B(-0.12)"), 7, "7.0/15.0")


@pytest.mark.parametrize("header", [b"list-unsubscribe", b"list-id", b"feedback-id"])
async def test_mail_that_names_a_list_is_mass_mail(header: bytes) -> None:
    assert (await judge(assessment(), (header,))).status is Status.MASS_MAIL


async def test_mail_of_low_precedence_is_mass_mail() -> None:
    assert (await judge(assessment("PRECEDENCE_BULK"))).status is Status.MASS_MAIL


async def test_an_automatic_reply_is_not_mass_mail() -> None:
    assert (await judge(assessment("PRECEDENCE_BULK"), (b"auto-submitted",))).status is Status.CLEAN


async def test_spam_to_many_is_spam() -> None:
    assert (await judge(assessment(action=Action.REJECT, score=20), (b"list-id",))).status is Status.SPAM


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"scores": 1}, "scores is not an option of antispam"),
        ({"spam_score": "8"}, "spam_score must be a number"),
        ({"spam_score": True}, "spam_score must be a number"),
        ({"spam_score": 1, "probable_score": 2}, "probable_score must not be above spam_score"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Antispam.parse_options(options)


async def test_an_engine_that_is_down_is_a_failure() -> None:
    sample = Sample(assessment=EngineFailure(Reason.UNREACHABLE, "no rspamd"))
    with pytest.raises(EngineFailure, match="no rspamd"):
        await Antispam(sample.engines()).check(sample.message(), ())
