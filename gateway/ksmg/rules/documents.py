"""Rule sets out of JSON documents, and the document that is in force when nobody wrote one."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ksmg.rules.conditions import parse_conditions
from ksmg.rules.directory import Directory
from ksmg.rules.fields import FieldError, RulesError, listed, record, text, truth
from ksmg.rules.listing import Listings
from ksmg.rules.modules import Catalogue, installed, module_document, parse_modules
from ksmg.rules.rule import Preset, Rule
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.treatments import parse_headers, parse_inserted, parse_treatment

FORMAT = 1
"""The document's format."""
MOST_RULES = 1_000
_PRESETS = {preset.value: preset for preset in Preset}


def parse_rules(
    document: Any,
    digest: str = "",
    modules: Catalogue | None = None,
    lists: Listings | None = None,
    directory: Directory | None = None,
) -> RuleSet:
    """The rule set of a document. Raises RulesError, one sentence that names the rule and the field."""
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise RulesError("The rules must be an object with a list 'rules'.")
    if document.get("format") != FORMAT or document.keys() != {"format", "rules"}:
        raise RulesError(f"The rules must have the fields 'format', which is {FORMAT}, and 'rules'.")
    if len(document["rules"]) > MOST_RULES:
        raise RulesError(f"There are more than {MOST_RULES} rules.")
    known = installed() if modules is None else modules
    rules = [_rule(number, value, known) for number, value in enumerate(document["rules"], 1)]
    _check_whole([rule.name for rule in rules])
    return RuleSet(rules, digest, lists, directory)


def default_document(modules: Catalogue | None = None) -> dict[str, Any]:
    """The document in force when there is no file: both lists' rules, off, and the default rule.

    DenyList comes first. Lists never say both, because deny wins there, so the order of the two only shows that.
    A forged sender is as much on an allow list as a true one: AllowList spares a message only anti-spam and content.
    """
    known = installed() if modules is None else modules
    spared = ("antispam", "content")
    return {
        "format": FORMAT,
        "rules": [
            {
                "name": Preset.DENY_LIST.value,
                "enabled": False,
                "comment": "Messages whose sender or client is on a deny list.",
                "modules": {name: {"enabled": False} for name in known},
                "always": {"action": "reject", "reply": "The recipient does not take mail from this sender"},
            },
            {
                "name": Preset.ALLOW_LIST.value,
                "enabled": False,
                "comment": "Messages whose sender or client is on an allow list.",
                "modules": {
                    name: {**module_document(check), **({"enabled": False} if name in spared else {})}
                    for name, check in known.items()
                },
            },
            {
                "name": Preset.DEFAULT.value,
                "comment": "Messages that no other rule matches.",
                "modules": {name: module_document(check) for name, check in known.items()},
            },
        ],
    }


def written(document: Mapping[str, Any]) -> bytes:
    """A document as files have it."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _rule(number: int, value: Any, modules: Catalogue) -> Rule:
    name = value.get("name") if isinstance(value, dict) else None
    title = f"Rule '{name}'" if isinstance(name, str) and name else f"Rule number {number}"
    fields: dict[str, Callable[[Any], Any]] = {
        "name": _name,
        "enabled": truth,
        "comment": text(1000, lines=True),
        "when": parse_conditions,
        "modules": lambda given: parse_modules(given, modules),
        "always": parse_treatment,
        "disclaimers": lambda given: tuple(map(parse_inserted, listed(given))),
        "headers": parse_headers,
        "backup": truth,
    }
    try:
        found = record(value, fields)
        found.setdefault("modules", parse_modules({}, modules))
        return _checked(found)
    except FieldError as error:
        raise RulesError(f"{title}: {error}.") from None
    except ValueError as error:
        raise RulesError(f"{title} {error}.") from None


def _checked(found: dict[str, Any]) -> Rule:
    """The rule of its parsed fields; a preset has to stay what it is."""
    if "name" not in found:
        raise FieldError("name", "is missing")
    preset = _PRESETS.get(found["name"])
    if preset is not None and found.get("when"):
        raise FieldError("when", "must be left out: this rule's conditions cannot be changed")
    if preset is Preset.DEFAULT and not found.get("enabled", True):
        raise FieldError("enabled", "must be true: the default rule cannot be switched off")
    renamed = {"when": "conditions", "disclaimers": "inserts"}
    return Rule(preset=preset, **{renamed.get(name, name): value for name, value in found.items()})


def _name(value: Any) -> str:
    name = text(100)(value)
    if not name.strip() or name != name.strip():
        raise ValueError("must be a name without spaces at its ends")
    folded = {preset.value.lower(): preset.value for preset in Preset}
    if folded.get(name.lower(), name) != name:
        raise ValueError(f"must be written {folded[name.lower()]}")
    return name


def _check_whole(names: list[str]) -> None:
    for preset in _PRESETS:
        if preset not in names:
            raise RulesError(f"The rule {preset} is missing: it can be switched off, but not deleted.")
    if Preset.DEFAULT.value in names[:-1]:
        raise RulesError("The rule Default must be the last one, and there must be one of it only.")
    folded = [name.lower() for name in names]
    twice = next((name for name in names if folded.count(name.lower()) > 1), None)
    if twice is not None:
        raise RulesError(f"There are two rules with the name '{twice}'.")
