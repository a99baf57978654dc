"""Each drift is seeded on the appliance, named by the verifier, and undone."""

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from e2e.appliance import Appliance
from lab.target import Target

from drift.drifts import DRIFTS, WORK, Drift, waves

Found = set[tuple[str, str]]
"""Kinds and places of differences."""
VERIFY = "ksmg audit access --json"
TIME_BAR = 10.0
"""Seconds that a run may take on a booted appliance."""

GREEN_EVERY = 4
"""After every so many groups of drifts nothing may be left."""

pytestmark = pytest.mark.disruptive


@pytest.fixture(scope="module")
def appliance(target: Target) -> Iterator[Appliance]:
    """The appliance, with a place for what the drifts need."""
    found = Appliance(target)
    found.run("install", "-d", "-m", "0700", WORK)
    yield found
    found.run("rm", "-rf", WORK)


def answer(text: str) -> tuple[Found, Any]:
    """Kinds and places of the differences, and the whole answer."""
    document = json.loads(text)
    return {(one["kind"], one["place"]) for one in document["differences"]}, document


def verify_with(appliance: Appliance, drifts: tuple[Drift, ...]) -> Found:
    """Seeds drifts, asks the verifier, and undoes them, whatever happens in between."""
    undo = "; ".join(["exec >&2", *(drift.undo for drift in reversed(drifts))])
    seed = "; ".join(drift.seed for drift in drifts)
    done = appliance.attempt("sh", "-c", f"trap {shlex.quote(undo)} EXIT; {{ {seed}; }} >&2; {VERIFY}")
    assert done.stdout, done.stderr
    return answer(done.stdout)[0]


@pytest.fixture(scope="module")
def found(appliance: Appliance) -> dict[Drift, Found]:
    """What was found with each drift; drifts that have nothing to do with each other are there at once."""
    by_drift: dict[Drift, Found] = {}
    for number, wave in enumerate(waves(DRIFTS), 1):
        by_drift |= dict.fromkeys(wave, verify_with(appliance, wave))
        if number % GREEN_EVERY == 0:
            assert differences(appliance) == set(), wave
    return by_drift


def differences(appliance: Appliance) -> Found:
    """What the verifier finds now."""
    return answer(appliance.run(*VERIFY.split(), check=False))[0]


def test_without_drift_nothing_differs(appliance: Appliance, record_testsuite_property: Callable[..., None]) -> None:
    found, document = answer(appliance.run(*VERIFY.split(), check=False))
    record_testsuite_property("access verifier: seconds", document["seconds"])
    assert found == set()
    assert document["not_running"] == []
    assert document["seconds"] < TIME_BAR


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_drift_is_named(found: dict[Drift, Found], drift: Drift) -> None:
    assert (drift.kind, drift.place) in found[drift]


def test_after_all_drifts_nothing_differs(appliance: Appliance) -> None:
    assert differences(appliance) == set()


def test_the_verifier_runs_daily(appliance: Appliance) -> None:
    assert appliance.run("systemctl", "is-enabled", "ksmg-audit.timer").strip() == "enabled"
    assert appliance.run("systemctl", "is-active", "ksmg-audit.timer").strip() == "active"


def test_the_daily_run_finds_the_same_in_its_sandbox(appliance: Appliance) -> None:
    appliance.run("systemctl", "start", "ksmg-audit.service")
    shown = appliance.ksmg("status")["access"]
    assert (shown["differences"], shown["accounts"] > 20, shown["units"] > 5) == (0, True, True)


def test_a_run_and_each_difference_is_a_system_event(appliance: Appliance) -> None:
    wanted = next(drift for drift in DRIFTS if drift.kind == "mode")
    verify_with(appliance, (wanted,))
    log = appliance.log("ksmg-messages")
    lines = appliance.run("tail", "-n", "200", log).splitlines()
    assert any("event=access_audited" in line for line in lines)
    assert any("event=access_differs" in line and wanted.place in line for line in lines)
