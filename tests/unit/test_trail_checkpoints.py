"""Signed checkpoints, and the command that compares the trail with them."""

import argparse
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from ksmg.certificates.files import Ownership
from ksmg.certificates.site import SiteCertificates
from ksmg.cli import appliance, audit_trail
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.policy import DataPolicy
from ksmg.settings import Settings
from ksmg.stores.audit_chain import Link
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import Name, SystemEvent, SystemEventLog
from ksmg.trail.checkpoints import Checkpoint, CheckpointError, Checkpoints
from ksmg.trail.verification import checkpoint_place
from unit.moved_policy import moved_policy

LINK = Link(7, "ab" * 32)


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """An appliance whose root is the account that runs the test, with a signing key."""
    moved = moved_policy(tmp_path)
    monkeypatch.setattr(appliance, "load_policy", lambda: moved)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Ownership, "ids", lambda _: (os.getuid(), os.getgid()))
    tls = next(found.place for found in moved.row("mta_settings").locations if found.place.name == "tls")
    SiteCertificates(Path(tls), Ownership("root", "kluser", 0o640), "gw.example.org").ensure()
    return moved


@pytest.fixture
def log(policy: DataPolicy) -> SystemEventLog:
    made = open_system_events(policy, Settings({}))
    made.add_all(SystemEvent(Name.ENGINE_UP, {"number": number}) for number in range(10))
    return made


def by_hand(policy: DataPolicy, statement: str) -> None:
    connection = sqlite3.connect(Path(policy.place("system_events")) / "events.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()


def verified(capsys: pytest.CaptureFixture[str], code: ExitCode) -> Any:
    assert main(["audit", "verify", "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_checkpoint_is_read_as_it_was_made(tmp_path: Path) -> None:
    made = Checkpoint.made(LINK, "gw", lambda document: b"signature of " + document)
    Checkpoints(tmp_path, 3).add(made)
    assert Checkpoints(tmp_path, 3).all() == [made]


def test_the_oldest_checkpoints_go_at_the_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path, 3)
    for number in range(1, 6):
        monkeypatch.setattr("time.time", lambda number=number: 1000.0 + number)
        kept.add(Checkpoint.made(Link(number, "ab" * 32), "gw", lambda _: b"x"))
    assert [found.link.number for found in kept.all()] == [3, 4, 5]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"signed": "x", "signature": "y"}', '{"signed": 5, "signature": "y"}']
)
def test_a_file_that_is_no_checkpoint_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"1\.json"):
        Checkpoints(tmp_path, 3).all()


@pytest.mark.usefixtures("log")
def test_a_whole_trail_is_verified(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "checkpoint"]) == ExitCode.DONE
    assert "Signed record 10" in capsys.readouterr().out
    found = verified(capsys, ExitCode.DONE)
    assert (found["whole"], found["records"], found["checkpoints"], found["unsigned"]) == (True, 10, 1, 0)


@pytest.mark.usefixtures("log")
def test_a_checkpoint_is_made_only_when_the_log_grew(policy: DataPolicy) -> None:
    main(["audit", "checkpoint"])
    main(["audit", "checkpoint"])
    assert len(list(Path(checkpoint_place(policy).place).iterdir())) == 1


@pytest.mark.usefixtures("log")
def test_an_altered_record_is_named(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand(policy, "UPDATE event SET account = 'nobody' WHERE number = 4")
    assert main(["audit", "verify"]) == ExitCode.DIFFERENT
    assert "altered: record 4." in capsys.readouterr().out


def test_what_was_found_is_an_event(policy: DataPolicy, log: SystemEventLog) -> None:
    by_hand(policy, "DELETE FROM event WHERE number = 4")
    main(["audit", "checkpoint"])
    (event,) = log.newest(1)
    assert event.name is Name.TRAIL_ALTERED
    assert "record 4" in event.detail["findings"][0]


def test_a_log_that_was_replaced_is_found(
    policy: DataPolicy, log: SystemEventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["audit", "checkpoint"])
    capsys.readouterr()
    for file in Path(policy.place("system_events")).iterdir():
        file.unlink()
    log.add_all(SystemEvent(Name.ENGINE_UP, {"number": number}) for number in range(20))
    (finding,) = verified(capsys, ExitCode.DIFFERENT)["findings"]
    assert (finding["damage"], finding["first"], finding["last"]) == ("rewritten", 1, 10)


@pytest.mark.usefixtures("log")
def test_a_checkpoint_that_was_not_signed_here_does_not_count(
    policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["audit", "checkpoint"])
    capsys.readouterr()
    (file,) = Path(checkpoint_place(policy).place).iterdir()
    file.write_text(file.read_text().replace('number\\":10', 'number\\":5'))
    found = verified(capsys, ExitCode.DIFFERENT)
    assert (found["checkpoints"], found["findings"], len(found["unbelieved"])) == (0, [], 1)


def test_only_root_may_verify(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 470)
    assert main(["audit", "verify"]) == ExitCode.DENIED


@pytest.mark.usefixtures("policy")
def test_events_are_found_by_name_account_and_origin(log: SystemEventLog, capsys: pytest.CaptureFixture[str]) -> None:
    log.add(SystemEvent(Name.SIGNED_IN, {"key": "SHA256:x"}, "root", 100.0, "192.0.2.7"))
    chosen = ["--name", "signed_in", "--account", "root", "--origin", "192.0.2.7", "--text", "sha256"]
    assert main(["audit", "events", "--json", *chosen]) == ExitCode.DONE
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["number"], found["name"], found["origin"]) == (11, "signed_in", "192.0.2.7")


@pytest.mark.usefixtures("log")
def test_a_page_of_events_says_where_the_next_begins(capsys: pytest.CaptureFixture[str]) -> None:
    main(["audit", "events", "--limit", "4"])
    assert "--before 7" in capsys.readouterr().err
    main(["audit", "events", "--limit", "4", "--before", "7", "--json"])
    assert [found["number"] for found in json.loads(capsys.readouterr().out)] == [6, 5, 4, 3]


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="signed_in"):
        audit_trail._name("danced")
