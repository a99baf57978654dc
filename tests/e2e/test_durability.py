"""Processes are killed and engines stand still under load: no message that was taken is lost, doubled or unscanned."""

import random
import shlex
from collections import Counter
from collections.abc import Callable

import pytest

from e2e.appliance import Appliance
from e2e.waiting import until
from e2e.weather import Tally, Weather

pytestmark = [pytest.mark.disruptive, pytest.mark.slow]

WEIGHTS = {"ksmg[.]filter": 60, "smtpd": 40, "cleanup": 40, "qmgr": 25, "smtp": 15, "clamd": 12, "rspamd": 8}
"""Which processes are killed, and how often of 200 times."""
KILLER = """
for victim in {victims}; do
  sleep 0.$(( RANDOM % 4 ))$(( RANDOM % 10 ))
  for attempt in $(seq 100); do
    case $victim in
      *[.]*) pkill -KILL -f "$victim" ;;
      *) pkill -KILL -x "$victim" ;;
    esac && echo "$victim" && break
    sleep 0.1
  done
done
true
"""
"""Kills each as soon as there is one: what was killed before may take a moment to come back."""
AT_ONCE = 10
STORM_LIMIT = 1500


def told(record: Callable[[str, object], None], capsys: pytest.CaptureFixture[str], tally: Tally) -> None:
    """The counts, in the report and on the terminal."""
    record("tally", str(tally))
    with capsys.disabled():
        print(f"\n  {tally}")


def test_nothing_is_lost_while_processes_are_killed(
    weather: Weather,
    appliance: Appliance,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    share = 4 if weather.target.booted_image else 1  # an emulated machine takes far longer for everything
    victims = [name for name, times in WEIGHTS.items() for _ in range(times // share)]
    random.shuffle(victims)
    killed: list[str] = []
    with weather.storm(seconds=STORM_LIMIT) as ended:
        for start in range(0, len(victims), AT_ONCE):
            quoted = " ".join(map(shlex.quote, victims[start : start + AT_ONCE]))
            killed += appliance.run("bash", "-c", KILLER.format(victims=quoted)).split()
        tally = ended()
    record_property("killed", dict(Counter(killed)))
    told(record_property, capsys, tally)
    assert not tally.faults
    assert len(killed) >= len(victims) * 0.95
    assert set(tally.answers.values()) > {250, 550}


def test_nothing_passes_while_an_engine_stands_still(
    weather: Weather,
    appliance: Appliance,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with weather.storm(seconds=STORM_LIMIT, connections=4) as ended:
        try:
            appliance.run("pkill", "-STOP", "-x", "clamd")
            until(lambda: engine_is_down(appliance), "report of the engine that stands still", 60)
        finally:
            appliance.run("pkill", "-CONT", "-x", "clamd")
        tally = ended()
    told(record_property, capsys, tally)
    assert not tally.faults


def engine_is_down(appliance: Appliance) -> bool:
    """Whether the appliance says that an engine does not work."""
    return not all(engine["works"] for engine in appliance.ksmg("status")["engines"])
