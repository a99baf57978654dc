"""A rule's part for each module: whether it is on, under which options, and what is done about what it finds."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from ksmg.checks import catalogue
from ksmg.checks.verdict import Check, Status
from ksmg.engines.failure import Reason
from ksmg.rules.fields import FieldError, choice, record, truth, within
from ksmg.rules.treatment import OnFailure, Treatment
from ksmg.rules.treatments import parse_treatment

Catalogue = Mapping[str, type[Check]]
"""The modules there are, by name."""
ANY = "any"
"""Every reason of a failure that is not named itself."""
DEFAULT_TREATMENTS: Mapping[Status, Mapping[str, Any]] = {
    Status.INFECTED: {"action": "reject", "backup": True},
    Status.SPAM: {
        "tag": "[SPAM]",
        "headers": {"X-Spam-Flag": "YES", "X-KSMG-AntiSpam": "{status}, score {detail}, {evidence}"},
    },
    Status.PROBABLE_SPAM: {
        "tag": "[SPAM]",
        "headers": {"X-Spam-Flag": "YES", "X-KSMG-AntiSpam": "{status}, score {detail}, {evidence}"},
    },
    Status.PHISHING: {"action": "reject", "backup": True},
    Status.MALICIOUS_LINK: {"action": "reject", "backup": True},
    Status.SIZE: {"action": "reject", "backup": True},
    Status.NAME: {"action": "reject", "backup": True},
    Status.TYPE: {"action": "reject", "backup": True},
    Status.COUNT: {"action": "reject", "backup": True},
    Status.DMARC_QUARANTINE: {"action": "quarantine"},
    Status.DMARC_REJECT: {"action": "reject", "backup": True},
}
"""What is done where a rule says nothing about a status; one that is not here is recorded, and passes.

ENCRYPTED and MACRO pass, because much wanted mail is like that. SPF_FAIL and DKIM_FAIL pass, because forwarding and
mailing lists break them; DMARC asks for more than either, and what its domain's owner published is done, with a copy
in Backup, because lists break DMARC as well.
"""
OFF_UNLESS_NAMED = ("content",)
"""Modules that a rule must name to have them on: without limits of its own, content has nothing to look for."""


@dataclass(frozen=True)
class ModulePart:
    """One module's part of a rule."""

    enabled: bool
    options: Hashable
    options_text: str
    """The options as they were given, as JSON: what records keep."""
    on: Mapping[Status, Treatment]
    on_failure: Mapping[Reason, OnFailure]

    def treatment(self, status: Status) -> Treatment:
        """What is done about a status that it finds."""
        return self.on.get(status, _PASS)

    def failure(self, reason: Reason | None) -> OnFailure:
        """What becomes of a message that it could not judge."""
        return self.on_failure.get(reason or Reason.ERROR, OnFailure.TEMPFAIL)


_PASS = Treatment()


def installed() -> Catalogue:
    """The gateway's modules."""
    return catalogue.check_classes()


def parse_modules(value: Any, modules: Catalogue) -> dict[str, ModulePart]:
    """Every module's part: what the document does not name is the default. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    for name in value:
        if name not in modules:
            raise FieldError(str(name), f"is no module; there are: {', '.join(modules)}")
    parts = {}
    for name, check in modules.items():
        with within(name):
            parts[name] = _part(value.get(name, {"enabled": name not in OFF_UNLESS_NAMED}), check)
    return parts


def module_document(check: type[Check]) -> dict[str, Any]:
    """A module's part as it is by default, written out."""
    return {
        "enabled": check.name not in OFF_UNLESS_NAMED,
        "options": {},
        "on": {status.value: {"action": "skip", **DEFAULT_TREATMENTS.get(status, {})} for status in _found(check)},
        "on_failure": {ANY: OnFailure.TEMPFAIL.value},
    }


def _part(value: Any, check: type[Check]) -> ModulePart:
    found = record(
        value,
        {
            "enabled": truth,
            "options": lambda given: (check.parse_options(given), given) if isinstance(given, dict) else _no_object(),
            "on": lambda given: _treatments(given, check),
            "on_failure": _failures,
        },
    )
    options, given = found.get("options") or (check.parse_options({}), {})
    defaults = {status: parse_treatment(dict(DEFAULT_TREATMENTS.get(status, {}))) for status in _found(check)}
    return ModulePart(
        enabled=found.get("enabled", True),
        options=options,
        options_text=json.dumps(given, sort_keys=True, ensure_ascii=False),
        on={**defaults, **found.get("on", {})},
        on_failure=found.get("on_failure", {}),
    )


def _no_object() -> Any:
    raise ValueError("must be an object")


def _found(check: type[Check]) -> list[Status]:
    return [status for status in check.statuses if status not in (Status.CLEAN, Status.UNSCANNED)]


def _treatments(value: Any, check: type[Check]) -> dict[Status, Treatment]:
    found = record(value, {status.value: parse_treatment for status in _found(check)})
    return {Status(name): treatment for name, treatment in found.items()}


def _failures(value: Any) -> dict[Reason, OnFailure]:
    """What becomes of the message for each reason; a single word is for all of them."""
    if isinstance(value, str):
        value = {ANY: value}
    found = record(value, {ANY: choice(OnFailure), **{reason.value: choice(OnFailure) for reason in Reason}})
    others = found.get(ANY, OnFailure.TEMPFAIL)
    return {reason: found.get(reason.value, others) for reason in Reason}
