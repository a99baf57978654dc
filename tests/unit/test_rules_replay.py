"""Judged messages as records keep them, and a rule set beside the one in force."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from ksmg.checks.verdict import Finding, Status, Verdict, found, unscanned
from ksmg.engines.failure import Reason
from ksmg.mail.facts import Direction, Facts
from ksmg.rules.listing import Listing
from ksmg.rules.listing import Verdict as Listed
from ksmg.rules.replay import Judged, RecordedLists, document_of, facts_of, verdicts_for, verdicts_of
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.shadow import Comparison, Difference, compare
from ksmg.stores.flight_record import FlightRecord
from unit.rules_sample import MODULES, facts, rule_set

INFECTED = found("antivirus", Status.INFECTED, "Eicar", engine="ClamAV 1.4")
SPAM = Verdict("antispam", (Finding(Status.SPAM, "20.0/15.0", (3,)),), evidence=("GTUBE(9)",), score=20.0, seconds=0.5)
CLEAN = Verdict("antispam")


def judged(*verdicts: Verdict) -> Judged:
    return {(verdict.check, 0): verdict for verdict in verdicts}


def record(rules: RuleSet, message: Facts, *verdicts: Verdict) -> FlightRecord:
    groups = [(group, group.rule.decide(verdicts)) for group in rules.assign(message)]
    document = document_of(message, judged(*verdicts), groups, rules.digest)
    return FlightRecord("id-1", 1.0, json.loads(json.dumps(document)))


def differences(before: RuleSet, after: RuleSet, *verdicts: Verdict) -> tuple[list[Difference], Comparison]:
    total = Comparison()
    return list(compare([record(before, facts(), *verdicts)], after, MODULES, total)), total


@given(
    some.builds(
        lambda sender, rows, ip, account: Facts(
            sender, tuple(r for r, _ in rows), tuple(d for _, d in rows), ip, account
        ),
        some.text(),
        some.lists(some.tuples(some.text(), some.sampled_from(Direction)), min_size=1, max_size=4),
        some.text(),
        some.text(),
    )
)
def test_facts_survive_the_record(message: Facts) -> None:
    assert facts_of(json.loads(json.dumps(document_of(message, {}, [])))) == message


def test_verdicts_survive_the_record() -> None:
    verdicts = (INFECTED, SPAM, unscanned("content", Reason.LIMIT, "too deep"))
    kept = verdicts_of(record(rule_set(), facts(), *verdicts).document)
    assert tuple(one.verdict for one in kept) == verdicts


def test_a_verdict_counts_only_under_the_options_that_the_module_was_asked_under() -> None:
    limited = rule_set({"name": "A", "modules": {"antivirus": {"options": {"limit": 7}}}})
    message = facts()
    groups = [(group, group.rule.decide([])) for group in limited.assign(message)]
    kept = verdicts_of(document_of(message, {("antivirus", 7): INFECTED}, groups))
    assert verdicts_for(limited.rules[2], kept, MODULES) == ((INFECTED,), ("antispam",))
    assert verdicts_for(limited.rules[-1], kept, MODULES) == ((), ("antivirus", "antispam"))


def test_a_message_that_could_not_be_stored_lacks_no_module() -> None:
    spool = unscanned("spool", Reason.ERROR, "full")
    kept = verdicts_of(record(rule_set(), facts(), spool).document)
    assert verdicts_for(rule_set().rules[-1], kept, MODULES) == ((spool,), ())


def test_the_same_rules_differ_in_nothing() -> None:
    assert differences(rule_set(), rule_set(), INFECTED, SPAM) == ([], Comparison(messages=1, same=1))


def test_another_action_is_a_difference() -> None:
    stricter = rule_set({"name": "A", "modules": {"antispam": {"on": {"spam": "delete"}}}})
    (found_one,), total = differences(rule_set(), stricter, SPAM, Verdict("antivirus"))
    assert (found_one.before.action, found_one.after.action) == ("skip", "delete")
    assert (found_one.recipients, found_one.unknown) == (("bob@example.org",), ())
    assert total.changes == {("skip", "delete"): 1}


def test_another_mark_is_a_difference() -> None:
    quiet = rule_set({"name": "A", "modules": {"antispam": {"on": {"spam": {"tag": "[JUNK]"}}}}})
    (found_one,), _ = differences(rule_set(), quiet, SPAM, Verdict("antivirus"))
    assert found_one.before.effects == ("tag [SPAM]", "header X-Spam-Flag", "header X-KSMG-AntiSpam")
    assert found_one.after.effects == ("tag [JUNK]",)


def test_another_rule_that_does_the_same_is_only_counted() -> None:
    found_ones, total = differences(rule_set(), rule_set({"name": "A"}), INFECTED, CLEAN)
    assert (found_ones, total.other_rule_only) == ([], 1)


def test_a_module_that_nobody_asked_then_is_named() -> None:
    (found_one,), total = differences(rule_set(), rule_set({"name": "A", "modules": {"content": {}}}), INFECTED, CLEAN)
    assert (found_one.unknown, total.uncertain) == (("content",), 1)


def test_a_damaged_record_is_counted() -> None:
    total = Comparison()
    records: Any = [FlightRecord("x", 0.0, {}), FlightRecord("x", 0.0, {"facts": []}), FlightRecord("x", 0.0, [])]  # type: ignore[arg-type]
    assert not list(compare(records, rule_set(), MODULES, total))
    assert (total.messages, total.unreadable) == (3, 3)


class _AllowsAll:
    def listing(self, *_: object) -> Listing | None:
        return Listing(Listed.ALLOW, "*")


def test_lists_say_what_they_said_then() -> None:
    kept = {"facts": {"recipients": ["a@x", "b@x", "c@x"]}, "groups": [
        {"rule": "DenyList", "recipients": [0], "trace": "m"},
        {"rule": "Default", "recipients": [1], "trace": "llm"},
        {"rule": "Default", "recipients": [2], "trace": "oom"},
    ]}  # fmt: skip
    lists = RecordedLists(kept, _AllowsAll())
    said = [lists.listing("s@x", None, recipient) for recipient in ("a@x", "b@x", "c@x")]
    assert [one and one.verdict for one in said] == [Listed.DENY, None, Listed.ALLOW]
