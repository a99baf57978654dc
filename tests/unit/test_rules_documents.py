"""Rule documents: what is refused, what is decided, what is kept."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ksmg.checks.verdict import Status, Verdict, found, unscanned
from ksmg.engines.failure import Reason
from ksmg.rules import store as store_module
from ksmg.rules.documents import default_document, parse_rules, written
from ksmg.rules.fields import RulesError
from ksmg.rules.rule import Rule
from ksmg.rules.store import RuleStore, check_file, digest_of
from ksmg.rules.treatment import Action, Inserted, Treatment
from unit.changes_samples import changes_of, simple
from unit.rules_sample import MODULES, document, facts, rule_set

INFECTED = found("antivirus", Status.INFECTED, "Eicar")
SPAM = found("antispam", Status.SPAM, "20.0/15.0", evidence=("GTUBE(9)",))
DOWN = unscanned("antivirus", Reason.UNREACHABLE, "no clamd")


def rule(**fields: Any) -> Rule:
    made = rule_set({"name": "A", **fields}).rule("A")
    assert made is not None
    return made


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RuleStore:
    monkeypatch.setattr("ksmg.rules.documents.installed", lambda: MODULES)
    return RuleStore(tmp_path)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"colour": 1}, "Rule 'A': colour is not known; there are: name"),
        ({"enabled": 1}, "Rule 'A': enabled must be true or false."),
        ({"when": []}, "Rule 'A': when must be an object."),
        ({"when": {"sender": "a b@c"}}, "Rule 'A': when.sender has a b@c, which is no mail address."),
        ({"when": {"client": "10.0.0.1/8"}}, "when.client has 10.0.0.1/8, which is no IP address or network"),
        ({"when": {"direction": "up"}}, "when.direction must be one of: inbound, outbound, internal."),
        ({"modules": {"oracle": {}}}, "modules.oracle is no module; there are: antivirus, antispam, content."),
        (
            {"modules": {"antivirus": {"options": {"x": 1}}}},
            "modules.antivirus.options x is not an option of antivirus.",
        ),
        (
            {"modules": {"antivirus": {"on": {"spam": "skip"}}}},
            "antivirus.on.spam is not known; there are: infected, enc",
        ),
        (
            {"modules": {"antispam": {"on": {"spam": "burn"}}}},
            "antispam.on.spam must be one of: skip, delete_attachment",
        ),
        ({"modules": {"antivirus": {"on_failure": "pray"}}}, "on_failure.any must be one of: tempfail, deliver_marked"),
        ({"modules": {"antivirus": {"on_failure": {"fire": "hold"}}}}, "on_failure.fire is not known; there are: any"),
        ({"headers": {"From": "x"}}, "headers.From is a header field that rules may not add."),
        ({"headers": {"content-type": "x"}}, "headers.content-type is a header field that rules may not add."),
        ({"headers": {"X-A: b\r\nX": "x"}}, "must be a header field's name"),
        ({"headers": {"X-A": "b\r\nX-B: c"}}, "headers.X-A must be at most 900 printable ASCII characters."),
        ({"always": {"headers": {"X-A": "{evil}"}}}, "always.headers has {evil} in X-A; there are: module, status"),
        ({"always": {"tag": "a\nb"}}, "always.tag must not hold control characters or line breaks."),
        ({"always": {"reply": "no\r\n250 yes"}}, "always.reply must be at most 400 printable ASCII characters."),
        ({"always": {"notify": ["everybody"]}}, "always.notify must be one of: administrator, sender, recipient."),
        ({"disclaimers": [{"html": "<p>"}]}, "disclaimers must have a text."),
        ({"disclaimers": [{"text": "x", "at": "left"}]}, "disclaimers.at must be one of: top, bottom."),
        ({"comment": "\x00"}, "comment must not hold control characters."),
    ],
)
def test_a_wrong_field_is_one_sentence_that_names_rule_and_field(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RulesError) as error:
        rule(**fields)
    assert sentence in str(error.value)


def _changed(**changes: Any) -> dict[str, Any]:
    return {**document(), **changes}


_DENY, _ALLOW, _DEFAULT = document()["rules"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "must be an object with a list 'rules'"),
        (_changed(format=2), "'format', which is 1"),
        (_changed(more=1), "must have the fields"),
        (_changed(rules=[_DENY, _ALLOW]), "The rule Default is missing"),
        (_changed(rules=[_ALLOW, _DEFAULT]), "The rule DenyList is missing"),
        (_changed(rules=[_DENY, _DEFAULT, _ALLOW]), "Default must be the last one"),
        (_changed(rules=[_DENY, _ALLOW, {**_DEFAULT, "enabled": False}]), "the default rule cannot be switched off"),
        (_changed(rules=[_DENY, _ALLOW, {**_DEFAULT, "when": {"account": True}}]), "conditions cannot be changed"),
        (_changed(rules=[{**_DENY, "when": {"sender": "x.org"}}, _ALLOW, _DEFAULT]), "conditions cannot be changed"),
        (document({"name": "x"}, {"name": "X"}), "two rules with the name 'x'"),
        (document({"name": "default"}), "must be written Default"),
        (document({"name": " x"}), "without spaces"),
        (document({}), "Rule number 3: name is missing"),
        (document("x"), "Rule number 3 must be an object"),  # type: ignore[arg-type]
    ],
)
def test_presets_and_names_are_checked_over_the_whole(wrong: Any, words: str) -> None:
    with pytest.raises(RulesError, match=words):
        parse_rules(wrong, modules=MODULES)


@pytest.mark.parametrize(
    ("verdicts", "action"),
    [
        ([], Action.SKIP),
        ([Verdict("antivirus"), Verdict("antispam")], Action.SKIP),
        ([SPAM], Action.SKIP),
        ([INFECTED, SPAM], Action.REJECT),
        ([DOWN], Action.TEMPFAIL),
        ([DOWN, SPAM], Action.TEMPFAIL),
        ([INFECTED, unscanned("antispam", Reason.TIMEOUT, "slow")], Action.REJECT),
        ([unscanned("spool", Reason.ERROR, "full")], Action.TEMPFAIL),
        ([found("antivirus", Status.ENCRYPTED)], Action.SKIP),
    ],
)
def test_by_default_the_strictest_treatment_wins(verdicts: list[Verdict], action: Action) -> None:
    assert rule().decide(verdicts).action is action


def test_causes_begin_with_those_that_ask_for_the_action() -> None:
    decision = rule().decide([SPAM, INFECTED])
    assert [cause.check for cause in decision.causes] == ["antivirus", "antispam"]
    assert decision.backup


def test_spam_is_tagged_and_says_why() -> None:
    (cause,) = rule().decide([SPAM]).causes
    assert cause.treatment.tag == "[SPAM]"
    assert cause.treatment.headers == (
        ("X-Spam-Flag", "YES"),
        ("X-KSMG-AntiSpam", "spam, score 20.0/15.0, GTUBE(9)"),
    )


@given(some.text(), some.text())
def test_no_word_of_an_engine_can_end_a_header(detail: str, evidence: str) -> None:
    (cause,) = rule().decide([found("antispam", Status.SPAM, detail, evidence=(evidence,))]).causes
    assert all(value.isascii() and value.isprintable() and len(value) <= 900 for _, value in cause.treatment.headers)


def test_findings_of_a_module_that_is_off_do_not_count() -> None:
    off = rule(modules={"antivirus": {"enabled": False}})
    assert off.wants("antivirus") is None
    assert off.decide([INFECTED]).action is Action.SKIP


def test_a_rule_wants_a_module_under_its_options() -> None:
    assert rule(modules={"antivirus": {"options": {"limit": 7}}}).wants("antivirus") == 7
    assert rule().wants("antivirus") == 0
    assert rule().wants("oracle") is None


def test_content_is_on_only_where_a_rule_names_it() -> None:
    assert rule().wants("content") is None
    assert rule(modules={"content": {"options": {"limit": 3}}}).wants("content") == 3


@pytest.mark.parametrize(
    ("reason", "exhausted", "action", "header"),
    [
        (Reason.UNREACHABLE, False, Action.SKIP, b" antivirus (unreachable)"),
        (Reason.UNREACHABLE, True, Action.TEMPFAIL, b""),
        (Reason.LIMIT, False, Action.QUARANTINE, b""),
        (Reason.LIMIT, True, Action.TEMPFAIL, b""),
        (Reason.TIMEOUT, False, Action.TEMPFAIL, b""),
    ],
)
def test_an_unscanned_message_goes_by_its_reason(
    reason: Reason, exhausted: bool, action: Action, header: bytes, tmp_path: Path
) -> None:
    failures = {"any": "deliver_marked", "limit": "hold", "timeout": "tempfail"}
    verdict = unscanned("antivirus", reason, "")
    decision = rule(modules={"antivirus": {"on_failure": failures}}).decide([verdict], exhausted)
    assert decision.action is action
    if action.delivers:
        changes = changes_of(tmp_path, simple("", "x"), decision, verdicts=[verdict])
        assert [(edit.name, edit.value) for edit in changes.headers] == [(b"X-KSMG-Unscanned", header)]


def test_a_message_that_could_not_be_stored_always_comes_again() -> None:
    lenient = {name: {"on_failure": "deliver_marked"} for name in MODULES}
    assert rule(modules=lenient).decide([unscanned("spool", Reason.ERROR, "full")]).action is Action.TEMPFAIL


def test_what_a_rule_always_does_is_a_cause_of_its_own() -> None:
    decision = rule(always={"action": "delete", "notify": "administrator"}).decide([INFECTED])
    assert decision.action is Action.DELETE
    assert (decision.causes[0].check, decision.causes[0].finding.status) == ("rule", Status.RULE)


def test_a_rules_own_texts_are_added_whatever_is_found() -> None:
    texts = {"disclaimers": [{"text": "Be careful.", "at": "bottom"}], "headers": {"X-A": "b"}, "backup": True}
    decision = rule(**texts).decide([])
    assert decision.inserts == (Inserted("Be careful.", at_top=False),)
    assert (decision.headers, decision.backup, decision.action) == ((("X-A", "b"),), True, Action.SKIP)


def test_the_deny_list_refuses_and_asks_no_module() -> None:
    deny = rule_set().rules[0]
    assert [deny.wants(name) for name in MODULES] == [None] * 3
    assert deny.decide([]).action is Action.REJECT


def test_the_allow_list_spares_only_anti_spam_and_content() -> None:
    assert [name for name in MODULES if rule_set().rules[1].wants(name) is not None] == ["antivirus"]


def test_a_status_without_a_treatment_passes() -> None:
    assert rule(modules={"antispam": {"on": {"spam": {}}}}).decide([SPAM]).causes[0].treatment == Treatment()


def test_the_built_in_document_is_a_good_one_and_its_presets_are_off() -> None:
    rules = parse_rules(default_document()).rules
    assert [(found.name, found.enabled) for found in rules] == [
        ("DenyList", False), ("AllowList", False), ("Default", True),
    ]  # fmt: skip


def test_without_a_file_the_built_in_rules_are_in_force(store: RuleStore) -> None:
    rules = store.load()
    assert [rule.name for rule in rules.rules] == ["DenyList", "AllowList", "Default"]
    assert rules.digest == digest_of(written(default_document(MODULES)))
    assert not store.changed()


def test_what_is_saved_is_loaded(store: RuleStore, tmp_path: Path) -> None:
    digest = store.save(document({"name": "Ä", "when": {"sender": "x.org"}}))
    assert store.changed()
    rules = store.load()
    assert (rules.digest, rules.rules[2].name) == (digest, "Ä")
    assert digest_of((tmp_path / "active.json").read_bytes()) == digest
    assert (tmp_path / "active.json").stat().st_mode & 0o777 == 0o600


def test_every_version_is_found_by_its_digest(store: RuleStore) -> None:
    built_in = store.load().digest
    first = store.save(document({"name": "A"}))
    second = store.save(document({"name": "B"}))
    names = [found and found.rules[2].name for found in map(store.version, (built_in, first, second))]
    assert names == ["Default", "A", "B"]
    assert store.version("0" * 64) is None
    assert store.version("../active") is None


def test_old_versions_go_and_the_active_one_stays(store: RuleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEPT_VERSIONS", 2)
    digests = [store.save(document({"name": name})) for name in "ABCA"]
    assert {version.digest for version in store.versions()} == {digests[2], digests[3]}


def test_a_wrong_document_changes_nothing(store: RuleStore, tmp_path: Path) -> None:
    store.save(document())
    before = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*.json"))
    with pytest.raises(RulesError):
        store.save({"rules": []})
    assert sorted((path, path.read_bytes()) for path in tmp_path.rglob("*.json")) == before


def test_a_wrong_file_is_told_with_its_name(store: RuleStore, tmp_path: Path) -> None:
    (tmp_path / "active.json").write_text(json.dumps(document({"name": "A", "enabled": 1})))
    with pytest.raises(RulesError, match=r"active\.json are wrong: Rule 'A': enabled must be true or false"):
        store.load()
    (tmp_path / "active.json").write_text("{")
    with pytest.raises(RulesError, match="not JSON"):
        store.load()


def test_a_file_can_be_checked_before_it_is_put_in_force(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(written(default_document()))
    check_file(file)
    file.write_text('{"format": 1, "rules": []}')
    with pytest.raises(RulesError, match="DenyList is missing"):
        check_file(file)


def test_the_file_is_replaced_as_a_whole(store: RuleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(document({"name": "A"}))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save(document({"name": "B"}))
    assert store.load().rules[2].name == "A"
    assert not list(tmp_path.rglob(".*.json.*"))


_TREATMENTS = some.fixed_dictionaries(
    {"action": some.sampled_from([action.value for action in Action])},
    optional={"tag": some.sampled_from(["[X]", "Ä"]), "backup": some.booleans(), "reply": some.just("no")},
)
_RULES = some.fixed_dictionaries(
    {"name": some.sampled_from(["A", "B", "Ä b"])},
    optional={
        "enabled": some.booleans(),
        "comment": some.text("ab\nÄ", max_size=5),
        "when": some.just({"sender": [".a.org", "!x@a.org"], "client": ["10.0.0.0/8"]}),
        "modules": some.fixed_dictionaries({"antispam": some.fixed_dictionaries({"on": some.fixed_dictionaries(
            {"spam": _TREATMENTS})})}),
        "always": _TREATMENTS,
    },
)  # fmt: skip


@given(some.lists(_RULES, max_size=3, unique_by=lambda one: str(one["name"])))
def test_a_document_survives_the_file(rules: list[dict[str, Any]]) -> None:
    given_document = document(*rules)
    again = json.loads(written(given_document))
    assert again == given_document
    first, second = parse_rules(given_document, modules=MODULES), parse_rules(again, modules=MODULES)
    assert [vars(one) for one in first.rules] == [vars(one) for one in second.rules]
    assert [g.rule.name for g in first.assign(facts())] == [g.rule.name for g in second.assign(facts())]


def test_the_readme_shows_a_rule_as_it_can_be() -> None:
    readme = (Path(__file__).parents[2] / "gateway/README.md").read_text(encoding="utf-8")
    example = json.loads(readme.partition("## Rules")[2].partition("```json\n")[2].partition("```")[0])
    built_in = default_document()
    *before, last = built_in["rules"]
    rules = parse_rules({**built_in, "rules": [*before, example, last]})
    assert rules.assign(facts("ann@sub.partner.example"))[0].rule.name == example["name"]
