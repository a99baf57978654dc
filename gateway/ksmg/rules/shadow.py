"""A rule set beside the one in force: what would have differed for messages of the last days."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ksmg.rules.modules import Catalogue
from ksmg.rules.replay import RecordedLists, effects_of, facts_of, verdicts_for, verdicts_of
from ksmg.rules.rule_set import RuleSet
from ksmg.stores.flight_record import FlightRecord


@dataclass(frozen=True)
class Outcome:
    """What one rule did, or would do, for one recipient."""

    rule: str
    action: str
    effects: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[str, tuple[str, ...]]:
        """What reaches the recipient, whichever rule asked for it."""
        return self.action, tuple(sorted(self.effects))


@dataclass(frozen=True)
class Difference:
    """Recipients of one message, by address, for whom the outcome would have been another one."""

    message: str
    time: float
    sender: str
    recipients: tuple[str, ...]
    before: Outcome
    after: Outcome
    unknown: tuple[str, ...] = ()
    """Modules that the other rule wants and that nobody asked then: what they would have found is not known."""


@dataclass
class Comparison:
    """The sum over all records."""

    messages: int = 0
    same: int = 0
    """Messages with the same outcome for every recipient."""
    other_rule_only: int = 0
    """Messages of those for which another rule asks for the same."""
    unreadable: int = 0
    """Records that are damaged or of another format."""
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Recipients by the action before and after."""
    uncertain: int = 0
    """Messages with recipients for whom a module was not asked then."""


def compare(
    records: Iterable[FlightRecord], candidate: RuleSet, modules: Catalogue, total: Comparison
) -> Iterator[Difference]:
    """Every difference, one message after the other; `total` counts on."""
    for record in records:
        total.messages += 1
        try:
            differences, other_rule = _differences(record, candidate, modules)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            total.unreadable += 1
            continue
        total.same += not differences
        total.other_rule_only += other_rule and not differences
        total.uncertain += any(difference.unknown for difference in differences)
        for difference in differences:
            total.changes[difference.before.action, difference.after.action] += len(difference.recipients)
        yield from differences


def _differences(record: FlightRecord, candidate: RuleSet, modules: Catalogue) -> tuple[list[Difference], bool]:
    """The differences of one message, and whether any recipient has a rule of another name."""
    facts = facts_of(record.document)
    before = _recorded(record.document)
    found: dict[tuple[Outcome, Outcome, tuple[str, ...]], list[str]] = {}
    other_rule = False
    for numbers, after, unknown in _again(record.document, candidate, modules):
        for number in numbers:
            other_rule |= before[number].rule != after.rule
            if before[number].done != after.done or unknown:
                found.setdefault((before[number], after, unknown), []).append(facts.recipients[number])
    differences = [
        Difference(record.message, record.time, facts.sender, tuple(recipients), *outcomes)
        for outcomes, recipients in found.items()
    ]
    return differences, other_rule


def _recorded(document: Mapping[str, Any]) -> dict[int, Outcome]:
    """What was decided, for each recipient."""
    return {
        number: Outcome(group["rule"], group["action"], tuple(group.get("effects", ())))
        for group in document["groups"]
        for number in group["recipients"]
    }


def _again(
    document: Mapping[str, Any], candidate: RuleSet, modules: Catalogue
) -> Iterator[tuple[tuple[int, ...], Outcome, tuple[str, ...]]]:
    """What the other rule set decides about the same verdicts, for each group of recipients."""
    recorded = verdicts_of(document)
    for group in candidate.assign(facts_of(document), RecordedLists(document, candidate.lists)):
        verdicts, unknown = verdicts_for(group.rule, recorded, modules)
        decision = group.rule.decide(verdicts, bool(document.get("exhausted", False)))
        yield group.recipients, Outcome(group.rule.name, decision.action.value, tuple(effects_of(decision))), unknown
