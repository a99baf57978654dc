"""The default rule: it applies to every message that no other rule does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ksmg.checks.verdict import Status, Verdict
from ksmg.rules.action import Action, OnFailure

NAME = "Default"


@dataclass(frozen=True)
class Outcome:
    """What a rule decided, and the verdicts that it decided on."""

    rule: str
    action: Action
    verdicts: tuple[Verdict, ...]

    @property
    def decisive(self) -> tuple[Verdict, ...]:
        """The verdicts that found or failed something."""
        return tuple(verdict for verdict in self.verdicts if verdict.status is not Status.CLEAN)


class DefaultRule:
    """Infected and spam have an action each; an unscanned message goes by its check's failure setting."""

    def __init__(self, infected: Action, spam: Action, on_failure: Mapping[str, OnFailure]) -> None:
        self._actions = {Status.INFECTED: infected, Status.SPAM: spam, Status.PROBABLE_SPAM: spam}
        self._on_failure = on_failure

    def decide(self, verdicts: Sequence[Verdict]) -> Outcome:
        """The strictest action that any verdict asks for."""
        action = max((self._action(verdict) for verdict in verdicts), default=Action.DELIVER)
        return Outcome(NAME, action, tuple(verdicts))

    def _action(self, verdict: Verdict) -> Action:
        if verdict.status is not Status.UNSCANNED:
            return self._actions.get(verdict.status, Action.DELIVER)
        marked = self._on_failure.get(verdict.check, OnFailure.TEMPFAIL) is OnFailure.DELIVER_MARKED
        return Action.TAG if marked else Action.TEMPFAIL
