"""What becomes of a message whose recipients fall under different rules."""

from hypothesis import given
from hypothesis import strategies as st
from ksmg.checks.verdict import Finding, Status
from ksmg.filter.budget import HOUR, Budget
from ksmg.filter.plan import NO_PART_TO_REMOVE, REFUSED_FOR_SOME, Answer, Plan, Share, make_plan
from ksmg.rules.treatment import Action, Cause, Decision, Treatment


def share(*recipients: int, action: Action = Action.SKIP, tag: str = "", parts: tuple[int, ...] = ()) -> Share:
    causes = (Cause("antispam", Finding(Status.SPAM, parts=parts), Treatment(action, tag=tag)),)
    return Share(recipients, Decision("Rule", action, causes if tag or parts else ()))


def test_one_group_that_gets_the_message_needs_nothing_else() -> None:
    plan = make_plan([share(0, 1)])
    assert (plan.answer, plan.passing, plan.copies, plan.removed) == (Answer.ACCEPT, (0,), (), [])


def test_groups_that_want_the_same_changes_share_one_copy() -> None:
    plan = make_plan([share(0, tag="[SPAM]"), share(1, tag="[SPAM]")])
    assert (plan.passing, plan.copies) == ((0, 1), ())


def test_the_largest_group_passes_and_others_have_a_copy_of_their_own() -> None:
    plan = make_plan([share(0, tag="[SPAM]"), share(1, 2), share(3, tag="[?]")])
    assert (plan.passing, plan.copies, plan.removed) == ((1,), ((0,), (2,)), [0, 3])


def test_one_group_that_must_wait_puts_everything_off() -> None:
    plan = make_plan([share(0), share(1, action=Action.TEMPFAIL), share(2, action=Action.QUARANTINE)])
    assert (plan.answer, plan.passing, plan.held, plan.backups) == (Answer.PUT_OFF, (), (), ())


def test_the_sender_hears_a_refusal_when_all_groups_refuse() -> None:
    assert make_plan([share(0, action=Action.REJECT), share(1, action=Action.REJECT)]).answer is Answer.REFUSE


def test_a_refusal_for_some_is_kept_in_backup_and_never_bounced() -> None:
    plan = make_plan([share(0), share(1, action=Action.REJECT)])
    assert (plan.answer, plan.removed, plan.backups) == (Answer.ACCEPT, [1], (1,))
    assert plan.shares[1].marks == (REFUSED_FOR_SOME,)


def test_a_message_that_nobody_gets_is_discarded() -> None:
    plan = make_plan([share(0, action=Action.DELETE), share(1, action=Action.QUARANTINE)])
    assert (plan.answer, plan.held, plan.removed) == (Answer.DISCARD, (1,), [])


def test_an_attachment_that_cannot_be_named_is_not_removed_but_the_message_refused() -> None:
    decision = share(0, action=Action.DELETE_ATTACHMENT, tag="x").decision
    plan = make_plan([Share((0,), decision)])
    assert (plan.answer, plan.backups, plan.shares[0].marks) == (Answer.REFUSE, (0,), (NO_PART_TO_REMOVE,))


def test_an_attachment_that_is_named_is_removed() -> None:
    plan = make_plan([share(0, action=Action.DELETE_ATTACHMENT, parts=(2,))])
    assert (plan.answer, plan.shares[0].decision.removed_parts) == (Answer.ACCEPT, frozenset({2}))


def outcomes(plan: Plan) -> list[int]:
    """Each recipient as often as it is treated."""
    ways = [plan.passing, *plan.copies, plan.held]
    gone = [n for n, s in enumerate(plan.shares) if s.decision.action in (Action.DELETE, Action.REJECT)]
    return sorted(recipient for way in [*ways, gone] for recipient in plan.recipients(way))


@given(st.lists(st.tuples(st.sampled_from(Action), st.sampled_from(["", "[a]", "[b]"])), min_size=1, max_size=8))
def test_every_recipient_has_exactly_one_outcome(groups: list[tuple[Action, str]]) -> None:
    plan = make_plan([share(n, action=a, tag=tag, parts=(1,)) for n, (a, tag) in enumerate(groups)])
    if plan.answer in (Answer.ACCEPT, Answer.DISCARD):
        assert outcomes(plan) == list(range(len(groups)))


@given(st.lists(st.sampled_from(Action), min_size=1, max_size=8))
def test_who_is_left_on_the_message_is_who_passes(actions: list[Action]) -> None:
    plan = make_plan([share(n, action=a, parts=(1,)) for n, a in enumerate(actions)])
    if plan.answer is Answer.ACCEPT:
        assert sorted(plan.removed + plan.recipients(plan.passing)) == list(range(len(actions)))
        assert plan.passing


def test_the_budget_ends_and_comes_back_after_an_hour() -> None:
    now = [1000.0]
    budget = Budget(2, clock=lambda: now[0])
    assert [budget.take(), budget.take(), budget.take()] == [True, True, False]
    now[0] += HOUR
    assert budget.take()


def test_a_budget_remembers_what_passed_before_a_restart() -> None:
    assert not Budget(1, [5000.0], clock=lambda: 5001.0).take()


def test_a_budget_of_none_lets_nothing_pass() -> None:
    assert not Budget(0).take()
