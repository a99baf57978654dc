"""`ksmg events`: search options, pages, one message in full, and segments that cannot be read."""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest
from ksmg.cli import appliance, events
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.stores.locations import open_message_events, open_system_events
from ksmg.stores.system_events import Name
from unit.moved_policy import moved_policy
from unit.test_event_logs import EVENT


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """An appliance below a temporary directory, with four events of three messages."""
    moved = moved_policy(tmp_path)
    monkeypatch.setattr(appliance, "load_policy", lambda: moved)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    log = open_message_events(moved, Settings({}))
    infected = {"check": "antivirus", "status": "infected", "detail": "Eicar", "evidence": ["x"]}
    log.add(
        [
            dataclasses.replace(EVENT, id="1", time=time.time() - 7200, subject="Minutes"),
            dataclasses.replace(EVENT, id="2", queue_id="4Y", time=time.time(), verdicts=(infected,), action="reject"),
            dataclasses.replace(EVENT, id="3", queue_id="4Z", time=time.time(), message="3", marks=("tagged",)),
            dataclasses.replace(EVENT, id="4", queue_id="4Z", time=time.time(), message="3", recipients=("c@z",)),
        ]
    )
    log.close()
    return moved


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    assert main(["events", *arguments, "--json"]) == ExitCode.DONE
    return [event["id"] for event in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], ["4", "3", "2", "1"]),
        (["--text", "MINUTES", "a@x"], ["1"]),
        (["--status", "antivirus=infected"], ["2"]),
        (["--action", "reject", "--sender", "a@"], ["2"]),
        (["--recipient", "c@z"], ["4"]),
        (["--since", "1h", "--ip", "192.0.2.0/24"], ["4", "3", "2"]),
        (["--until", "1h"], ["1"]),
        (["--queue-id", "4Y"], ["2"]),
        (["--message-id", "m", "--limit", "1"], ["4"]),
        (["--max-size", "9"], []),
        (["--min-size", "10", "--subject", "minutes"], ["1"]),
        (["--attachment", "A.PDF", "--rule", "Default", "--direction", "inbound"], []),
        (["--unscanned"], []),
    ],
)
def test_options_choose_events(arguments: list[str], ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys, *arguments) == ids


def test_pages_follow_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--limit", "3", "--json"]) == ExitCode.DONE
    before = capsys.readouterr().err.split()[-1]
    assert found(capsys, "--before", before) == ["1"]


def test_events_are_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--limit", "3"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["TIME", "QUEUE", "ID", "ACTION", "FOUND", "FROM", "TO", "SUBJECT"]
    assert "antivirus: infected" in lines[3]


def test_one_message_is_shown_with_all_its_events(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "show", "4Z"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "marks:            tagged" in shown
    assert "recipients:       c@z" in shown
    assert found(capsys, "show", "4") == ["3", "4"]


def test_what_a_module_found_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "show", "2"]) == ExitCode.DONE
    assert "antivirus:        infected; detail Eicar; evidence x" in capsys.readouterr().out


def test_an_event_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "show", "9"]) == ExitCode.NOT_FOUND
    assert main(["events", "dance"]) == ExitCode.USAGE


def test_a_damaged_segment_is_told_and_a_system_event(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    old = Path(policy.place("message_events")) / "2026-01-01T00.00000.sqlite"
    old.write_bytes(b"not a database" * 100)
    assert main(["events"]) == ExitCode.DONE
    assert f"the events in {old.name} could not be read" in capsys.readouterr().err
    assert open_system_events(policy, Settings({})).newest()[0].name is Name.EVENTS_DAMAGED


@pytest.mark.parametrize(
    ("take", "text"),
    [
        (events.network, "x"),
        (events.status, "infected"),
        (events.byte_count, "3T"),
        (events.place, "../x"),
        (events.since, "9" * 30 + "-x"),
    ],
)
def test_a_wrong_value_is_told(take: Any, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        take(text)
