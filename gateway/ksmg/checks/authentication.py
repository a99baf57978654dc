"""Sender authentication: may the client send for this sender (SPF), is the signature right (DKIM), and what does the
author's domain want done otherwise (DMARC)?
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ksmg.checks.options import chosen_options, flag
from ksmg.checks.verdict import Check, Finding, Status, Verdict
from ksmg.engines.failure import Reason
from ksmg.engines.rspamd import Assessment
from ksmg.mail.facts import Direction
from ksmg.mail.message import Message
from ksmg.settings.table import one_of

IGNORE, UNSCANNED = "ignore", "unscanned"
NOT_FROM_OUTSIDE = "not from outside: not checked"
_RESULTS: Mapping[str, Mapping[str, str]] = {
    "spf": {
        "R_SPF_ALLOW": "pass", "R_SPF_PLUSALL": "pass", "R_SPF_FAIL": "fail", "R_SPF_SOFTFAIL": "softfail",
        "R_SPF_NEUTRAL": "neutral", "R_SPF_DNSFAIL": "temperror", "R_SPF_PERMFAIL": "permerror", "R_SPF_NA": "none",
    },
    "dkim": {
        "R_DKIM_ALLOW": "pass", "R_DKIM_REJECT": "fail", "R_DKIM_TEMPFAIL": "temperror",
        "R_DKIM_PERMFAIL": "permerror", "R_DKIM_NA": "none",
    },
    "dmarc": {
        "DMARC_POLICY_ALLOW": "pass", "DMARC_POLICY_ALLOW_WITH_FAILURES": "pass", "DMARC_POLICY_REJECT": "reject",
        "DMARC_POLICY_QUARANTINE": "quarantine", "DMARC_POLICY_SOFTFAIL": "fail", "DMARC_DNSFAIL": "temperror",
        "DMARC_BAD_POLICY": "permerror", "DMARC_NA": "none",
    },
    "arc": {
        "ARC_ALLOW": "pass", "ARC_REJECT": "fail", "ARC_INVALID": "permerror", "ARC_DNSFAIL": "temperror",
        "ARC_NA": "none",
    },
}  # fmt: skip
"""Method -> rspamd's symbol -> the result's name (RFC 8601 2.7), best first: of two signatures the good one counts."""
_DMARC = {"reject": Status.DMARC_REJECT, "quarantine": Status.DMARC_QUARANTINE, "fail": Status.DMARC_NONE}


@dataclass(frozen=True)
class AuthenticationOptions:
    """What counts as a failure besides a clear one."""

    spf_softfail: bool = False
    """Whether SPF's softfail (`~all`) counts as a failure."""
    temporary_errors: str = IGNORE
    """A name server that did not answer is no failure of the sender: ignored, or the message is unscanned."""


class Authentication(Check):
    """Reads rspamd's results of SPF, DKIM and DMARC for mail from outside."""

    name = "authentication"
    description = "checks SPF, DKIM and DMARC of mail from outside with Rspamd"
    statuses = (
        Status.DMARC_REJECT,
        Status.DMARC_QUARANTINE,
        Status.SPF_FAIL,
        Status.DKIM_FAIL,
        Status.DMARC_NONE,
    )
    order = 50

    @classmethod
    def parse_options(cls, document: Mapping[str, Any]) -> AuthenticationOptions:
        """`spf_softfail` and `temporary_errors`."""
        known = {"spf_softfail": flag, "temporary_errors": one_of(IGNORE, UNSCANNED)}
        return AuthenticationOptions(**chosen_options(cls.name, document, **known))

    async def check(self, message: Message, options: Any) -> Verdict:
        """The failures. Evidence has all results, as a field Authentication-Results would."""
        if Direction.INBOUND not in message.facts.directions:
            return Verdict(self.name, evidence=(NOT_FROM_OUTSIDE,))
        assessment = await self._engines.assess(message)
        results = _results(assessment)
        findings = tuple(_findings(results, options or AuthenticationOptions()))
        unscanned = any(finding.status is Status.UNSCANNED for finding in findings)
        return Verdict(
            self.name,
            findings,
            reason=Reason.ERROR if unscanned else None,
            engine=assessment.engine,
            evidence=tuple(f"{method}={result}" for method, result in results.items()),
        )

    async def probe(self) -> str:
        """Only whether rspamd answers."""
        await self._engines.rspamd.ping()
        return "answers"


def _results(assessment: Assessment) -> dict[str, str]:
    """Method -> result with what it is about, such as `fail (example.com)`."""
    found = {symbol.name: symbol for symbol in assessment.symbols}
    results = {}
    for method, known in _RESULTS.items():
        symbol = next((name for name in known if name in found), None)
        if symbol is not None:
            about = ", ".join(found[symbol].options[:3])
            results[method] = f"{known[symbol]} ({about})" if about else known[symbol]
    return results


def _findings(results: Mapping[str, str], options: AuthenticationOptions) -> Iterator[Finding]:
    """The failures, the gravest first."""
    plain = {method: result.partition(" ")[0] for method, result in results.items()}
    failed = {
        _DMARC.get(plain.get("dmarc", "")): "dmarc",
        Status.SPF_FAIL if plain.get("spf") in _spf_failures(options) else None: "spf",
        Status.DKIM_FAIL if plain.get("dkim") == "fail" else None: "dkim",
    }
    for status in Authentication.statuses:
        if status in failed:
            yield Finding(status, f"{failed[status]}={results[failed[status]]}")
    temporary = [method for method, result in plain.items() if result == "temperror" and method != "arc"]
    if temporary and options.temporary_errors == UNSCANNED:
        yield Finding(Status.UNSCANNED, f"a name server did not answer: {', '.join(temporary)}")


def _spf_failures(options: AuthenticationOptions) -> tuple[str, ...]:
    return ("fail", "softfail") if options.spf_softfail else ("fail",)
