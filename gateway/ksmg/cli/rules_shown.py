"""How `ksmg rules` shows rules, remarks and comparisons."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from ksmg.cli.appliance import Appliance
from ksmg.cli.output import local_time, print_json, print_table
from ksmg.rules.coverage import Reach, reach
from ksmg.rules.modules import installed
from ksmg.rules.rule import Rule
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.shadow import Comparison, Difference, Outcome, compare
from ksmg.rules.soundness import Remark, Weight
from ksmg.stores.locations import open_message_events

_DAY = 86_400
_MOST_LISTED = 50


def row_of(number: int, rule: Rule) -> dict[str, Any]:
    """One rule as a row of a table."""
    return {
        "no": number,
        "name": rule.name,
        "on": "yes" if rule.enabled else "no",
        "conditions": ", ".join(conditions_of(rule)) or ("listed senders" if _of_lists(rule) else "everything"),
        "modules": ", ".join(name for name, part in rule.modules.items() if part.enabled) or "none",
        "comment": rule.comment.replace("\n", " "),
    }


def conditions_of(rule: Rule) -> Iterator[str]:
    """A rule's conditions in words, long ones cut."""
    conditions = rule.conditions
    for name, addresses in (("from", conditions.sender), ("to", conditions.recipient)):
        if addresses:
            yield f"{name} {_listed([p.text for p in addresses.wanted], [p.text for p in addresses.excepted])}"
    if conditions.client:
        yield f"client {_listed([*map(str, conditions.client.wanted)], [*map(str, conditions.client.excepted)])}"
    if conditions.direction:
        yield " or ".join(sorted(direction.value for direction in conditions.direction))
    if conditions.account is not None:
        yield "signed in" if conditions.account else "not signed in"


def print_remarks(rules: RuleSet, found: Sequence[Remark], as_json: bool) -> None:
    """Prints, for each rule, whether it can match, and the remarks."""
    rows = [_reach_row(rules, position) for position in range(len(rules.rules))]
    if as_json:
        remarks = [{"rule": r.rule, "weight": r.weight.value, "text": r.text} for r in found]
        print_json({"digest": rules.digest, "rules": rows, "remarks": remarks})
        return
    print_table(("RULE", "ON", "CAN MATCH", "FOR EXAMPLE"), ([*map(str, row.values())] for row in rows))
    for weight in Weight:
        for remark in found:
            if remark.weight is weight:
                print(f"\n{weight.value.capitalize()}: the rule '{remark.rule}' {remark.text}.", end="")
    print("\n" if found else "")
    faults = sum(remark.weight is Weight.FAULT for remark in found)
    print(f"{faults} faults, {len(found) - faults} other remarks." if found else "Nothing to remark.")


def print_comparison(here: Appliance, candidate: RuleSet, days: int, as_json: bool) -> None:
    """Prints what another rule set would have done with the messages of the last days."""
    total = Comparison()
    records = open_message_events(here.policy, here.settings).records(time.time() - days * _DAY)
    found = compare(records, candidate, installed(), total)
    if as_json:
        differences = [_difference_values(one) for one in found]
        print_json({"digest": candidate.digest, "differences": differences, "sum": _sum_values(total)})
        return
    rows = []
    for number, one in enumerate(found):
        if number < _MOST_LISTED:
            rows.append(_difference_row(one))
    print_table(("TIME", "MESSAGE", "FROM", "TO", "BEFORE", "WITH THE OTHER RULES"), rows)
    if sum(total.changes.values()) > len(rows):
        print("… --json lists all of them")
    _print_sum(total, days)


def _of_lists(rule: Rule) -> bool:
    return rule.preset is not None and not rule.conditions and rule.preset.name.endswith("LIST")


def _listed(wanted: Sequence[str], excepted: Sequence[str]) -> str:
    shown = [*wanted, *(f"not {value}" for value in excepted)]
    return " or ".join(shown[:3]) + (f" or {len(shown) - 3} more" if len(shown) > 3 else "")


def _reach_row(rules: RuleSet, position: int) -> dict[str, str]:
    rule, answer = rules.rules[position], reach(rules, position)
    words = {Reach.MATCHES: "yes", Reach.NEVER: "never", Reach.UNKNOWN: "cannot tell"}
    example = ""
    if answer.example is not None:
        facts = answer.example
        client = f", {facts.client_ip}" if facts.client_ip else ""
        example = f"{facts.sender or '<>'} to {facts.recipients[0] or '<>'}, {facts.directions[0].value}{client}"
    on = "yes" if rule.enabled else "no"
    return {"rule": rule.name, "on": on, "can_match": words[answer.reach], "example": example}


def _difference_values(one: Difference) -> dict[str, Any]:
    return {
        "message": one.message,
        "time": one.time,
        "sender": one.sender,
        "recipients": one.recipients,
        "before": vars(one.before),
        "after": vars(one.after),
        "unknown": one.unknown,
    }


def _difference_row(one: Difference) -> tuple[str, ...]:
    unknown = f" (unknown: {', '.join(one.unknown)})" if one.unknown else ""
    recipients = ",".join(one.recipients[:2]) + (" …" if len(one.recipients) > 2 else "")
    before, after = _outcome(one.before), _outcome(one.after)
    return local_time(one.time), one.message, one.sender or "<>", recipients, before, after + unknown


def _outcome(outcome: Outcome) -> str:
    return f"{outcome.rule}: {', '.join((outcome.action, *outcome.effects))}"


def _sum_values(total: Comparison) -> dict[str, Any]:
    changes = [{"before": b, "after": a, "recipients": n} for (b, a), n in total.changes.most_common()]
    return {**vars(total), "changes": changes}


def _print_sum(total: Comparison, days: int) -> None:
    differing = total.messages - total.same - total.unreadable
    print(f"\nOf {total.messages} messages of the last {days} days, {differing} would have been treated differently.")
    for (before, after), number in total.changes.most_common():
        print(f"  {number} recipients: {before} -> {after if after != before else f'{after}, with other marks'}")
    for number, text in (
        (total.other_rule_only, "another rule would have done the same"),
        (total.uncertain, "a module would have been asked that was not: its finding is unknown"),
        (total.unreadable, "the record cannot be read"),
    ):
        if number:
            print(f"  {number} messages: {text}")
