"""Anti-phishing and malicious links: does the message pretend to lead to somebody else, or to a place known for harm?

Nothing is looked up elsewhere: text is compared with link, and link with the lists of the rule.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ksmg.checks.link_targets import BRANDS, NONE, LinkTargets, target
from ksmg.checks.options import chosen_options, flag, words
from ksmg.checks.verdict import Check, Finding, Status, Verdict, named
from ksmg.engines.clamd import Scan
from ksmg.engines.rspamd import Assessment, Link
from ksmg.mail.message import Message

_PHISHING = frozenset({
    "PHISHED_OPENPHISH", "PHISHED_PHISHTANK", "PHISHED_GENERIC_SERVICE", "HACKED_WP_PHISHING", "PH_SURBL_MULTI",
    "DBL_PHISH", "DBL_ABUSE_PHISH", "OMOGRAPH_URL",
})  # fmt: skip
_MALICIOUS = frozenset({
    "DBL_MALWARE", "DBL_BOTNET", "DBL_ABUSE_MALWARE", "DBL_ABUSE_BOTNET", "MW_SURBL_MULTI", "CRACKED_SURBL",
    "URIBL_BLACK", "URLHAUS_ABUSE_CH",
})  # fmt: skip
"""Symbols of reputation services; rspamd gives them only where the administrator has agreed to ask those."""
MOST_SHOWN = 10
"""Misleading links in the evidence."""


@dataclass(frozen=True)
class LinksOptions:
    """The lists of a rule: domains, their subdomains included, or places such as `example.com/path`."""

    malicious_domains: LinkTargets = NONE
    """Links there are malicious."""
    protected_domains: LinkTargets = BRANDS
    """Whoever shows one of these and links elsewhere is phishing; the most imitated ones and the site's own."""
    trusted_domains: LinkTargets = NONE
    """Links there are never phishing, such as a service that rewrites links."""
    any_mismatch: bool = False
    """Whether every link that shows another domain is phishing. Newsletters that count clicks do that."""
    clamav: bool = True
    """Whether ClamAV's findings of phishing count. Without, rspamd alone is asked."""


class Links(Check):
    """Judges by rspamd's findings about links, and by ClamAV's about phishing."""

    name = "links"
    description = "finds phishing and malicious links without asking anyone"
    statuses = (Status.MALICIOUS_LINK, Status.PHISHING)
    order = 30

    @classmethod
    def parse_options(cls, document: Mapping[str, Any]) -> LinksOptions:
        """Lists of places, `protected_domains` besides the usual ones; `any_mismatch` and `clamav`."""
        lists = dict.fromkeys(("malicious_domains", "protected_domains", "trusted_domains"), words(target))
        chosen = chosen_options(cls.name, document, **lists, any_mismatch=flag, clamav=flag)
        for name in lists.keys() & chosen.keys():
            chosen[name] = LinkTargets(chosen[name])
        if "protected_domains" in chosen:
            chosen["protected_domains"] |= BRANDS
        return LinksOptions(**chosen)

    async def check(self, message: Message, options: Any) -> Verdict:
        """Malicious links, phishing, or clean."""
        wanted = options or LinksOptions()
        scanning = self._engines.scan(message) if wanted.clamav else None
        assessment = await self._engines.assess(message)
        signature = _signature(await scanning) if scanning else ()
        found = {
            Status.MALICIOUS_LINK: [*_named(assessment, _MALICIOUS), *_malicious(assessment.links, wanted)],
            Status.PHISHING: [*signature, *_named(assessment, _PHISHING), *_phishing(assessment.links, wanted)],
        }
        findings = (Finding(status, named(list(dict.fromkeys(what)))) for status, what in found.items() if what)
        return Verdict(
            self.name, tuple(findings), engine=assessment.engine, evidence=tuple(_evidence(assessment.links))
        )

    async def probe(self) -> str:
        """Only whether rspamd answers."""
        await self._engines.rspamd.ping()
        return "answers"


def _signature(scan: Scan) -> tuple[str, ...]:
    return (scan.malware,) if scan.malware and scan.phishing else ()


def _named(assessment: Assessment, symbols: frozenset[str]) -> Iterator[str]:
    yield from (symbol.name for symbol in assessment.symbols if symbol.name in symbols)


def _malicious(links: Iterable[Link], options: LinksOptions) -> Iterator[str]:
    yield from (link.url for link in links if options.malicious_domains.match(link.url))


def _phishing(links: Iterable[Link], options: LinksOptions) -> Iterator[str]:
    for link in links:
        if options.trusted_domains.match(link.url):
            continue
        protected = options.protected_domains
        if imitated := protected.imitated(link.domain):
            yield f"{link.domain} looks like {imitated}"
        elif (
            link.misleading and not protected.match(link.url) and (options.any_mismatch or protected.match(link.shown))
        ):
            yield f"{link.shown} leads to {link.domain}"


def _evidence(links: Iterable[Link]) -> Iterator[str]:
    """Links that show another domain, whether or not that decided."""
    misleading = [f"{link.shown} -> {link.url}" for link in links if link.misleading]
    yield from misleading[:MOST_SHOWN]
