"""A rule: to which messages it applies, which modules it asks, and what it decides when they have answered."""

import enum
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ksmg.checks.verdict import Finding, Status, Verdict
from ksmg.rules.conditions import Conditions
from ksmg.rules.modules import ModulePart
from ksmg.rules.treatment import Action, Cause, Decision, Inserted, OnFailure, Treatment
from ksmg.rules.treatments import filled

SPOOL = "spool"
"""The verdict of a message that could not be stored for the modules: it always has to come again."""
BY_RULE = "rule"
"""Stands for a module in the cause of what a rule does whatever is found."""


class Preset(enum.Enum):
    """The rules that every rule set has. They cannot be deleted or renamed."""

    DENY_LIST = "DenyList"
    """Messages that a deny list names."""
    ALLOW_LIST = "AllowList"
    """Messages that an allow list names."""
    DEFAULT = "Default"
    """Messages that no other rule matches: always the last, always on, without conditions."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule of a rule set."""

    name: str
    modules: Mapping[str, ModulePart]
    enabled: bool = True
    comment: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    preset: Preset | None = None
    always: Treatment | None = None
    """What is done whatever is found."""
    inserts: tuple[Inserted, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    backup: bool = False
    """Whether Backup keeps a copy of every message."""

    def wants(self, check: str) -> Hashable | None:
        """The options under which it wants a module to be asked; None when it has it switched off."""
        part = self.modules.get(check)
        return part.options if part is not None and part.enabled else None

    def decide(self, verdicts: Sequence[Verdict], exhausted: bool = False) -> Decision:
        """What is done, the strictest treatment first.

        Modules that it has switched off do not count. `exhausted`: no more unscanned messages may pass or be held.
        """
        causes = sorted(self._causes(verdicts, exhausted), key=lambda cause: cause.treatment.action, reverse=True)
        return Decision(
            rule=self.name,
            action=causes[0].treatment.action if causes else Action.SKIP,
            causes=tuple(causes),
            inserts=self.inserts,
            headers=self.headers,
            backup=self.backup or any(cause.treatment.backup for cause in causes),
        )

    def _causes(self, verdicts: Sequence[Verdict], exhausted: bool) -> Iterator[Cause]:
        if self.always is not None:
            yield Cause(BY_RULE, Finding(Status.RULE, self.name), self.always)
        for verdict in verdicts:
            for finding in verdict.findings:
                treatment = self._treatment(verdict, finding, exhausted)
                if treatment is not None:
                    yield Cause(verdict.check, finding, treatment)

    def _treatment(self, verdict: Verdict, finding: Finding, exhausted: bool) -> Treatment | None:
        if verdict.check == SPOOL:
            return _FAILURES[OnFailure.TEMPFAIL]
        part = self.modules.get(verdict.check)
        if part is None or not part.enabled or finding.status is Status.CLEAN:
            return None
        if finding.status is not Status.UNSCANNED:
            return filled(part.treatment(finding.status), verdict, finding)
        wanted = OnFailure.TEMPFAIL if exhausted else part.failure(verdict.reason)
        return _FAILURES[wanted]


_FAILURES = {
    OnFailure.TEMPFAIL: Treatment(Action.TEMPFAIL),
    OnFailure.HOLD: Treatment(Action.QUARANTINE),
    OnFailure.DELIVER_MARKED: Treatment(),  # `changes` marks whatever is delivered and was not scanned
}
