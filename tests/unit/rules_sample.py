"""What the tests of rules share: modules that judge nothing, documents, facts."""

from collections.abc import Hashable, Mapping
from typing import Any

from ksmg.checks.verdict import Check, Status, Verdict
from ksmg.mail.facts import Direction, Facts
from ksmg.mail.message import Message
from ksmg.rules.documents import default_document, parse_rules
from ksmg.rules.rule_set import RuleSet


class _Judge(Check):
    description = "is only asked about its name, options and statuses"

    @classmethod
    def parse_options(cls, document: Mapping[str, Any]) -> Hashable:
        if document.keys() - {"limit"}:
            raise ValueError(f"{min(document)} is not an option of {cls.name}")
        return int(document.get("limit", 0))

    async def check(self, message: Message, options: Any) -> Verdict:
        return Verdict(self.name)

    async def probe(self) -> str:
        return ""


class Antivirus(_Judge):
    name = "antivirus"
    statuses = (Status.INFECTED, Status.ENCRYPTED)


class Antispam(_Judge):
    name = "antispam"
    statuses = (Status.SPAM, Status.PROBABLE_SPAM, Status.MASS_MAIL)


class Content(_Judge):
    name = "content"
    statuses = (Status.SIZE, Status.NAME)


MODULES: Mapping[str, type[Check]] = {check.name: check for check in (Antivirus, Antispam, Content)}


def document(*rules: Mapping[str, Any]) -> dict[str, Any]:
    """The built-in document with some rules before the default one."""
    built_in = default_document(MODULES)
    *before, last = built_in["rules"]
    return {**built_in, "rules": [*before, *rules, last]}


def rule_set(*rules: Mapping[str, Any], **more: Any) -> RuleSet:
    """The built-in rule set with some rules before the default one."""
    return parse_rules(document(*rules), modules=MODULES, **more)


def facts(
    sender: str = "ann@example.com",
    *recipients: str,
    client_ip: str = "192.0.2.1",
    direction: Direction = Direction.INBOUND,
    account: str = "",
) -> Facts:
    """Facts of a message; to bob@example.org when no recipient is given."""
    to = recipients or ("bob@example.org",)
    return Facts(sender, to, (direction,) * len(to), client_ip, account)
