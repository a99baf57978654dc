"""The way of one message: its rules, the modules they want, the plan, what it asks for, the answer, the record."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ksmg.checks.verdict import Verdict
from ksmg.diagnostics.trace import Trace
from ksmg.filter.answers import Reply, accepted, put_off, refused
from ksmg.filter.budget import Budget
from ksmg.filter.case import Case, not_judged, verdicts_for
from ksmg.filter.chronicle import Chronicle, event_id
from ksmg.filter.delivery import Delivery, Done, PutOff
from ksmg.filter.judgement import Judges, Wanted
from ksmg.filter.plan import Answer, Plan, Share, make_plan
from ksmg.filter.traced import trace_case
from ksmg.mail.envelope import Envelope
from ksmg.mail.facts import Neighbourhood
from ksmg.mail.message import Inspect, Message
from ksmg.mail.spool import SpooledMessage
from ksmg.notifications import Notifier
from ksmg.rules.rule_set import Group, RuleSet
from ksmg.rules.treatment import Action, Decision
from ksmg.stores.message_store import new_id

_trace = Trace("filter")


class Rules(Protocol):
    """Knows the rule set in force."""

    @property
    def current(self) -> RuleSet:
        """The rule set for a message that is judged now."""


@dataclass(frozen=True)
class Judgement:
    """All that it takes to find out what is done with a message, and nothing that does it."""

    neighbourhood: Neighbourhood
    inspect: Inspect
    judges: Judges
    rules: Rules
    budget: Budget

    async def judge(self, envelope: Envelope, spooled: SpooledMessage) -> Case:
        """What its rules and modules say of a message. Does not raise for any message."""
        started, rules = time.monotonic(), self.rules.current
        message = Message(envelope, spooled, self.neighbourhood.facts(envelope), self.inspect)
        groups = rules.assign(message.facts)
        asked = time.monotonic()
        verdicts = await self.judges.verdicts(message, self._wanted(groups))
        decisions, exhausted = self._decisions(groups, verdicts)
        shares = [Share(group.recipients, decision) for group, decision in zip(groups, decisions, strict=True)]
        return Case(
            id=new_id(),
            message=message,
            rules=rules,
            groups=groups,
            verdicts=verdicts,
            decisions=decisions,
            exhausted=exhausted,
            plan=make_plan(shares),
            started=started,
            engine_seconds=min(time.monotonic() - asked, max((v.seconds for v in verdicts.values()), default=0.0)),
        )

    def _wanted(self, groups: Sequence[Group]) -> list[Wanted]:
        found = (
            (name, options)
            for name in self.judges.names
            for group in groups
            if (options := group.rule.wants(name)) is not None
        )
        return list(dict.fromkeys(found))

    def _decisions(
        self, groups: Sequence[Group], verdicts: Mapping[Wanted, Verdict]
    ) -> tuple[tuple[Decision, ...], bool]:
        """Each group's decision. An unscanned message that a rule lets pass or holds is counted once in the budget."""
        said = [tuple(verdicts_for(group.rule, verdicts).values()) for group in groups]
        decisions = tuple(group.rule.decide(heard) for group, heard in zip(groups, said, strict=True))
        passes = any(
            decision.action < Action.TEMPFAIL and any(map(not_judged, heard))
            for decision, heard in zip(decisions, said, strict=True)
        )
        if not passes or self.budget.take():
            return decisions, False
        return tuple(group.rule.decide(heard, exhausted=True) for group, heard in zip(groups, said, strict=True)), True


class Pipeline:
    """Judges messages and does what was decided. It holds no state of its own, so that any number can be under way."""

    def __init__(self, judgement: Judgement, delivery: Delivery, chronicle: Chronicle, notifier: Notifier) -> None:
        self._judgement = judgement
        self._delivery = delivery
        self._chronicle = chronicle
        self._notifier = notifier

    async def process(self, envelope: Envelope, spooled: SpooledMessage) -> Reply:
        """The answer to a message. When it returns, its event is on its way, and what is to be kept is on disk."""
        case = await self._judgement.judge(envelope, spooled)
        done, failure = Done(), ""
        try:
            done = await self._delivery.carry_out(case)
            reply = _answer(case, done)
        except PutOff as error:
            failure, reply = str(error), put_off(case.id, error.full)
            case = dataclasses.replace(case, plan=Plan(Answer.PUT_OFF, case.plan.shares))
        finally:
            if done.changes:
                done.changes.discard()
        self._chronicle.write(case, done, reply.text, failure)
        if _trace.enabled:
            trace_case(_trace, case, done, reply, failure)
        if case.plan.answer is not Answer.PUT_OFF:
            self._notify(case)
        return reply

    def _notify(self, case: Case) -> None:
        """Tells those whom the rules want to be told. It never holds up the answer."""
        for number, share in enumerate(case.plan.shares):
            if any(cause.treatment.notify for cause in share.decision.causes):
                event = event_id(case, number)
                self._notifier.send(self._notifier.notices(case.message, share.decision, share.recipients, event))


def _answer(case: Case, done: Done) -> Reply:
    match case.plan.answer:
        case Answer.PUT_OFF:
            return put_off(case.id)
        case Answer.REFUSE:
            return refused(case.plan, case.id)
        case Answer.ACCEPT | Answer.DISCARD:
            return accepted(case.plan, case.message, done.changes)
