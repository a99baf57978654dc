"""Single edits of a rule document. Each returns a new document; whether that is a good one, `parse_rules` decides."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ksmg.rules.fields import RulesError
from ksmg.rules.rule import Preset

Document = dict[str, Any]
_PRESETS = tuple(preset.value for preset in Preset)
_MOST_CHANGES = 50
_LONGEST_VALUE = 500


def find(document: Document, name: str) -> dict[str, Any]:
    """A rule's document. Raises RulesError when there is none of that name."""
    for rule in document.get("rules", ()):
        if isinstance(rule, dict) and rule.get("name") == name:
            return rule
    raise RulesError(f"There is no rule '{name}'.")


def switched(document: Document, name: str, on: bool) -> Document:
    """With a rule switched on or off."""
    return put_field(document, name, "enabled", on)


def added(document: Document, rule: Any, before: str | None = None) -> Document:
    """With another rule before one of the others; without `before` as the last one above Default.

    A rule of the same name is replaced, where it stands.
    """
    changed = copy.deepcopy(document)
    rules = changed["rules"]
    names = _names(changed)
    name = rule.get("name") if isinstance(rule, dict) else None
    if name in names and before is None:
        rules[names.index(name)] = rule
        return changed
    if before is not None:
        find(changed, before)
    rules.insert(names.index(before) if before else len(rules) - 1, rule)
    return changed


def removed(document: Document, name: str) -> Document:
    """Without a rule. Raises RulesError for one that has to stay."""
    if name in _PRESETS:
        raise RulesError(f"The rule {name} cannot be deleted, only switched off.")
    changed = copy.deepcopy(document)
    changed["rules"].remove(find(changed, name))
    return changed


def moved(document: Document, name: str, position: int) -> Document:
    """With a rule at another position, counted from 1. Default stays the last."""
    changed = copy.deepcopy(document)
    rule = find(changed, name)
    changed["rules"].remove(rule)
    last = len(changed["rules"])
    if name == Preset.DEFAULT.value or not 1 <= position <= last:
        raise RulesError(f"A rule's position is from 1 to {last}; Default is always the last one.")
    changed["rules"].insert(position - 1, rule)
    return changed


def put_field(document: Document, name: str, path: str, value: Any) -> Document:
    """With another value of a field, dots between its levels: `modules.antispam.on.spam.action`. None removes it."""
    changed = copy.deepcopy(document)
    rule = find(changed, name)
    *levels, last = path.split(".")
    for level in levels:
        inner = rule.setdefault(level, {})
        if isinstance(inner, str) and (level == "always" or "on" in levels):  # a treatment that is its action alone
            inner = rule[level] = {"action": inner}
        if not isinstance(inner, dict):
            raise RulesError(f"Rule '{name}': {path} leads through {level}, which is no object.")
        rule = inner
    if value is None:
        rule.pop(last, None)
    else:
        rule[last] = value
    return changed


def changes(before: Document, after: Document) -> list[str]:
    """What differs, a line for each field with its value before and after: for the event that records the change."""
    old, new = dict(_fields(before)), dict(_fields(after))
    lines = [
        f"{field}: {_shown(old.get(field))} -> {_shown(new.get(field))}"
        for field in dict.fromkeys((*old, *new))
        if old.get(field) != new.get(field)
    ]
    if len(lines) > _MOST_CHANGES:
        return [*lines[:_MOST_CHANGES], f"and {len(lines) - _MOST_CHANGES} more"]
    return lines


def _names(document: Document) -> list[Any]:
    return [rule.get("name") for rule in document["rules"] if isinstance(rule, dict)]


def _fields(document: Document) -> Iterator[tuple[str, Any]]:
    """The order of the rules, and every field of each."""
    yield "order", _names(document)
    for rule in document["rules"]:
        yield from _flat(str(rule["name"]), rule)


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}", inner)
    else:
        yield path, value


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)[:_LONGEST_VALUE]
