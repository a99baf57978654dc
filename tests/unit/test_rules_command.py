"""`ksmg rules` and `ksmg lists`: what they change, what they say, what they record."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ksmg.checks.verdict import Status, found
from ksmg.cli import appliance, change_record, rules_trial
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.policy import DataPolicy
from ksmg.rules.replay import document_of
from ksmg.rules.store import open_lists, open_rules
from ksmg.settings import Settings
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.locations import open_system_events
from ksmg.stores.message_events import MessageEventLog
from ksmg.stores.system_events import Name
from unit.moved_policy import moved_policy
from unit.rules_sample import facts

RULE = {"name": "Partners", "when": {"sender": ["*@partner.example"]}, "comment": "they send macros"}


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    """The product's policy, its places moved below a temporary directory."""
    return moved_policy(tmp_path)


@pytest.fixture(autouse=True)
def here(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """An appliance whose account is the one that runs the test, with a log daemon that takes nothing."""
    monkeypatch.setattr(appliance, "load_policy", lambda: policy)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    monkeypatch.setattr(change_record, "Syslog", lambda _: SimpleNamespace(send=lambda *_: None))


@pytest.fixture
def rule_file(tmp_path: Path) -> str:
    file = tmp_path / "rule.json"
    file.write_text(json.dumps(RULE))
    return str(file)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == ExitCode.DONE
    return json.loads(capsys.readouterr().out)


def done(*arguments: str) -> None:
    assert main(arguments) == ExitCode.DONE


def names(policy: DataPolicy) -> list[str]:
    return [rule.name for rule in open_rules(policy).load().rules]


def test_the_built_in_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, "rules", "list", "--json")["rules"]
    assert [(row["name"], row["on"]) for row in rows] == [("DenyList", "no"), ("AllowList", "no"), ("Default", "yes")]
    done("rules", "list")
    assert "listed senders" in capsys.readouterr().out


def test_a_rule_is_added_above_the_default_one_and_replaced_in_its_place(policy: DataPolicy, rule_file: str) -> None:
    done("rules", "add", rule_file)
    done("rules", "add", rule_file)
    assert names(policy) == ["DenyList", "AllowList", "Partners", "Default"]


def test_rules_are_moved_and_removed(policy: DataPolicy, rule_file: str) -> None:
    done("rules", "add", rule_file, "--before", "AllowList")
    assert names(policy) == ["DenyList", "Partners", "AllowList", "Default"]
    done("rules", "move", "Partners", "1")
    assert names(policy)[0] == "Partners"
    done("rules", "remove", "Partners")
    assert names(policy) == ["DenyList", "AllowList", "Default"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["remove", "Default"], "cannot be deleted, only switched off"),
        (["disable", "Default"], "the default rule cannot be switched off"),
        (["move", "Default", "1"], "Default is always the last one"),
        (["move", "DenyList", "3"], "position is from 1 to 2"),
        (["show", "Nobody"], "There is no rule 'Nobody'."),
        (["set", "Default", "modules.antispam.on.spam=burn"], "must be one of: skip"),
        (["set", "Default", "when.sender=x.org"], "conditions cannot be changed"),
        (["set", "Default", "name.x=1"], "leads through name, which is no object"),
        (["import", "/nowhere"], "/nowhere cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    arguments: list[str], words: str, policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    before = open_rules(policy).data()
    assert main(["rules", *arguments]) != ExitCode.DONE
    assert words in capsys.readouterr().err
    assert open_rules(policy).data() == before


def test_fields_are_set_and_removed(policy: DataPolicy, rule_file: str) -> None:
    done("rules", "add", rule_file)
    done("rules", "set", "Partners", "modules.antispam.on.spam=quarantine", 'when.client=["10.0.0.0/8"]', "comment=")
    assert (rule := open_rules(policy).load().rule("Partners")) is not None
    assert rule.modules["antispam"].treatment(Status.SPAM).action.value == "quarantine"
    assert (str(rule.conditions.client.wanted[0]), rule.comment) == ("10.0.0.0/8", "")
    done("rules", "set", "Partners", "modules.antispam.on.spam.backup=true")
    assert open_rules(policy).document()["rules"][2]["modules"]["antispam"]["on"]["spam"] == {
        "action": "quarantine", "backup": True,
    }  # fmt: skip


def test_what_is_exported_can_be_imported(
    policy: DataPolicy, rule_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("rules", "add", rule_file)
    capsys.readouterr()
    done("rules", "export")
    exported = capsys.readouterr().out
    done("rules", "remove", "Partners")
    (tmp_path / "all.json").write_text(exported)
    done("rules", "import", str(tmp_path / "all.json"))
    assert names(policy)[2] == "Partners"


def test_an_earlier_version_is_exported(rule_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    done("rules", "add", rule_file)
    done("rules", "enable", "DenyList")
    capsys.readouterr()
    versions = printed(capsys, "rules", "versions", "--json")
    assert [version["active"] for version in versions].count(True) == 1
    with_partners = [printed(capsys, "rules", "export", "--version", v["digest"])["rules"] for v in versions]
    assert sorted(len(rules) for rules in with_partners) == [3, 4, 4]
    assert main(["rules", "export", "--version", "0"]) == ExitCode.NOT_FOUND


def test_a_change_is_a_system_event_with_before_and_after(policy: DataPolicy) -> None:
    done("rules", "enable", "DenyList")
    event = open_system_events(policy, Settings({})).newest()[0]
    assert (event.name, event.detail["changes"]) == (Name.RULES_CHANGED, ["DenyList.enabled: false -> true"])
    assert event.detail["after"] == open_rules(policy).load().digest


def test_check_finds_a_rule_that_can_never_match(rule_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    done("rules", "check")
    assert "Nothing to remark." in capsys.readouterr().out
    done("rules", "add", rule_file)
    done("rules", "set", "Partners", "name=Everything", "when=")
    assert main(["rules", "add", rule_file]) == ExitCode.DONE
    assert "Warning: the rule 'Partners' can never match" in capsys.readouterr().err
    assert main(["rules", "check"]) == ExitCode.UNHEALTHY
    assert "Fault: the rule 'Partners' can never match" in capsys.readouterr().out


def test_check_looks_at_a_file_that_is_not_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.json"
    file.write_text('{"format": 1, "rules": []}')
    assert main(["rules", "check", str(file)]) == ExitCode.FAILED
    assert "The rule DenyList is missing" in capsys.readouterr().err


def test_try_shows_rule_reason_and_decision_without_engines(
    rule_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rules_trial, "spool_directory", lambda _: tmp_path)
    message = tmp_path / "message.eml"
    message.write_bytes(b"Subject: x\nX-Long: a\n b\n\nbody\n")
    done("rules", "add", rule_file)
    capsys.readouterr()
    envelope = ("--from", "a@partner.example", "--to", "b@example.org", "--ip", "192.0.2.1")
    arguments = ("rules", "try", str(message), *envelope)
    (group,) = printed(capsys, *arguments, "--json")["groups"]
    assert (group["rule"], group["action"]) == ("Partners", "tempfail")  # no engine answers here
    assert group["tried"][-1] == {"rule": "Partners", "why": "matches"}
    done(*arguments)
    assert "=> tempfail (because of" in capsys.readouterr().out


@pytest.fixture
def judged(policy: DataPolicy) -> None:
    """One spam message of today in the records."""
    rules, message = open_rules(policy).load(), facts()
    spam = found("antispam", Status.SPAM, "20/15")
    verdicts = {
        (name, rules.rules[-1].wants(name)): spam if name == "antispam" else found(name, Status.CLEAN)
        for name in rules.rules[-1].modules
        if rules.rules[-1].wants(name) is not None
    }
    groups = [(group, group.rule.decide([spam])) for group in rules.assign(message)]
    record = FlightRecord("m-1", time.time(), document_of(message, verdicts, groups, rules.digest))
    log = MessageEventLog(Path(policy.place("message_events")), 3, 10**9)
    log.add([record])
    log.close()


def test_shadow_tells_what_would_have_differed(
    judged: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("rules", "export")
    document = json.loads(capsys.readouterr().out)
    document["rules"][-1]["modules"]["antispam"]["on"]["spam"] = "delete"
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(document))
    compared = printed(capsys, "rules", "shadow", str(file), "--days", "1", "--json")
    assert compared["sum"]["changes"] == [{"before": "skip", "after": "delete", "recipients": 1}]
    done("rules", "check", "--shadow", str(file))
    assert "1 recipients: skip -> delete" in capsys.readouterr().out


def test_entries_are_added_listed_and_removed(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    done("lists", "global", "add", "deny", "bad.example", "10.0.0.0/8", "--comment", "spammers")
    done("lists", "personal", "bob@example.org", "add", "allow", "*@*.partner.example")
    capsys.readouterr()
    assert [e["entry"] for e in printed(capsys, "lists", "global", "list", "--json")["deny"]] == [
        "bad.example",
        "10.0.0.0/8",
    ]
    assert printed(capsys, "lists", "owners", "--json") == {"bob@example.org": 1}
    done("lists", "global", "remove", "deny", "bad.example")
    assert [entry.entry for entry in open_lists(policy).entries()] == ["10.0.0.0/8"]
    events = open_system_events(policy, Settings({})).newest()
    assert [event.name for event in events] == [Name.LISTS_CHANGED] * 3
    assert events[0].detail == {"list": "global", "removed": ["deny bad.example"]}


def test_what_a_list_exports_it_imports(policy: DataPolicy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done("lists", "global", "add", "allow", "good.example")
    capsys.readouterr()
    done("lists", "global", "export")
    (tmp_path / "list.json").write_text(capsys.readouterr().out)
    done("lists", "personal", "bob@example.org", "import", str(tmp_path / "list.json"))
    assert open_lists(policy).entries("bob@example.org") == open_lists(policy).entries()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["personal", "bob@example.org", "add", "deny", "10.0.0.1"], "personal lists hold no IP addresses"),
        (["personal", "bob", "add", "deny", "x.org"], "bob is no mail address"),
        (["global", "add", "deny", "/x/"], "lists hold addresses, wildcards and domains"),
        (["global", "remove", "deny", "x.org"], "The deny list has no entry x.org."),
    ],
)
def test_a_wrong_entry_is_told(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lists", *arguments]) != ExitCode.DONE
    assert words in capsys.readouterr().err
