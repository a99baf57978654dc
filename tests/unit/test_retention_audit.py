"""`ksmg audit retention` says what each place keeps, and finds what is too much, too old, or should not exist."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ksmg.cli import audit_retention
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.policy import DataPolicy
from ksmg.retention.caps import Cap
from ksmg.retention.findings import findings
from ksmg.retention.measure import Holding, measure
from ksmg.retention.slack import at_cap
from ksmg.settings import Settings
from unit.moved_policy import moved_policy

NOW = 1_800_000_000.0


@pytest.fixture
def policy(tmp_path: Path) -> DataPolicy:
    moved = moved_policy(tmp_path)
    for _, location in moved.locations():
        if location.type == "log":
            Path(location.place).touch()
    return moved


def held(policy: DataPolicy, name: str) -> Holding:
    return next(holding for holding in measure(policy, Settings({})) if holding.place.name == name)


def test_fresh_appliance_is_green(policy: DataPolicy) -> None:
    assert [findings(policy, holding, NOW) for holding in measure(policy, Settings({}))].count([]) == len(
        measure(policy, Settings({}))
    )


@pytest.mark.parametrize(("more", "wrong"), [(0, 0), (1, 0), (2, 1)])
def test_one_unit_above_the_cap_is_no_finding_and_two_are(policy: DataPolicy, more: int, wrong: int) -> None:
    holding = replace(held(policy, "backup"), effective=Cap(bytes=128_000_000), unit=1_000_000)
    assert len(findings(policy, replace(holding, bytes=128_000_000 + more * holding.unit), NOW)) == wrong


def test_more_records_than_may_be_are_found(policy: DataPolicy) -> None:
    assert findings(policy, replace(held(policy, "system-events"), records=100_001), NOW)


@pytest.mark.parametrize(
    ("name", "days", "wrong"), [("events", 2.9, 0), ("events", 4, 1), ("secure", 34, 0), ("secure", 43, 1)]
)
def test_what_is_too_old_is_found(policy: DataPolicy, name: str, days: float, wrong: int) -> None:
    assert len(findings(policy, replace(held(policy, name), oldest=NOW - days * 86_400), NOW)) == wrong


def test_temporary_file_from_before_the_start_is_found(policy: DataPolicy) -> None:
    left = Path(held(policy, "klms_filter").place) / "left"
    left.touch()
    os.utime(left, (1.0, 1.0))
    assert findings(policy, held(policy, "klms_filter"), time.time())


@pytest.mark.parametrize("name", ["maillog.1.gz", "maillog-20261124", "maillog.old"])
def test_copy_of_a_log_is_found(policy: DataPolicy, name: str) -> None:
    Path(held(policy, "maillog").place).with_name(name).touch()
    assert findings(policy, held(policy, "maillog"), NOW) == [f"{name} is a copy that should not exist."]


def test_directory_cache_without_a_directory_is_found(policy: DataPolicy) -> None:
    Path(held(policy, "cache.dbm").place).touch()
    assert findings(policy, held(policy, "cache.dbm"), NOW)


def test_what_was_evicted_and_is_not_erased_is_found(policy: DataPolicy) -> None:
    (Path(held(policy, "backup").place) / "1.segment.00000000000000000001.evicted").touch()
    assert findings(policy, held(policy, "backup"), time.time() + 7200)


def test_place_that_is_something_else_is_found(policy: DataPolicy, tmp_path: Path) -> None:
    place = Path(held(policy, "maillog").place)
    place.unlink()
    place.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").touch()
    assert findings(policy, held(policy, "maillog"), NOW) == ["it is not a log."]


def test_place_that_is_missing_is_found(policy: DataPolicy) -> None:
    Path(held(policy, "maillog").place).unlink()
    assert findings(policy, held(policy, "maillog"), NOW) == ["there is no log there."]


@pytest.mark.parametrize(("free", "reached"), [(3, False), (1, True)])
def test_cap_is_reached_when_no_other_unit_fits(policy: DataPolicy, free: int, reached: bool) -> None:
    holding = held(policy, "backup")
    assert holding.effective.bytes is not None
    assert at_cap(replace(holding, bytes=holding.effective.bytes - free * holding.unit)) is reached


def test_command_ends_with_a_difference_when_something_is_wrong(
    policy: DataPolicy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = SimpleNamespace(policy=policy, settings=Settings({}))
    monkeypatch.setattr(audit_retention, "appliance", lambda: here)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["audit", "retention"]) == ExitCode.DONE
    Path(held(policy, "cache.dbm").place).touch()
    assert main(["audit", "retention", "--json"]) == ExitCode.DIFFERENT
    shown = json.loads(capsys.readouterr().out.partition("\n[")[2].join(["[", ""]))
    assert [place["row"] for place in shown if not place["green"]] == ["directory_cache"]
