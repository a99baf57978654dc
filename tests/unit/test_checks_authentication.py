"""Sender authentication: from rspamd's symbols to failures that rules have treatments for."""

from typing import Any

import pytest
from ksmg.checks.authentication import NOT_FROM_OUTSIDE, Authentication
from ksmg.checks.verdict import Status, Verdict
from ksmg.engines.failure import Reason
from ksmg.engines.rspamd import Symbol
from unit.checks_sample import INSIDE, Sample, assessment


async def judge(*symbols: str | Symbol, **options: Any) -> Verdict:
    sample = Sample(assessment=assessment(*symbols))
    return await Authentication(sample.engines()).check(sample.message(), Authentication.parse_options(options))


@pytest.mark.parametrize(
    ("symbol", "status"),
    [
        ("R_SPF_FAIL", Status.SPF_FAIL),
        ("R_DKIM_REJECT", Status.DKIM_FAIL),
        ("DMARC_POLICY_REJECT", Status.DMARC_REJECT),
        ("DMARC_POLICY_QUARANTINE", Status.DMARC_QUARANTINE),
        ("DMARC_POLICY_SOFTFAIL", Status.DMARC_NONE),
    ],
)
async def test_each_failure_has_its_status(symbol: str, status: Status) -> None:
    assert [finding.status for finding in (await judge(symbol)).findings] == [status]


@pytest.mark.parametrize(
    "symbol",
    [
        "R_SPF_ALLOW", "R_SPF_SOFTFAIL", "R_SPF_NEUTRAL", "R_SPF_NA", "R_SPF_DNSFAIL", "R_SPF_PERMFAIL",
        "R_DKIM_ALLOW", "R_DKIM_NA", "R_DKIM_TEMPFAIL", "R_DKIM_PERMFAIL",
        "DMARC_POLICY_ALLOW", "DMARC_NA", "DMARC_DNSFAIL", "DMARC_BAD_POLICY", "ARC_REJECT",
    ],
)  # fmt: skip
async def test_whatever_is_no_failure_is_clean(symbol: str) -> None:
    assert (await judge(symbol)).findings == ()


async def test_the_gravest_failure_comes_first() -> None:
    found = (await judge("R_SPF_FAIL", "R_DKIM_REJECT", "DMARC_POLICY_REJECT")).findings
    assert [finding.status for finding in found] == [Status.DMARC_REJECT, Status.SPF_FAIL, Status.DKIM_FAIL]


async def test_one_good_signature_outweighs_a_bad_one() -> None:
    assert (await judge("R_DKIM_REJECT", "R_DKIM_ALLOW")).findings == ()


async def test_evidence_lists_the_results() -> None:
    verdict = await judge(Symbol("R_SPF_FAIL", 1, ("-all",)), "R_DKIM_NA", "ARC_NA", "OTHER")
    assert verdict.evidence == ("spf=fail (-all)", "dkim=none", "arc=none")


async def test_mail_from_inside_is_not_judged_and_nobody_asked() -> None:
    sample = Sample(client=INSIDE)
    verdict = await Authentication(sample.engines()).check(sample.message(), ())
    assert (verdict.findings, verdict.evidence, sample.asked) == ((), (NOT_FROM_OUTSIDE,), [])


async def test_softfail_counts_when_the_rule_says_so() -> None:
    assert (await judge("R_SPF_SOFTFAIL", spf_softfail=True)).status is Status.SPF_FAIL


async def test_a_name_server_that_does_not_answer_leaves_the_message_unscanned_when_the_rule_says_so() -> None:
    verdict = await judge("DMARC_DNSFAIL", temporary_errors="unscanned")
    assert (verdict.status, verdict.reason) == (Status.UNSCANNED, Reason.ERROR)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="temporary_errors must be one of: ignore, unscanned"):
        Authentication.parse_options({"temporary_errors": "hold"})
