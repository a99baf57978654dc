"""The chained log in its database: older logs, several writers, power cuts, eviction, and what hands do to it."""

import json
import shutil
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from ksmg.stores.audit_chain import Damage, Link
from ksmg.stores.system_events import Name, Sought, SystemEvent, SystemEventLog

OLD = """
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, name TEXT NOT NULL, account TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_time ON event (time);
"""
SECRET = "Zwetschgenknoedel"


@pytest.fixture
def log(tmp_path: Path) -> SystemEventLog:
    return SystemEventLog(tmp_path, 1000)


def fill(log: SystemEventLog, count: int) -> None:
    log.add_all(SystemEvent(Name.ENGINE_UP, {"number": number}) for number in range(count))


def by_hand(directory: Path, *statements: str) -> None:
    connection = sqlite3.connect(directory / "events.sqlite")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def damages(log: SystemEventLog, *checkpoints: Link) -> list[tuple[Damage, int, int]]:
    return [(finding.damage, finding.first, finding.last) for finding in log.examine(checkpoints)]


def end(log: SystemEventLog) -> Link:
    found = log.end()
    assert found is not None
    return found


def test_an_event_is_kept_with_its_origin(log: SystemEventLog) -> None:
    event = SystemEvent(Name.SIGNED_IN, {"key": "SHA256:x"}, "root", 1000.5, "192.0.2.1")
    log.add(event)
    assert log.newest() == [event]


def test_a_whole_number_of_seconds_is_a_time(log: SystemEventLog) -> None:
    log.add(SystemEvent(Name.ENGINE_UP, time=1000))
    assert damages(log) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE event SET detail = '{}' WHERE number = 4", (Damage.ALTERED, 4, 4)),
        ("UPDATE event SET account = 'nobody' WHERE number = 10", (Damage.ALTERED, 10, 10)),
        ("UPDATE event SET time = time + 1e-6 WHERE number = 1", (Damage.ALTERED, 1, 1)),
        ("DELETE FROM event WHERE number = 4", (Damage.MISSING, 4, 4)),
        ("DELETE FROM event WHERE number > 7", (Damage.MISSING, 8, 10)),
        ("DELETE FROM event WHERE number < 3", (Damage.MISSING, 1, 2)),
        ("DELETE FROM event", (Damage.MISSING, 1, 10)),
    ],
)
def test_what_a_hand_did_is_named(log: SystemEventLog, tmp_path: Path, statement: str, found: object) -> None:
    fill(log, 10)
    by_hand(tmp_path, statement)
    assert damages(log) == [found]


def test_a_gap_stays_when_the_log_goes_on(log: SystemEventLog, tmp_path: Path) -> None:
    fill(log, 10)
    by_hand(tmp_path, "DELETE FROM event WHERE number > 7")
    fill(log, 2)
    assert damages(log) == [(Damage.MISSING, 8, 10)]


def test_a_log_that_was_begun_anew_does_not_fit_to_a_checkpoint(log: SystemEventLog, tmp_path: Path) -> None:
    fill(log, 10)
    signed = end(log)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    assert damages(log, signed) == [(Damage.MISSING, 1, 10)]
    fill(log, 12)
    assert damages(log, signed) == [(Damage.REWRITTEN, 1, 10)]


def test_an_earlier_copy_of_the_log_does_not_fit_to_a_checkpoint(log: SystemEventLog, tmp_path: Path) -> None:
    fill(log, 5)
    shutil.copy(tmp_path / "events.sqlite", tmp_path / "copy")
    fill(log, 5)
    signed = end(log)
    (tmp_path / "copy").replace(tmp_path / "events.sqlite")
    assert damages(log, signed) == [(Damage.MISSING, 6, 10)]


def test_a_record_that_cannot_be_read_any_more_is_still_shown(log: SystemEventLog, tmp_path: Path) -> None:
    fill(log, 2)
    by_hand(tmp_path, "UPDATE event SET detail = 'x', name = 'y' WHERE number = 2")
    assert [event.name for event in log.newest()] == [Name.UNREADABLE, Name.ENGINE_UP]


def test_an_older_log_is_chained_as_it_is(tmp_path: Path, log: SystemEventLog) -> None:
    connection = sqlite3.connect(tmp_path / "events.sqlite")
    connection.executescript(OLD)
    rows = [(number, 1000.0 + number, "engine_up", "kluser", json.dumps({"n": number})) for number in range(41, 61)]
    connection.executemany("INSERT INTO event VALUES (?,?,?,?,?)", rows)
    connection.commit()
    connection.close()
    log.add(SystemEvent(Name.ENGINE_DOWN))
    assert (log.count(), end(log).number, damages(log)) == (21, 61, [])
    by_hand(tmp_path, "UPDATE event SET detail = '{}' WHERE number = 41")
    assert damages(log) == [(Damage.ALTERED, 41, 41)]


def write(directory: Path, writer: int) -> None:
    log = SystemEventLog(directory, 1000)
    for number in range(10):
        log.add_all([SystemEvent(Name.ENGINE_UP, {"writer": writer, "n": number}) for _ in range(3)])


def test_several_processes_write_one_chain(tmp_path: Path, log: SystemEventLog) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(write, [tmp_path] * 4, range(4)))
    assert (log.count(), end(log).number, damages(log)) == (120, 120, [])


def test_eviction_leaves_a_chain_that_can_be_verified(tmp_path: Path) -> None:
    log = SystemEventLog(tmp_path, 200)
    fill(log, 200)
    signed = end(log)
    for _ in range(10):
        fill(log, 7)
    assert 180 <= log.count() <= 200
    assert damages(log, signed) == []


def test_the_log_is_never_above_its_cap(tmp_path: Path) -> None:
    log, counts = SystemEventLog(tmp_path, 200), []
    for _ in range(300):
        fill(log, 1)
        counts.append(log.count())
    assert max(counts) == 200
    assert min(counts[200:]) >= 180


def test_what_was_evicted_is_in_no_file_any_more(tmp_path: Path) -> None:
    log = SystemEventLog(tmp_path, 100)
    with sqlite3.connect(tmp_path / "events.sqlite") as reader:  # keeps the write-ahead log
        log.add(SystemEvent(Name.ENGINE_DOWN, {"cause": SECRET}))
        reader.execute("SELECT count(*) FROM event").fetchone()
        assert SECRET.encode() in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        fill(log, 101)
        assert SECRET.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    reader.close()


@pytest.fixture
def cut(tmp_path: Path, log: SystemEventLog) -> tuple[Path, bytes]:
    """A copy of a log as it is on the disk while its write-ahead log has records, and those bytes."""
    fill(log, 3)
    with sqlite3.connect(tmp_path / "events.sqlite") as reader:
        reader.execute("SELECT count(*) FROM event").fetchone()
        for _ in range(5):
            fill(log, 2)
        place = tmp_path / "after"
        place.mkdir()
        shutil.copy(tmp_path / "events.sqlite", place)
        written = (tmp_path / "events.sqlite-wal").read_bytes()
    reader.close()
    return place, written


@pytest.mark.parametrize("left", [0.0, 0.1, 0.35, 0.5, 0.77, 0.9, 0.99, 1.0])
def test_a_power_cut_leaves_a_whole_chain(cut: tuple[Path, bytes], left: float) -> None:
    place, written = cut
    (place / "events.sqlite-wal").write_bytes(written[: int(len(written) * left)])
    log = SystemEventLog(place, 1000)
    kept = log.count()
    assert damages(log) == []
    assert 3 <= kept <= 13
    fill(log, 1)
    assert (log.count(), damages(log)) == (kept + 1, [])


def test_what_a_watcher_knows_comes_with_its_events(log: SystemEventLog) -> None:
    assert log.recall("auth_log") is None
    log.add_all([SystemEvent(Name.SIGNED_IN)], {"auth_log": "12"})
    log.add_all([], {"auth_log": "34"})
    assert (log.recall("auth_log"), log.count()) == ("34", 1)


def test_each_transaction_is_announced_once(tmp_path: Path) -> None:
    announced: list[Link] = []
    log = SystemEventLog(tmp_path, 100, announced.append)
    fill(log, 3)
    log.add_all([], {"auth_log": "12"})
    fill(log, 1)
    assert [link.number for link in announced] == [3, 4]
    assert announced[-1] == log.end()


def test_events_are_found_by_what_they_are(log: SystemEventLog) -> None:
    log.add(SystemEvent(Name.SIGNED_IN, {"key": "a"}, "root", 100.0, "192.0.2.1"))
    log.add(SystemEvent(Name.SIGNED_IN, {"key": "b"}, "anna", 200.0, "tty1"))
    log.add(SystemEvent(Name.RULES_CHANGED, {"after": "Müller"}, "anna", 300.0, "192.0.2.1"))

    def times(sought: Sought, limit: int = 10) -> list[float]:
        return [found.event.time for found in log.search(sought, limit)]

    assert times(Sought(names=(Name.SIGNED_IN,))) == [200.0, 100.0]
    assert times(Sought(account="Anna", origin="192.0")) == [300.0]
    assert times(Sought(text="müller")) == [300.0]
    assert times(Sought(since=150.0, until=300.0)) == [200.0]
    assert times(Sought(before=3), 1) == [200.0]
