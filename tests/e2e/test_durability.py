"""Processes are killed and engines stand still under load: no message that was taken is lost, doubled or unscanned."""

import shlex
from collections import Counter
from collections.abc import Callable

import pytest
from lab.target import Target

from e2e.appliance import Appliance
from e2e.waiting import until
from e2e.weather import Tally, Weather

pytestmark = [pytest.mark.disruptive, pytest.mark.slow]

KILLS = 200
AT_ONCE = 20
VICTIMS = [*["ksmg[.]filter"] * 20, *["smtpd"] * 14, *["cleanup"] * 14, *["qmgr"] * 8, *["smtp"] * 6, "clamd", "rspamd"]
"""Which processes are killed; how often stands for how likely. An engine takes seconds to load, and no mail flows."""
KILLER = """
victims=({victims})
end=$(( SECONDS + 150 ))
for (( kills = 0; kills < {kills} && SECONDS < end; )); do
  for unit in ksmg-filter clamav-daemon rspamd postfix; do
    until systemctl --quiet is-active $unit || (( SECONDS > end )); do sleep 0.05; done
  done
  sleep 0.$(( RANDOM % 10 ))
  victim=${{victims[RANDOM % ${{#victims[@]}}]}}
  case $victim in
    *[.]*) pkill -KILL -f "$victim" ;;
    *) pkill -KILL -x "$victim" ;;
  esac && {{ echo "$victim"; kills=$(( kills + 1 )); }}
done
true
"""
"""Kills some at random, of those that run, once what was killed before has come back and mail flows again."""
STORM_LIMIT = 1500


def told(record: Callable[[str, object], None], what: str, tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts, in the report and on the terminal."""
    record(what, str(tally))
    with capsys.disabled():
        print(f"\n  {tally}")


@pytest.fixture(autouse=True)
def fast(target: Target) -> None:
    """What is killed loads again in seconds; an emulated machine takes minutes, and has its own test, the power cut."""
    if target.booted_image:
        pytest.skip("on a machine of full speed only")


def test_nothing_is_lost_while_processes_are_killed(
    weather: Weather,
    appliance: Appliance,
    record_testsuite_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    quoted = " ".join(map(shlex.quote, VICTIMS))
    killed: list[str] = []
    with weather.storm(seconds=STORM_LIMIT) as ended:
        for _ in range(KILLS // AT_ONCE + 1):
            killed += appliance.run("bash", "-c", KILLER.format(victims=quoted, kills=AT_ONCE)).split()
        tally = ended()
    record_testsuite_property("killed", str(dict(Counter(killed))))
    told(record_testsuite_property, "while killed", tally, capsys)
    assert not tally.faults
    assert len(killed) >= KILLS
    assert set(tally.answers.values()) >= {250, 451, 550}


def test_nothing_passes_while_an_engine_stands_still(
    weather: Weather,
    appliance: Appliance,
    record_testsuite_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with weather.storm(seconds=STORM_LIMIT, connections=4) as ended:
        try:
            appliance.run("pkill", "-STOP", "-x", "clamd")
            until(lambda: engine_is_down(appliance), "report of the engine that stands still", 60)
        finally:
            appliance.run("pkill", "-CONT", "-x", "clamd")
        tally = ended()
    told(record_testsuite_property, "while an engine stood still", tally, capsys)
    assert not tally.faults


def engine_is_down(appliance: Appliance) -> bool:
    """Whether the appliance says that an engine does not work."""
    return not all(engine["works"] for engine in appliance.ksmg("status")["engines"])
