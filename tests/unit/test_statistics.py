"""Statistics: counters by hour that add up to days, weeks and months, and who sent and got most."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ksmg.cli import appliance, stats
from ksmg.cli.failure import ExitCode
from ksmg.cli.main import main
from ksmg.stores import statistics as module
from ksmg.stores.message_events import MessageEvent
from ksmg.stores.statistics import Counters, Statistics, count, percentile
from unit.moved_policy import moved_policy
from unit.test_event_logs import EVENT

HOUR = 3600.0
BEGIN = 1764028800.0  # 2025-11-25 00:00 UTC, a Tuesday


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """The appliance's time zone, UTC until a test says otherwise."""

    def choose(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    choose("UTC")
    yield choose
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def statistics(tmp_path: Path) -> Statistics:
    return Statistics(tmp_path)


def event(when: float = BEGIN, **more: Any) -> MessageEvent:
    return dataclasses.replace(EVENT, time=when, direction="inbound", **more)


def total(statistics: Statistics) -> dict[int, list[int]]:
    return {int(hour): counters["total"][""] for hour, counters in statistics.hours(0, BEGIN * 2)}


def test_messages_and_bytes_are_counted_by_hour(statistics: Statistics) -> None:
    statistics.add([event(BEGIN), event(BEGIN + 3599, size=5), event(BEGIN + HOUR)])
    statistics.save("s/3")
    assert total(statistics) == {int(BEGIN): [2, 15], int(BEGIN + HOUR): [1, 10]}
    assert statistics.place() == "s/3"


def test_counting_goes_on_after_a_restart(statistics: Statistics, tmp_path: Path) -> None:
    for number in range(3):
        again = Statistics(tmp_path)
        again.add([event(BEGIN + number)])
        again.save(f"s/{number}")
    assert total(statistics) == {int(BEGIN): [3, 30]}


def test_what_was_not_saved_is_not_counted(statistics: Statistics, tmp_path: Path) -> None:
    statistics.add([event()])
    statistics.save("s/1")
    statistics.add([event()])
    assert total(Statistics(tmp_path)) == {int(BEGIN): [1, 10]}


def test_a_message_counts_once_and_each_rule_for_its_own(statistics: Statistics) -> None:
    counters: Counters = {}
    count(counters, event(id="1", message="1", rule="A", action="reject"))
    count(counters, event(id="2", message="1", rule="B", action="skip"))
    assert counters["total"] == {"": [1, 10]}
    assert (counters["rule"], counters["action"]) == (
        {"A": [1, 10], "B": [1, 10]},
        {"reject": [1, 10], "skip": [1, 10]},
    )


def test_each_module_and_reason_is_counted() -> None:
    counters: Counters = {}
    verdicts = (
        {"check": "antivirus", "status": "unscanned", "reason": "timeout"},
        {"check": "spam", "status": "clean"},
    )
    count(counters, event(verdicts=verdicts, unscanned="antivirus: timeout"))
    assert counters["status"] == {"antivirus=unscanned": [1, 10], "spam=clean": [1, 10]}
    assert counters["unscanned"] == {"": [1, 10], "antivirus=timeout": [1, 10]}


def test_percentiles_are_true_to_a_tenth() -> None:
    counters: Counters = {}
    for milliseconds in range(1, 1001):
        count(counters, event(milliseconds=float(milliseconds)))
    assert percentile(counters, "milliseconds", 0.5) == pytest.approx(500, rel=0.1)
    assert percentile(counters, "milliseconds", 0.95) == pytest.approx(950, rel=0.1)
    assert percentile({}, "milliseconds", 0.5) is None


def test_the_most_frequent_are_listed_by_day(statistics: Statistics) -> None:
    statistics.add([event(sender=f"{name}@x", recipients=("b@y", "c@y")) for name in "aab"])
    statistics.add([event(BEGIN + 24 * HOUR, sender="b@x")] * 4)
    statistics.save("s/1")
    assert statistics.top("senders", BEGIN, BEGIN + 48 * HOUR, 9) == [("b@x", 5), ("a@x", 2)]
    assert statistics.top("senders", BEGIN, BEGIN + 1, 1) == [("a@x", 2)]
    assert statistics.top("recipients", BEGIN, BEGIN + 1, 9) == [("b@y", 3), ("c@y", 3)]


def test_lists_are_bounded_and_keep_the_most_frequent(statistics: Statistics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_COUNTED", 10)
    for number in range(1000):
        statistics.add([event(sender="often@x"), event(sender=f"{number}@x")])
    statistics.save("s/1")
    found = statistics.top("senders", BEGIN, BEGIN + 1, 100)
    assert found[0] == ("often@x", 1000)
    assert len(found) <= 20


def test_dimensions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEYS", 3)
    counters: Counters = {}
    for number in range(10):
        count(counters, event(rule=f"rule {number}"))
    assert counters["rule"]["other"] == [7, 70]


def test_a_year_takes_a_few_megabytes(statistics: Statistics, tmp_path: Path) -> None:
    counters: Counters = {}
    for number in range(2000):
        count(counters, event(milliseconds=number % 500, own_milliseconds=number % 7, rule=f"rule {number % 10}"))
    assert len(json.dumps(counters)) * 24 * 365 < 20_000_000


def test_a_damaged_file_is_set_aside(statistics: Statistics, tmp_path: Path) -> None:
    (tmp_path / "statistics.sqlite").write_bytes(b"not a database" * 100)
    assert statistics.place() == ""
    assert (tmp_path / "statistics.damaged").exists()


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("hour", ["2025-11-25 00:00", "2025-11-30 23:00", "2025-12-01 00:00"]),
        ("day", ["2025-11-25", "2025-11-30", "2025-12-01"]),
        ("week", ["2025-W48", "2025-W49"]),
        ("month", ["2025-11", "2025-12"]),
    ],
)
def test_hours_add_up_to_periods(statistics: Statistics, by: str, labels: list[str]) -> None:
    statistics.add([event(BEGIN + hours * HOUR) for hours in (0, 143, 144)])
    statistics.save("s/1")
    found = list(stats.periods(statistics, by, 0, BEGIN * 2))
    assert [label for label, _ in found] == labels
    assert sum(counters["total"][""][0] for _, counters in found) == 3


def test_days_are_those_of_the_appliance(statistics: Statistics, utc: Callable[[str], None]) -> None:
    utc("Europe/Berlin")
    statistics.add([event(BEGIN - 2 * HOUR), event(BEGIN - HOUR)])
    statistics.save("s/1")
    assert [label for label, _ in stats.periods(statistics, "day", 0, BEGIN * 2)] == ["2025-11-24", "2025-11-25"]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Statistics:
    """Statistics of an appliance that is below a temporary directory."""
    policy = moved_policy(tmp_path)
    monkeypatch.setattr(appliance, "load_policy", lambda: policy)
    monkeypatch.setattr(appliance, "become", lambda _: None)
    return Statistics(Path(policy.place("statistics")))


def test_stats_are_printed_for_people_and_machines(kept: Statistics, capsys: pytest.CaptureFixture[str]) -> None:
    kept.add([event(action="reject"), event()])
    kept.save("s/2")
    assert main(["stats", "--since", "2025-11-01", "--json"]) == ExitCode.DONE
    (day,) = json.loads(capsys.readouterr().out)
    assert (day["period"], day["messages"], day["action"]["reject"]) == (
        "2025-11-25",
        2,
        {"messages": 1, "bytes": 10},
    )
    assert main(["stats", "--since", "2025-11-01", "--by", "week"]) == ExitCode.DONE
    assert "2025-W48" in capsys.readouterr().out


def test_who_sent_most_is_printed(kept: Statistics, capsys: pytest.CaptureFixture[str]) -> None:
    kept.add([event(sender=""), event(sender="a@x"), event(sender="a@x")])
    kept.save("s/2")
    assert main(["stats", "--since", "2025-11-01", "--top", "senders"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines()[1:] == ["2         a@x", "1         <>"]


def test_no_statistics_are_an_empty_list(kept: Statistics, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == []
