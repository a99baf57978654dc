"""Which rule applies: patterns, conditions, groups of recipients, traces."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ksmg.mail.facts import Direction, Facts
from ksmg.rules.directory import NoDirectory
from ksmg.rules.expressions import expression
from ksmg.rules.listing import Listing, Verdict
from ksmg.rules.networks import IPAddress, Networks, parse_client, parse_network
from ksmg.rules.patterns import domain_of, matcher, normal, parse_pattern
from ksmg.rules.rule_set import RuleSet
from unit.rules_sample import facts, rule_set


class Directory:
    """One group."""

    def members(self, group: str) -> frozenset[str] | None:
        return frozenset({"ann@example.com"}) if group == "Sales" else None

    def is_member(self, address: str, group: str) -> bool:
        return address in (self.members(group) or ())


def matches(pattern: str, address: str) -> bool:
    text = normal(address)
    return matcher([parse_pattern(pattern)], NoDirectory())(text, domain_of(text))


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("ann@example.com", "Ann@EXAMPLE.com"),
        ("ann@example.com", '"ann"@example.com'),
        ("ann@example.com", "ann@example.com."),
        ("<>", ""),
        ("example.com", "x@example.com"),
        ("@example.com", "x@example.com"),
        ("*@example.com", "x@example.com"),
        (".example.com", "x@example.com"),
        (".example.com", "x@a.b.example.com"),
        ("*@*.example.com", "x@a.b.example.com"),
        ("bücher.example", "x@xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "x@Bücher.example"),
        ("*", ""),
        ("inf?@*", "info@example.com"),
        ("*sale*@shop-*.example", "big-sale-now@shop-7.example"),
        ("/^(info|news)@/", "NEWS@example.com"),
        ("/.*@.*\\.ru$/", "x@y.ru"),
        ("[192.0.2.1]", "x@[192.0.2.1]"),
    ],
)
def test_a_pattern_matches(pattern: str, address: str) -> None:
    assert matches(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("ann@example.com", "joann@example.com"),
        ("ann@example.com", '"a nn"@example.com'),
        ("example.com", "x@sub.example.com"),
        ("example.com", ""),
        (".example.com", "x@notexample.com"),
        ("*@*.example.com", "x@example.com"),
        ("inf?@*", "inf@example.com"),
        ("*@a*", "x@b"),
        ("/^news@/", "x.news@example.com"),
        ("/trusted$/", "x" * 320 + "@trusted"),
        ("group:Sales", "ann@example.com"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, address: str) -> None:
    assert not matches(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "printable"),
        ("a\nb", "printable"),
        (7, "printable"),
        ("a b@c", "no mail address"),
        ("a_b!", "no domain name"),
        (".", "no domain name"),
        ("group:", "names no group"),
        ("/a", "without a second slash"),
        ("/[/", "is wrong"),
        (r"/(.)\1/", "back-reference"),
        ("/(?=a)b/", "looks ahead"),
        ("/(a+)+b/", "within a repetition"),
        ("/(a|ab)*c/", "within a repetition"),
        ("/(x?){9}/", "within a repetition"),
        ("/a.*b.*c/", "take too long"),
        ("/" + "a?" * 20 + "b/", "take too long"),
        ("/(?s:a)/", "sets flags"),
    ],
)
def test_a_wrong_pattern_is_told(pattern: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_pattern(pattern)


@pytest.mark.parametrize("text", ["a.*b", "^a.*a.*b", "^[ab]*[ab]*c", "a?a?a?a?a?a?a?a?c"])
def test_no_address_keeps_an_expression_busy(text: str) -> None:
    started = time.process_time()
    assert expression(text).search("a" * 320) is None
    assert time.process_time() - started < 0.1


def test_no_address_keeps_a_wildcard_busy() -> None:
    started = time.process_time()
    assert not matches("*a*a*a*a*a*a*a*a*a*b@*", "a" * 5000 + "@example.com")
    assert time.process_time() - started < 0.5


@given(some.text("ab*?", min_size=1, max_size=6), some.text("ab", max_size=8))
def test_a_wildcard_matches_like_its_definition(pattern: str, text: str) -> None:
    def means(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(means(pattern[1:], text[start:]) for start in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and means(pattern[1:], text[1:])

    assert matches(f"{pattern}@*", f"{text}@x") is means(pattern, text)


@pytest.mark.parametrize(
    ("network", "client", "inside"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "32.1.13.184", False),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "unknown", False),
    ],
)
def test_a_client_is_inside_a_network_or_not(network: str, client: str, inside: bool) -> None:
    assert (parse_client(client) in Networks([parse_network(network)])) is inside


@pytest.mark.parametrize(
    ("when", "matched"),
    [
        ({}, True),
        ({"sender": "example.com"}, True),
        ({"sender": ["x.org", "example.com"]}, True),
        ({"sender": "x.org"}, False),
        ({"sender": "!x.org"}, True),
        ({"sender": ["example.com", "!ann@example.com"]}, False),
        ({"sender": "example.com", "recipient": "example.org"}, True),
        ({"sender": "example.com", "recipient": "x.org"}, False),
        ({"client": ["192.0.2.0/24"]}, True),
        ({"client": ["192.0.2.0/24", "!192.0.2.1"]}, False),
        ({"client": ["!10.0.0.0/8"]}, True),
        ({"direction": "inbound"}, True),
        ({"direction": ["outbound", "internal"]}, False),
        ({"account": False}, True),
        ({"account": True}, False),
        ({"account": None}, True),
        ({"sender": "group:Sales"}, True),
        ({"sender": "group:Other"}, False),
    ],
)
def test_all_kinds_of_conditions_must_hold(when: dict[str, Any], matched: bool) -> None:
    rules = rule_set({"name": "A", "when": when}, directory=Directory())
    assert (rules.assign(facts())[0].rule.name == "A") is matched


def test_recipients_are_grouped_by_their_rules_in_order() -> None:
    rules = rule_set({"name": "A", "when": {"recipient": "a.org"}}, {"name": "B", "when": {"recipient": "b.org"}})
    groups = rules.assign(facts("", "x@b.org", "y@c.org", "z@a.org", "w@b.org"))
    assert [(group.rule.name, group.recipients) for group in groups] == [("A", (2,)), ("B", (0, 3)), ("Default", (1,))]


def test_the_first_rule_that_matches_applies() -> None:
    rules = rule_set({"name": "A", "when": {"sender": "example.com"}}, {"name": "B"})
    assert [group.rule.name for group in rules.assign(facts())] == ["A"]


def test_a_trace_has_a_letter_for_each_rule_that_was_tried() -> None:
    whens = ({"sender": "x.org"}, {"client": "10.0.0.0/8"}, {"account": True}, {"direction": "internal"},
             {"recipient": "x.org"})  # fmt: skip
    rules = rule_set(*({"name": f"{number}", "when": when} for number, when in enumerate(whens)), {"name": "A"})
    assert rules.assign(facts())[0].trace == "oo" + "scadr" + "m"


class Lists:
    """Denies one sender, and allows another for one recipient."""

    def listing(self, sender: str, client: IPAddress | None, recipient: str) -> Listing | None:
        found = {"bad@x.org": Verdict.DENY, "good@x.org": Verdict.ALLOW}.get(sender)
        return Listing(found, sender) if found is Verdict.DENY or (found and recipient == "bob@example.org") else None


def with_lists_on() -> RuleSet:
    rules = rule_set(lists=Lists())
    return RuleSet((replace(rule, enabled=True) for rule in rules.rules), lists=Lists())


@pytest.mark.parametrize(
    ("sender", "recipient", "rule", "trace"),
    [
        ("bad@x.org", "eve@example.org", "DenyList", "m"),
        ("good@x.org", "Bob@example.org", "AllowList", "lm"),
        ("good@x.org", "eve@example.org", "Default", "llm"),
        ("other@x.org", "bob@example.org", "Default", "llm"),
    ],
)
def test_presets_match_what_is_listed(sender: str, recipient: str, rule: str, trace: str) -> None:
    (group,) = with_lists_on().assign(facts(sender, recipient))
    assert (group.rule.name, group.trace) == (rule, trace)


def test_lists_are_not_asked_while_their_presets_are_off() -> None:
    assert rule_set(lists=Lists()).assign(facts("bad@x.org"))[0].rule.name == "Default"


_DOMAINS = some.sampled_from(["a.org", "b.org", "s.a.org"])
_ADDRESSES = some.builds("{}@{}".format, some.sampled_from(["x", "y", "z"]), _DOMAINS) | some.just("")
_PATTERNS = some.sampled_from(["x@a.org", "a.org", ".a.org", "*@*.a.org", "y@*", "/^z/", "*", "!x@a.org", "!a.org"])
_SPACES = some.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1", "!10.1.0.0/16"])
_WHENS = some.fixed_dictionaries(
    {},
    optional={
        "sender": some.lists(_PATTERNS, max_size=3),
        "recipient": some.lists(_PATTERNS, max_size=3),
        "client": some.lists(_SPACES, max_size=2),
        "direction": some.lists(some.sampled_from([one.value for one in Direction]), max_size=2),
        "account": some.booleans(),
    },
)


@some.composite
def messages(draw: some.DrawFn) -> Facts:
    recipients = tuple(draw(some.lists(_ADDRESSES, min_size=1, max_size=5)))
    return Facts(
        draw(_ADDRESSES),
        recipients,
        tuple(draw(some.sampled_from(Direction)) for _ in recipients),
        draw(some.sampled_from(["10.1.2.3", "10.9.9.9", "192.0.2.1", ""])),
        draw(some.sampled_from(["", "ann"])),
    )


def _holds(values: list[str], test: Any) -> bool:
    wanted = [value for value in values if not value.startswith("!")]
    return (not wanted or any(map(test, wanted))) and not any(test(v[1:]) for v in values if v.startswith("!"))


def naive(whens: list[dict[str, Any]], message: Facts, number: int) -> int:
    """The number of the first rule that matches, found out in the simplest way."""
    for position, when in enumerate(whens):
        holds = (
            _holds(when.get("sender", []), lambda p: matches(p, message.sender))
            and _holds(when.get("recipient", []), lambda p: matches(p, message.recipients[number]))
            and _holds(
                when.get("client", []), lambda n: parse_client(message.client_ip) in Networks([parse_network(n)])
            )
            and (not when.get("direction") or message.directions[number].value in when["direction"])
            and when.get("account", bool(message.account)) is bool(message.account)
        )
        if holds:
            return position
    return len(whens)


@given(some.lists(_WHENS, max_size=5), messages())
def test_each_recipient_gets_exactly_the_first_rule_that_matches(whens: list[dict[str, Any]], message: Facts) -> None:
    rules = rule_set(*({"name": f"{number}", "when": when} for number, when in enumerate(whens)))
    found = {number: group.rule.name for group in rules.assign(message) for number in group.recipients}
    assert sum(len(group.recipients) for group in rules.assign(message)) == len(message.recipients)
    names = [*map(str, range(len(whens))), "Default"]
    assert found == {n: names[naive(whens, message, n)] for n in range(len(message.recipients))}


def test_many_recipients_and_rules_take_less_than_a_second() -> None:
    rules = rule_set(*({"name": f"{n}", "when": {"recipient": [f"a{n}@x.org", f".t{n}.org"]}} for n in range(100)))
    message = facts("", *(f"user{number}@example.org" for number in range(5_000)))
    started = time.process_time()
    rules.assign(message)
    assert time.process_time() - started < 1
