"""The command `ksmg`: sentences and exit codes, never a traceback."""

import argparse
import io
import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ksmg.cli import appliance, backup, events, status
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.cli.output import size
from ksmg.policy import DataPolicy, parse_policy
from ksmg.settings import Settings
from ksmg.stores.backup import BackupEntry, new_id
from ksmg.stores.locations import open_backup, open_system_events, settings_file
from ksmg.stores.system_events import Name
from ksmg.system.account import WrongAccount

POLICY_FILE = Path(__file__).parents[2] / "inventory/group_vars/all/data_policy.yml"


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    """The product's policy, its places moved below a temporary directory."""
    document = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8"))
    for row in document["data_policy"]["rows"]:
        for location in row["locations"]:
            location["path"] = f"{tmp_path}{location['path']}"
    moved = parse_policy(document)
    for row in ("settings", "backup", "message_events", "system_events"):
        Path(moved.place(row)).mkdir(parents=True, exist_ok=True)
    return moved


@pytest.fixture(autouse=True)
def here(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """An appliance whose account is the one that runs the test, with a log daemon that takes nothing."""
    monkeypatch.setattr(appliance, "load_policy", lambda: policy)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    monkeypatch.setattr(status, "become", lambda _: None)
    monkeypatch.setattr(backup, "Syslog", lambda _: SimpleNamespace(send=lambda *_: None))


@pytest.fixture
def kept(policy: DataPolicy, tmp_path: Path) -> BackupEntry:
    """A message in Backup."""
    message = tmp_path / "message.eml"
    message.write_bytes(b"Subject: x\r\n\r\nbody\r\n")
    entry = BackupEntry(new_id(), time.time(), 20, "infected: Eicar", "4X", "<m>", "192.0.2.1", "a@x", ("b@y",), "x")
    store = open_backup(policy)
    store.open()
    store.add(entry, message)
    store.close()
    return entry


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == ExitCode.DONE
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["events", "--limit", "0"], ["events", "--since", "yesterday"]])
def test_a_wrong_command_line_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == ExitCode.USAGE
    assert "usage:" in capsys.readouterr().err


def test_the_message_is_listed_and_shown(kept: BackupEntry, capsys: pytest.CaptureFixture[str]) -> None:
    assert [entry["id"] for entry in printed(capsys, "backup", "list", "--json")] == [kept.id]
    assert printed(capsys, "backup", "show", kept.id, "--json")["recipients"] == ["b@y"]
    assert main(["backup", "list"]) == ExitCode.DONE
    assert "infected: Eicar" in capsys.readouterr().out


def test_to_look_at_a_message_is_a_system_event(
    kept: BackupEntry, policy: DataPolicy, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["backup", "show", kept.id, "--raw"]) == ExitCode.DONE
    assert open_system_events(policy, Settings({})).newest()[0].name is Name.BACKUP_VIEWED


def test_a_message_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "show", "nothing"]) == ExitCode.NOT_FOUND
    assert "Backup has no message nothing." in capsys.readouterr().err


def test_release_hands_the_message_to_postfix_and_is_a_system_event(
    kept: BackupEntry, policy: DataPolicy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def run(command: list[str], stdin: io.BufferedReader, **_: object) -> subprocess.CompletedProcess[bytes]:
        calls.append((command, stdin.read()))
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", run)
    assert main(["backup", "release", kept.id]) == ExitCode.DONE
    assert calls == [([backup.SENDMAIL, "-i", "-f", "a@x", "--", "b@y"], b"Subject: x\r\n\r\nbody\r\n")]
    assert open_system_events(policy, Settings({})).newest()[0].name is Name.BACKUP_RELEASED
    assert open_backup(policy).entry(kept.id) == kept


def test_a_postfix_that_refuses_is_told(
    kept: BackupEntry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = subprocess.CompletedProcess([], 75, b"", b"queue full")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    assert main(["backup", "release", kept.id]) == ExitCode.FAILED
    assert "queue full" in capsys.readouterr().err


def test_no_events_are_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "events", "--json") == []
    assert printed(capsys, "events", "--system", "--json") == []


def test_an_age_or_a_time_limits_events() -> None:
    assert abs(events.since("2h") - (time.time() - 7200)) < 5
    assert events.since("2026-01-31T12:00+00:00") == 1769860800
    with pytest.raises(argparse.ArgumentTypeError):
        events.since("soon")


def test_the_wrong_account_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: str) -> None:
        raise WrongAccount("Only root and kluser may do this.")

    monkeypatch.setattr(appliance, "become", refuse)
    assert main(["events"]) == ExitCode.DENIED
    assert capsys.readouterr().err.splitlines()[0] == "ksmg: Only root and kluser may do this."


def test_wrong_settings_are_told(policy: DataPolicy, capsys: pytest.CaptureFixture[str]) -> None:
    settings_file(policy).write_text('{"colour": 1}')
    assert main(["events"]) == ExitCode.FAILED
    assert "there is no setting colour" in capsys.readouterr().err


def test_status_names_what_does_not_work(
    kept: BackupEntry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = subprocess.CompletedProcess([], 0, "active\n" * len(status.UNITS), "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    monkeypatch.setattr(status, "make_checks", lambda _: [])
    assert main(["status", "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"]
    assert found["admin_password_set"] is False
    assert {store["store"] for store in found["stores"]} == {"backup", "message_events", "system_events"}
    assert "certificate ca is missing" in found["warnings"]


@pytest.mark.parametrize(
    ("service", "socket", "shown"),
    [("active", "active", "active"), ("inactive", "active", "waiting"), ("failed", "active", "failed")],
)
def test_a_service_may_wait_for_its_socket(service: str, socket: str, shown: str) -> None:
    states = {"ksmg-filter.service": service, "ksmg-filter.socket": socket}
    assert status._service_state("ksmg-filter.service", states) == shown


def test_a_password_is_read_and_hashed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert main(["password-hash"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("$scrypt$")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["password-hash"]) == ExitCode.FAILED


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (7_000_000_000, "7.0 GB")])
def test_sizes_are_decimal(number: int, text: str) -> None:
    assert size(number) == text
