"""`ksmg explain` and `ksmg replay`: what a record tells, and what running it again finds."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ksmg.checks.verdict import Status, Verdict, found
from ksmg.cli import appliance, replay
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.filter.trial import spool_content
from ksmg.mail.facts import Direction, Facts
from ksmg.mail.spool import Spool
from ksmg.policy import DataPolicy
from ksmg.rules.documents import default_document
from ksmg.rules.replay import document_of
from ksmg.rules.store import open_rules
from ksmg.settings import Settings
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.locations import open_message_events
from unit.moved_policy import moved_policy

FACTS = Facts("a@partner.test", ("b@example.org",), (Direction.INBOUND,), "192.0.2.1")


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """The product's policy below a temporary directory, on an appliance whose account runs the test."""
    moved = moved_policy(tmp_path)
    monkeypatch.setattr(appliance, "load_policy", lambda: moved)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    return moved


def recorded(policy: DataPolicy, *verdicts: Verdict) -> str:
    """The id of a recorded message that the rules in force decided about."""
    rules = open_rules(policy).load()
    default = rules.rules[-1]
    said = {name: Verdict(name) for name in default.modules if default.wants(name) is not None}
    said |= {verdict.check: verdict for verdict in verdicts}
    judged = {(name, default.wants(name)): verdict for name, verdict in said.items()}
    (group,) = rules.assign(FACTS)
    document: dict[str, Any] = document_of(
        FACTS, judged, [(group, group.rule.decide(tuple(said.values())))], rules.digest
    )
    document["message"] = {
        "node": "gw1", "queue_id": "4X", "message_id": "<m>", "client_name": "mx", "helo": "mx", "subject": "Hello",
        "size": 1000, "attachments": ["a.pdf"], "reply": "", "unscanned": "", "milliseconds": 5.0,
        "own_milliseconds": 1.0,
    }  # fmt: skip
    log = open_message_events(policy, Settings({}))
    log.add([FlightRecord("m1", 1.0e9, {**document, "answer": "accept", "exhausted": False})])
    log.close()
    return "m1"


INFECTED = found("antivirus", Status.INFECTED, "Eicar", engine="ClamAV 1.4", seconds=0.02)


def test_explain_says_what_each_module_saw(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", recorded(policy, INFECTED)]) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert "infected Eicar" in printed
    assert "ClamAV 1.4" in printed


def test_explain_says_why_a_rule_matched(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", recorded(policy, INFECTED)])
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    told = {words[0]: words[1] for words in lines}
    assert (told["DenyList"], told["Default"]) == ("switched off", "MATCHES")
    assert told["decided:"].startswith("reject")


def test_explain_gives_machines_the_whole_record(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", recorded(policy, INFECTED), "--json"])
    assert json.loads(capsys.readouterr().out)["verdicts"][0]["engine"] == "ClamAV 1.4"


@pytest.mark.parametrize("verb", ["explain", "replay"])
def test_a_message_without_a_record_is_told(policy: DataPolicy, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "nothing"]) == ExitCode.NOT_FOUND
    assert "no record of a message nothing" in capsys.readouterr().err


def test_a_replay_under_the_same_rules_finds_no_difference(
    policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", recorded(policy, INFECTED), "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["same"] is True


def test_a_replay_under_changed_rules_names_the_difference(
    policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    message = recorded(policy, INFECTED)
    lax = default_document()
    lax["rules"][-1]["modules"]["antivirus"]["on"]["infected"] = {"action": "skip"}
    open_rules(policy).save(lax)
    assert main(["replay", message, "--active"]) == ExitCode.DIFFERENT
    assert "reject" in capsys.readouterr().out
    assert main(["replay", message]) == ExitCode.DONE


def test_a_replay_without_the_rules_of_then_says_so(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    message = recorded(policy, INFECTED)
    monkeypatch.setattr(replay, "open_rules", lambda _: type("Store", (), {"version": lambda *_: None})())
    assert main(["replay", message]) == ExitCode.FAILED


@given(
    fields=st.lists(
        st.tuples(st.from_regex(rb"\A[A-Za-z-]{1,20}\Z"), st.from_regex(rb"\A [a-z ]{0,40}(\r\n [a-z]+)?\Z"))
    ),
    body=st.lists(st.from_regex(rb"\A[ -~]{0,60}\Z"), min_size=1),
)
def test_a_message_from_a_file_is_spooled_as_it_was(
    tmp_path: Path, fields: list[tuple[bytes, bytes]], body: list[bytes]
) -> None:
    whole = b"".join(n + b":" + v + b"\r\n" for n, v in fields) + b"\r\n" + b"".join(x + b"\r\n" for x in body)
    for content in (whole, whole.replace(b"\r\n", b"\n")):
        with Spool(tmp_path).new_message() as spooled:
            spool_content(spooled, io.BytesIO(content))
            assert spooled.path.read_bytes() == whole
