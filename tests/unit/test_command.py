"""The command `ksmg`: sentences and exit codes, never a traceback."""

import argparse
import io
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ksmg.cli import appliance, events, status
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.cli.output import size
from ksmg.policy import DataPolicy
from ksmg.stores.locations import settings_file
from ksmg.system.account import WrongAccount
from unit.moved_policy import moved_policy


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    """The product's policy, its places moved below a temporary directory."""
    return moved_policy(tmp_path)


@pytest.fixture(autouse=True)
def here(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """An appliance whose account is the one that runs the test."""
    monkeypatch.setattr(appliance, "load_policy", lambda: policy)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    monkeypatch.setattr(status, "become", lambda _: None)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == ExitCode.DONE
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["events", "--limit", "0"], ["events", "--since", "yesterday"]])
def test_a_wrong_command_line_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == ExitCode.USAGE
    assert "usage:" in capsys.readouterr().err


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


def test_status_names_what_does_not_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer = subprocess.CompletedProcess([], 0, "active\n" * len(status.UNITS), "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    monkeypatch.setattr(status, "make_checks", lambda _: [])
    assert main(["status", "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"]
    assert found["admin_password_set"] is False
    assert {store["store"] for store in found["stores"]} >= {
        "backup",
        "spam_quarantine",
        "message_events",
        "system_events",
    }
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
