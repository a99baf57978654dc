"""`ksmg trace` and the change of one setting in the file."""

import json
from pathlib import Path

import pytest
from ksmg.cli import appliance, command_trace
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.diagnostics.trace import COMPONENTS, Level
from ksmg.policy import DataPolicy
from ksmg.settings import Settings, SettingsError, load_settings
from ksmg.settings.editing import change_setting
from ksmg.stores.locations import open_system_events, settings_file
from ksmg.stores.system_events import Name
from unit.moved_policy import moved_policy


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPolicy:
    """An appliance below a temporary directory, whose account is the one that runs the test."""
    moved = moved_policy(tmp_path)
    monkeypatch.setattr(appliance, "load_policy", lambda: moved)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    return moved


def test_setting_a_level_is_kept_and_is_an_event_with_before_and_after(policy: DataPolicy) -> None:
    assert main(["trace", "set", "filter", "debug"]) == ExitCode.DONE
    settings = load_settings(settings_file(policy))
    event = open_system_events(policy, Settings({})).newest(1)[0]
    assert settings is not None
    assert settings["traces.filter"] == "debug"
    assert (event.name, dict(event.detail)) == (
        Name.TRACES_CHANGED, {"component": "filter", "before": "off", "after": "debug"},
    )  # fmt: skip


@pytest.mark.usefixtures("policy")
def test_the_list_names_every_component(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "list", "--json"]) == ExitCode.DONE
    rows = json.loads(capsys.readouterr().out)
    assert {row["component"]: row["level"] for row in rows} == dict.fromkeys(COMPONENTS, "off")


def test_the_newest_lines_are_shown_and_seen_to_be_shown(
    policy: DataPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path(policy.row("traces").locations[0].place)
    (place / "web.log.1").write_text("a\nb\n")
    (place / "web.log").write_text("c\n")
    assert main(["trace", "show", "web", "--lines", "2"]) == ExitCode.DONE
    assert capsys.readouterr().out == "b\nc\n"
    assert open_system_events(policy, Settings({})).newest(1)[0].name is Name.TRACES_VIEWED


def test_a_deleted_trace_is_gone(policy: DataPolicy) -> None:
    place = Path(policy.row("traces").locations[0].place)
    for name in ("web.log.1", "web.log", "submit.log"):
        (place / name).write_text("a\n")
    assert main(["trace", "delete", "web"]) == ExitCode.DONE
    assert [file.name for file in place.iterdir() if file.is_file()] == ["submit.log"]


def test_a_command_is_traced_once_its_level_is_set(policy: DataPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_trace, "become", lambda _: None)
    main(["trace", "set", "command", "debug"])
    main(["trace", "list"])
    main(["trace", "set", "command", "off"])
    text = (Path(policy.row("traces").locations[0].place) / "command.log").read_text()
    assert "ksmg trace list: exit code 0" in text


@pytest.mark.parametrize("level", [Level.INFO, Level.DEBUG])
def test_whom_a_command_is_about_is_traced_at_debug_and_never_who_was_erased(level: Level) -> None:
    traced = command_trace._trace
    traced.set(level)
    shown = [
        command_trace._shown(given) for given in (["events", "--to", "a@x.test"], ["subject", "erase", "a@x.test"])
    ]
    traced.set(Level.OFF)
    assert shown == ["events --to a@x.test" if level is Level.DEBUG else "events", "subject"]


def test_a_changed_setting_leaves_the_others_and_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    file.write_text('{"hostname": "gw.example.org", "traces": {"web": "info"}}')
    settings = change_setting(file, "traces.filter", "error")
    assert [settings[key] for key in ("hostname", "traces.web", "traces.filter")] == ["gw.example.org", "info", "error"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_wrong_value_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    file.write_text('{"traces": {"web": "info"}}')
    with pytest.raises(SettingsError, match=r"traces\.web must be one of"):
        change_setting(file, "traces.web", "loud")
    assert file.read_text() == '{"traces": {"web": "info"}}'
