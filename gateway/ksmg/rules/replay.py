"""A judged message as its flight record keeps it, and back: what rules need to decide about it once more."""

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ksmg.checks.verdict import Finding, Status, Verdict
from ksmg.engines.failure import Reason
from ksmg.mail.facts import Direction, Facts
from ksmg.mail.readable import all_readable, readable
from ksmg.rules import listing
from ksmg.rules.modules import Catalogue
from ksmg.rules.networks import IPAddress
from ksmg.rules.patterns import normal
from ksmg.rules.rule import SPOOL, Preset, Rule
from ksmg.rules.rule_set import Group, Why
from ksmg.rules.treatment import Decision, Inserted

Judged = Mapping[tuple[str, Hashable], Verdict]
"""Verdicts by the modules' names and the options that each was asked under."""
_NO_OPTIONS = "{}"


@dataclass(frozen=True)
class RecordedVerdict:
    """A verdict, and the options that its module was asked under, as JSON."""

    options: str
    verdict: Verdict


def document_of(
    facts: Facts, verdicts: Judged, groups: Iterable[tuple[Group, Decision]], digest: str = ""
) -> dict[str, Any]:
    """What a flight record keeps of a message: its facts, what was found, which rule decided what for whom.

    `digest` names the rule set. All of it is what JSON can hold, short, because every message has one.
    """
    decided = list(groups)
    rules = [group.rule for group, _ in decided]
    return {
        "rules": digest,
        "facts": {
            "sender": facts.sender,
            "recipients": facts.recipients,
            "directions": _short([direction.value for direction in facts.directions]),
            "client_ip": facts.client_ip,
            "account": facts.account,
        },
        "verdicts": [_verdict_document(v, _options(name, given, rules)) for (name, given), v in verdicts.items()],
        "groups": [_group_document(group, decision) for group, decision in decided],
    }


def facts_of(document: Mapping[str, Any]) -> Facts:
    """The facts of a recorded message. Raises KeyError, TypeError or ValueError when it is no such record."""
    kept = document["facts"]
    recipients = tuple(kept["recipients"])
    directions = kept["directions"]
    words = [directions] * len(recipients) if isinstance(directions, str) else directions
    return Facts(kept["sender"], recipients, tuple(map(Direction, words)), kept["client_ip"], kept["account"])


def verdicts_of(document: Mapping[str, Any]) -> tuple[RecordedVerdict, ...]:
    """The verdicts of a recorded message. Raises KeyError, TypeError or ValueError when it is no such record."""
    return tuple(map(_recorded_verdict, document["verdicts"]))


def verdicts_for(
    rule: Rule, recorded: Iterable[RecordedVerdict], modules: Catalogue
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """The recorded verdicts that count for a rule, and the modules that it wants without one: nobody knows of those."""
    kept = list(recorded)
    wanted = [name for name in modules if rule.wants(name) is not None]
    found = {one.verdict.check: one.verdict for one in kept if _same(one, rule, modules)}
    spooling = tuple(one.verdict for one in kept if one.verdict.check == SPOOL)
    missing = tuple(name for name in wanted if name not in found and not spooling)
    return spooling + tuple(found[name] for name in wanted if name in found), missing


def effects_of(decision: Decision) -> list[str]:
    """What a decision does besides its action, in words that two decisions can be compared by."""
    treatments = [cause.treatment for cause in decision.causes]
    headers = [name for name, _ in decision.headers] + [name for t in treatments for name, _ in t.headers]
    inserts = [*decision.inserts, *(treatment.insert for treatment in treatments if treatment.insert)]
    notified = sorted({who.value for treatment in treatments for who in treatment.notify})
    return [
        *dict.fromkeys(f"tag {treatment.tag}" for treatment in treatments if treatment.tag),
        *dict.fromkeys(f"header {name}" for name in headers),
        *dict.fromkeys(map(_insert_effect, inserts)),
        *(f"notify {who}" for who in notified),
        *(["backup"] if decision.backup else []),
    ]


class RecordedLists:
    """What the lists said when a message was judged; where its record does not tell, what they say now."""

    def __init__(self, document: Mapping[str, Any], now: listing.Listings) -> None:
        self._now = now
        self._then: dict[str, listing.Listing | None] = {}
        recipients = document["facts"]["recipients"]
        for group in document["groups"]:
            for number in group["recipients"]:
                self._remember(normal(recipients[number]), group["rule"], group.get("trace", ""))

    def listing(self, sender: str, client: IPAddress | None, recipient: str) -> listing.Listing | None:
        """What the lists said, or say."""
        if recipient in self._then:
            return self._then[recipient]
        return self._now.listing(sender, client, recipient)

    def _remember(self, recipient: str, rule: str, trace: str) -> None:
        if rule == Preset.DENY_LIST.value:
            self._then[recipient] = listing.Listing(listing.Verdict.DENY, "as recorded")
        elif rule == Preset.ALLOW_LIST.value:
            self._then[recipient] = listing.Listing(listing.Verdict.ALLOW, "as recorded")
        elif trace.count(Why.LISTS.value) == 2:  # both lists' rules were tried
            self._then[recipient] = None


def _short(words: list[str]) -> list[str] | str:
    """One word for all of them, when they are the same."""
    return words[0] if words and len(set(words)) == 1 else words


def _options(name: str, given: Hashable, rules: Iterable[Rule]) -> str:
    """The options as one of the rules has them."""
    found = (rule.modules[name].options_text for rule in rules if rule.wants(name) == given and name in rule.modules)
    return next(found, _NO_OPTIONS)


def _verdict_document(verdict: Verdict, options: str) -> dict[str, Any]:
    fields = {
        "check": verdict.check,
        "options": "" if options == _NO_OPTIONS else options,
        "findings": [_finding_document(finding) for finding in verdict.findings],
        "reason": verdict.reason.value if verdict.reason else None,
        "engine": readable(verdict.engine),
        "evidence": all_readable(verdict.evidence),
        "score": verdict.score,
        "milliseconds": round(verdict.seconds * 1000, 3),
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _finding_document(finding: Finding) -> dict[str, Any]:
    fields = {"status": finding.status.value, "detail": readable(finding.detail), "parts": finding.parts}
    return {name: value for name, value in fields.items() if value not in ("", ())}


def _group_document(group: Group, decision: Decision) -> dict[str, Any]:
    return {
        "rule": group.rule.name,
        "recipients": group.recipients,
        "trace": group.trace,
        "action": decision.action.value,
        "effects": effects_of(decision),
    }


def _insert_effect(insert: Inserted) -> str:
    return f"text at the {'top' if insert.at_top else 'bottom'}: {insert.text[:40].splitlines()[0]}"


def _recorded_verdict(kept: Mapping[str, Any]) -> RecordedVerdict:
    findings = (
        Finding(Status(one["status"]), one.get("detail", ""), tuple(one.get("parts", ())))
        for one in kept.get("findings", ())
    )
    verdict = Verdict(
        check=kept["check"],
        findings=tuple(findings),
        reason=Reason(kept["reason"]) if "reason" in kept else None,
        engine=kept.get("engine", ""),
        evidence=tuple(kept.get("evidence", ())),
        score=kept.get("score"),
        seconds=kept.get("milliseconds", 0.0) / 1000,
    )
    return RecordedVerdict(kept.get("options", _NO_OPTIONS), verdict)


def _same(one: RecordedVerdict, rule: Rule, modules: Catalogue) -> bool:
    """Whether the rule wants the module under the options of this verdict."""
    check = modules.get(one.verdict.check)
    wanted = rule.wants(one.verdict.check)
    if check is None or wanted is None:
        return False
    try:
        return check.parse_options(json.loads(one.options)) == wanted
    except ValueError:  # options that this version of the module does not have any more
        return False
