"""Anti-phishing and malicious links, offline."""

from typing import Any

import pytest
from ksmg.checks.link_targets import BRANDS, LinkTargets, target
from ksmg.checks.links import Links
from ksmg.checks.verdict import Status, Verdict
from ksmg.engines.clamd import Scan
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.rspamd import Link
from unit.checks_sample import CLEAN, Sample, assessment, link

HEURISTIC = Scan("Heuristics.Phishing.Email.SpoofedDomain")
EVIL = link("http://evil.test/login", "evil.test", "http://www.paypal.com/")


async def judge(
    *links: Link, symbols: tuple[str, ...] = (), scan: Scan | EngineFailure = CLEAN, **options: Any
) -> Verdict:
    sample = Sample(scan, assessment(*symbols, links=links))
    return await Links(sample.engines()).check(sample.message(), Links.parse_options(options))


async def test_ordinary_links_are_clean() -> None:
    assert (await judge(link("https://www.example.com/", "example.com"))).findings == ()


async def test_a_link_that_shows_a_much_imitated_domain_is_phishing() -> None:
    verdict = await judge(EVIL)
    assert (verdict.status, verdict.detail) == (Status.PHISHING, "http://www.paypal.com/ leads to evil.test")
    assert verdict.evidence == ("http://www.paypal.com/ -> http://evil.test/login",)


async def test_a_domain_that_looks_like_a_much_imitated_one_is_phishing() -> None:
    assert (await judge(link("https://www.paypa1.com/", "paypa1.com"))).detail == "paypa1.com looks like paypal.com"


async def test_a_link_from_one_much_imitated_domain_to_another_is_not() -> None:
    assert (await judge(link("https://www.live.com/", "live.com", "http://office.com"))).findings == ()


async def test_a_newsletter_that_counts_clicks_is_not_phishing_unless_the_rule_says_so() -> None:
    counted = link("https://click.list.test/1", "list.test", "http://www.shop.test")
    assert (await judge(counted)).findings == ()
    assert (await judge(counted, any_mismatch=True)).status is Status.PHISHING


async def test_the_sites_own_domains_can_be_protected_too() -> None:
    shown = link("https://evil.test/", "evil.test", "https://mail.example.org/")
    assert (await judge(shown, protected_domains=["example.org"])).status is Status.PHISHING
    assert (await judge(EVIL, protected_domains=["example.org"])).status is Status.PHISHING


async def test_a_trusted_target_is_never_phishing() -> None:
    assert (await judge(EVIL, trusted_domains=["evil.test"], any_mismatch=True)).findings == ()


@pytest.mark.parametrize("place", ["evil.test", "evil.test/login", "http://EVIL.test/login/"])
async def test_a_link_to_a_listed_place_is_malicious(place: str) -> None:
    verdict = await judge(EVIL, malicious_domains=["other.example", place])
    assert (verdict.status, verdict.detail) == (Status.MALICIOUS_LINK, "http://evil.test/login")


@pytest.mark.parametrize("place", ["evil.test/log", "evil.test/other", "notevil.test", "www.evil.test"])
async def test_a_link_elsewhere_is_not_malicious(place: str) -> None:
    statuses = [finding.status for finding in (await judge(EVIL, malicious_domains=[place])).findings]
    assert Status.MALICIOUS_LINK not in statuses


async def test_clamds_finding_of_phishing_counts() -> None:
    assert (await judge(scan=HEURISTIC)).detail == HEURISTIC.malware


async def test_clamds_other_findings_do_not() -> None:
    assert (await judge(scan=Scan("Eicar"))).findings == ()


async def test_without_clamd_only_rspamd_is_asked() -> None:
    sample = Sample(HEURISTIC)
    verdict = await Links(sample.engines()).check(sample.message(), Links.parse_options({"clamav": False}))
    assert (verdict.findings, sample.asked) == ((), ["rspamd"])


async def test_a_clamd_that_fails_leaves_the_message_unscanned() -> None:
    with pytest.raises(EngineFailure, match="no clamd"):
        await judge(scan=EngineFailure(Reason.UNREACHABLE, "no clamd"))


@pytest.mark.parametrize(("symbol", "status"), [("URIBL_BLACK", Status.MALICIOUS_LINK), ("DBL_PHISH", Status.PHISHING)])
async def test_symbols_of_reputation_services_count_where_they_are_asked(symbol: str, status: Status) -> None:
    assert (await judge(symbols=(symbol,))).status is status


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Example.COM.", "example.com"),
        ("https://user:pw@example.com:8443/a/B/", "example.com/a/B"),
        ("xn--e1afmkfd.xn--p1ai", "пример.рф"),
    ],
)
def test_places_have_one_form(text: str, place: str) -> None:
    assert target(text) == place


@pytest.mark.parametrize("text", ["", "localhost", "a b.example", "/path"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be domains"):
        target(text)


@pytest.mark.parametrize("domain", ["paypa1.com", "pay-pal.com", "rnicrosoft.com", "xn--pypal-4ve.com", "раураl.com"])
def test_imitations_are_recognised(domain: str) -> None:
    assert BRANDS.imitated(domain)


@pytest.mark.parametrize("domain", ["paypal.com", "www.paypal.com", "paypal.de", "playpal.com", "example.com", ""])
def test_other_domains_are_no_imitations(domain: str) -> None:
    assert BRANDS.imitated(domain) is None


def test_no_brand_imitates_another() -> None:
    assert [brand for brand in BRANDS.entries if LinkTargets(BRANDS.entries - {brand}).imitated(brand)] == []


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="trusted_domains must be domains"):
        Links.parse_options({"trusted_domains": ["no domain"]})
