"""`ksmg rules check`: what it claims is proved, and what it cannot prove it does not claim."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ksmg.mail.facts import Direction, Facts
from ksmg.rules.coverage import Answer, Reach, covering, reach
from ksmg.rules.listing import Verdict
from ksmg.rules.lists import Entry, Lists
from ksmg.rules.patterns import parse_pattern
from ksmg.rules.relations import apart, covers
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.soundness import Remark, Weight, remarks
from unit.rules_sample import rule_set


class Directory:
    def members(self, group: str) -> frozenset[str] | None:
        return {"Sales": frozenset({"ann@example.com"}), "Nobody": frozenset[str]()}.get(group)

    def is_member(self, address: str, group: str) -> bool:
        return address in (self.members(group) or ())


def of(*whens: dict[str, Any]) -> Answer:
    """Whether the last of some rules can match."""
    rules = rule_set(*({"name": f"{number}", "when": when} for number, when in enumerate(whens)), directory=Directory())
    return reach(rules, 1 + len(whens))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("*", "/x/"),
        (".a.org", "s.a.org"),
        (".a.org", "*@*.s.a.org"),
        ("*@*.a.org", ".s.a.org"),
        ("*@*a.org", ".a.org"),
        ("a.org", "x@a.org"),
        ("x*@a.org", "x?y*@a.org"),
        ("/^x/", "xy@a.org"),
        ("/^x/", "/^x/"),
        ("group:Sales", "group:Sales"),
    ],
)
def test_a_pattern_covers_another(outer: str, inner: str) -> None:
    assert covers(parse_pattern(outer), parse_pattern(inner))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("a.org", ".a.org"),
        ("*@*.a.org", ".a.org"),
        ("x@a.org", "a.org"),
        ("/^x/", "x*"),
        ("group:Sales", "ann@example.com"),
        ("a.org", "*"),
        ("x?*@a.org", "x*@a.org"),
    ],
)
def test_no_proof_is_claimed_where_there_is_none(outer: str, inner: str) -> None:
    assert not covers(parse_pattern(outer), parse_pattern(inner))


@pytest.mark.parametrize(
    ("one", "other", "separate"),
    [
        ("a.org", "b.org", True),
        ("a.org", ".a.org", False),
        ("*@*.a.org", "a.org", True),
        ("x*@a.org", "y*@a.org", True),
        ("x*@a.org", "*y@a.org", False),
        ("x@a.org", "/^y/", True),
        ("/^x/", "/^y/", False),
        ("x@a.org", "group:Sales", False),
    ],
)
def test_patterns_have_nothing_in_common(one: str, other: str, separate: bool) -> None:
    assert apart(parse_pattern(one), parse_pattern(other)) is separate
    assert apart(parse_pattern(other), parse_pattern(one)) is separate


@pytest.mark.parametrize(
    ("whens", "names"),
    [
        ([{}, {"sender": "a.org"}], ["0"]),
        ([{"sender": ".a.org"}, {"sender": ["x@a.org", "s.a.org"]}], ["0"]),
        ([{"client": "10.0.0.0/8"}, {"client": ["10.1.0.0/16", "10.2.3.4"]}], ["0"]),
        ([{"client": ["10.0.0.0/9", "10.128.0.0/9"]}, {"client": "10.0.0.0/8"}], ["0"]),
        ([{"direction": "inbound"}, {"direction": ["outbound", "internal"]}, {"sender": "a.org"}], ["0", "1"]),
        ([{"account": True}, {"account": False}, {}], ["0", "1"]),
        ([{"sender": "a.org"}, {"sender": "b.org"}, {"sender": ["x@b.org", "y@a.org"]}], ["0", "1"]),
        ([{"sender": [".a.org", "!x@a.org"]}, {"sender": "y@a.org"}], ["0"]),
        ([{"sender": [".a.org", "!x@a.org"]}, {"sender": ["a.org", "!x@a.org"]}], ["0"]),
        ([{"sender": ["!b.org"]}, {"sender": "a.org"}], ["0"]),
        ([{"sender": "/^x/"}, {"sender": "/^x/", "recipient": "a.org"}], ["0"]),
        ([{"sender": "a.org"}, {"sender": "a.org", "recipient": "group:Sales"}], ["0"]),
        ([{"sender": ["a.org", "!a.org"]}], []),
        ([{"account": True, "direction": "inbound"}], []),
        ([{"client": ["10.1.0.0/16", "!10.0.0.0/8"]}], []),
    ],
)
def test_a_rule_that_can_never_match_is_found(whens: list[dict[str, Any]], names: list[str]) -> None:
    assert of(*whens) == Answer(Reach.NEVER, covered_by=tuple(names))


@pytest.mark.parametrize(
    "whens",
    [
        [{}],
        [{"sender": "a.org"}, {"sender": ".a.org"}],
        [{"sender": "a.org", "recipient": "b.org"}, {"sender": "a.org"}],
        [{"client": "10.0.0.0/9"}, {"client": "10.0.0.0/8"}],
        [{"direction": "inbound"}, {"sender": "a.org"}],
        [{"sender": [".a.org", "!x@a.org"]}, {"sender": "x@a.org"}],
        [{"sender": "/^(info|news)@a/"}],
        [{"sender": "/^x/"}, {"sender": "/^[a-z]+@a\\.org$/"}],
        [{"sender": "*sale*@shop-?.org"}],
        [{"recipient": "group:Sales"}],
    ],
)
def test_a_rule_that_can_match_has_an_example(whens: list[dict[str, Any]]) -> None:
    answer = of(*whens)
    assert (answer.reach, answer.example is not None) == (Reach.MATCHES, True)


def test_what_cannot_be_proved_is_not_claimed() -> None:
    assert of({"sender": "/^[a-m]/"}, {"sender": "/^[n-z]/"}, {"sender": "/^[a-z]+@x/"}) == Answer(Reach.UNKNOWN)


_DOMAINS = some.sampled_from(["a.org", "b.org", "s.a.org"])
_ADDRESSES = some.builds("{}@{}".format, some.sampled_from(["x", "y"]), _DOMAINS) | some.just("")
_PATTERNS = some.sampled_from(
    ["x@a.org", "a.org", ".a.org", "*@*.a.org", "y@*", "/^x/", "*", "!x@a.org", "!a.org", "!/^y/", "?@s*"]
)
_NETWORKS = some.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/9", "10.128.0.0/9", "!10.1.0.0/16", "!10.1.2.3"])
_WHENS = some.fixed_dictionaries(
    {},
    optional={
        "sender": some.lists(_PATTERNS, max_size=3),
        "recipient": some.lists(_PATTERNS, max_size=2),
        "client": some.lists(_NETWORKS, max_size=2),
        "direction": some.lists(some.sampled_from([one.value for one in Direction]), max_size=2),
        "account": some.booleans(),
    },
)


@some.composite
def _messages(draw: some.DrawFn) -> Facts:
    account = draw(some.sampled_from(["", "ann"]))
    inside = [Direction.OUTBOUND, Direction.INTERNAL]
    direction = draw(some.sampled_from(inside if account else list(Direction)))
    client = draw(some.sampled_from(["10.1.2.3", "10.1.9.9", "10.200.0.1", "192.0.2.1", ""]))
    return Facts(draw(_ADDRESSES), (draw(_ADDRESSES),), (direction,), client, account)


@given(some.lists(_WHENS, min_size=2, max_size=6), some.lists(_messages(), min_size=20, max_size=20))
def test_a_rule_that_is_called_dead_never_matches(whens: list[dict[str, Any]], messages: list[Facts]) -> None:
    rules = rule_set(*({"name": f"{number}", "when": when} for number, when in enumerate(whens)))
    proofs = {one.name: covering(one.conditions, rules.rules[:number]) for number, one in enumerate(rules.rules)}
    dead = {name for name, proof in proofs.items() if proof is not None}
    assert not {group.rule.name for message in messages for group in rules.assign(message)} & dead


def said(rules: RuleSet, lists: Lists | None = None) -> list[tuple[str, Weight, str]]:
    return [(remark.rule, remark.weight, remark.text) for remark in remarks(rules, lists)]


def test_the_built_in_rules_raise_no_remark() -> None:
    assert said(rule_set()) == []


def test_unknown_and_empty_groups_are_told() -> None:
    rules = rule_set(
        {"name": "A", "when": {"sender": ["group:Nobody", "group:Ghosts", "a.org"]}}, directory=Directory()
    )
    assert said(rules) == [
        ("A", Weight.FAULT, "names the group Ghosts, which is unknown: nobody is in it"),
        ("A", Weight.FAULT, "names the group Nobody, which is empty"),
    ]


def test_a_rule_that_everything_falls_to_leaves_nothing_to_the_default_one() -> None:
    assert said(rule_set({"name": "A"})) == [
        ("Default", Weight.FAULT, "can never match: all that it is for is taken by 'A'")
    ]


@pytest.mark.parametrize(
    ("modules", "text"),
    [
        ({"antispam": {"on": {"spam": "delete_attachment"}}}, "antispam.on.spam: no single attachment is to blame"),
        ({"antispam": {"on": {"spam": {"reply": "no"}}}}, "antispam.on.spam: the reply is never sent"),
        ({"antivirus": {"on": {"infected": "skip"}}}, "antivirus.on.infected: malware is delivered"),
        ({name: {"enabled": False} for name in ("antivirus", "antispam", "content")}, "asks no module"),
    ],
)
def test_treatments_that_mislead_are_told(modules: dict[str, Any], text: str) -> None:
    (remark,) = remarks(rule_set({"name": "A", "when": {"sender": "a.org"}, "modules": modules}))
    assert (remark.rule, remark.weight) == ("A", Weight.HINT)
    assert text in remark.text


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    found = Lists(tmp_path / "lists")
    found.add([Entry("x@a.org", Verdict.DENY)], "bob@example.org")
    return found


def test_lists_without_effect_are_told(lists: Lists) -> None:
    texts = {remark.text for remark in remarks(rule_set(), lists)}
    assert texts == {"is off: the entries of the lists have no effect here"}


def test_a_personal_list_that_an_earlier_rule_hides_is_told(lists: Lists) -> None:
    deny, allow, *others = rule_set({"name": "A", "when": {"recipient": "example.org"}}).rules
    on = type(deny)(deny.name, deny.modules, preset=deny.preset, always=deny.always)
    found = list(remarks(RuleSet([others[0], on, allow, others[1]]), lists))
    text = "the personal list of bob@example.org has no effect: 'A' takes all mail to that address"
    assert Remark("DenyList", Weight.FAULT, text) in found
