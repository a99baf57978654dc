"""What is wrong with a rule set although each of its fields is right: rules that never match, rules that mislead."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.checks.verdict import Status
from ksmg.rules.conditions import Addresses, Conditions
from ksmg.rules.coverage import Answer, Reach, covering, reach
from ksmg.rules.lists import GLOBAL, Lists
from ksmg.rules.patterns import Kind, Pattern, normal
from ksmg.rules.rule import Preset, Rule
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.treatment import Action

_IN_ONE_PART = (
    Status.INFECTED, Status.ENCRYPTED, Status.MACRO, Status.NAME, Status.TYPE, Status.SIZE, Status.MALICIOUS_LINK,
)  # fmt: skip
"""Findings that can be about one attachment."""


class Weight(enum.Enum):
    """How much a remark matters."""

    FAULT = "fault"
    """The rule does not do what it is there for."""
    DOUBT = "doubt"
    """It could not be found out."""
    HINT = "hint"
    """It does what it says; that may not be what was meant."""


@dataclass(frozen=True)
class Remark:
    """One thing to know about a rule; about the lists when `rule` is empty."""

    rule: str
    weight: Weight
    text: str


def remarks(rules: RuleSet, lists: Lists | None = None) -> Iterator[Remark]:
    """All remarks, in the order of the rules."""
    for position, rule in enumerate(rules.rules):
        yield from _reach_remarks(rule, reach(rules, position))
        yield from _group_remarks(rule, rules)
        yield from _treatment_remarks(rule)
    if lists is not None:
        yield from _list_remarks(rules, lists)


def _reach_remarks(rule: Rule, answer: Answer) -> Iterator[Remark]:
    if answer.reach is Reach.UNKNOWN:
        text = "cannot tell whether it can ever match: earlier rules or its own exceptions may leave nothing to it"
        yield Remark(rule.name, Weight.DOUBT, text)
    elif answer.reach is Reach.NEVER and answer.covered_by:
        text = f"can never match: all that it is for is taken by {_and(answer.covered_by)}"
        yield Remark(rule.name, Weight.FAULT, text)
    elif answer.reach is Reach.NEVER:
        yield Remark(rule.name, Weight.FAULT, "can never match: its own conditions contradict each other")


def _group_remarks(rule: Rule, rules: RuleSet) -> Iterator[Remark]:
    for group in sorted(rule.conditions.groups):
        members = rules.directory.members(group)
        if members is None:
            yield Remark(rule.name, Weight.FAULT, f"names the group {group}, which is unknown: nobody is in it")
        elif not members:
            yield Remark(rule.name, Weight.FAULT, f"names the group {group}, which is empty")


def _treatment_remarks(rule: Rule) -> Iterator[Remark]:
    asked = {name: part for name, part in rule.modules.items() if part.enabled}
    if rule.enabled and not asked and rule.always is None:
        yield Remark(rule.name, Weight.HINT, "asks no module: its mail passes without any check")
    for name, part in asked.items():
        for status, treatment in part.on.items():
            where = f"modules.{name}.on.{status.value}"
            if treatment.action is Action.DELETE_ATTACHMENT and status not in _IN_ONE_PART:
                text = f"{where}: no single attachment is to blame for that; the message will be refused"
                yield Remark(rule.name, Weight.HINT, text)
            if treatment.reply and treatment.action is not Action.REJECT:
                yield Remark(rule.name, Weight.HINT, f"{where}: the reply is never sent, because nothing is refused")
            if status is Status.INFECTED and treatment.action is Action.SKIP:
                yield Remark(rule.name, Weight.HINT, f"{where}: malware is delivered")


def _list_remarks(rules: RuleSet, lists: Lists) -> Iterator[Remark]:
    """Lists without effect, and rules of lists without entries."""
    owners = sorted(lists.owners())
    entries = bool(lists.entries(GLOBAL)) or bool(owners)
    for preset in (Preset.DENY_LIST, Preset.ALLOW_LIST):
        position = next(number for number, rule in enumerate(rules.rules) if rule.preset is preset)
        rule = rules.rules[position]
        if rule.enabled and not entries:
            yield Remark(rule.name, Weight.HINT, "is on, but no list has an entry")
        if not rule.enabled and entries:
            yield Remark(rule.name, Weight.HINT, "is off: the entries of the lists have no effect here")
        if rule.enabled:
            yield from _unreachable(rules, position, owners)


def _unreachable(rules: RuleSet, position: int, owners: list[str]) -> Iterator[Remark]:
    """Personal lists of recipients whose mail earlier rules take."""
    earlier = rules.rules[:position]
    if not any(rule.enabled and rule.preset is None for rule in earlier):
        return
    for owner in owners:
        own = Conditions(recipient=Addresses((Pattern(Kind.EXACT, normal(owner), owner),)))
        taken = covering(own, earlier)
        if taken:
            text = f"the personal list of {owner} has no effect: {_and(tuple(taken))} takes all mail to that address"
            yield Remark(rules.rules[position].name, Weight.FAULT, text)


def _and(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
