"""One message as it was judged: what its delivery, its answer and its record need."""

from collections.abc import Mapping
from dataclasses import dataclass

from ksmg.checks.verdict import Status, Verdict
from ksmg.filter.judgement import Wanted
from ksmg.filter.plan import Plan
from ksmg.mail.message import Message
from ksmg.rules.rule import SPOOL, Rule
from ksmg.rules.rule_set import Group, RuleSet
from ksmg.rules.treatment import Decision


@dataclass(frozen=True)
class Case:
    """One message, judged. Its groups are the shares of its plan, one by one."""

    id: str
    message: Message
    rules: RuleSet
    groups: tuple[Group, ...]
    verdicts: Mapping[Wanted, Verdict]
    decisions: tuple[Decision, ...]
    """What each group's rule decided; the plan says what that comes to."""
    exhausted: bool
    """Whether no more messages could pass unscanned."""
    plan: Plan
    started: float
    """When the message was complete, on the monotonic clock, in seconds."""
    engine_seconds: float
    """How long the slowest module took."""

    def verdicts_of(self, group: int) -> dict[str, Verdict]:
        """The verdicts that count for a group, by the modules' names."""
        return verdicts_for(self.groups[group].rule, self.verdicts)

    @property
    def unscanned(self) -> str:
        """Why the message was not judged as a whole; empty when it was."""
        return "; ".join(dict.fromkeys(reason for v in self.verdicts.values() if (reason := not_judged(v))))


def verdicts_for(rule: Rule, verdicts: Mapping[Wanted, Verdict]) -> dict[str, Verdict]:
    """The verdicts that count for a rule: of modules that it wants, under its own options."""
    return {name: v for (name, options), v in verdicts.items() if name == SPOOL or rule.wants(name) == options}


def not_judged(verdict: Verdict) -> str:
    """Why a module did not judge the message; empty when it did."""
    for finding in verdict.findings:
        if finding.status is Status.UNSCANNED:
            return f"{verdict.check} ({verdict.reason.value if verdict.reason else 'error'}): {finding.detail}"
    return ""
