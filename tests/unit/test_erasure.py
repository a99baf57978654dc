"""Nothing of deleted rows is left in a write-ahead log, nor in the blocks that it had."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.stores import erasure, statistics, system_events
from ksmg.stores.erasure import closing_without_trace, discard_free_space, scrub_write_ahead_log
from ksmg.stores.statistics import Statistics
from ksmg.stores.system_events import Name, SystemEvent, SystemEventLog
from unit.test_event_logs import EVENT

SECRET = b"the-person-who-asked-to-be-forgotten"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None, timeout=0.1)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("CREATE TABLE event (text BLOB)")
    yield connection
    connection.close()


def log_of(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite-wal"


def fill_and_delete(database: sqlite3.Connection) -> None:
    database.executemany("INSERT INTO event VALUES (?)", [(SECRET * 500,)] * 100)
    database.execute("DELETE FROM event")


def test_deleted_rows_are_in_the_log_before_it_is_scrubbed(database: sqlite3.Connection, tmp_path: Path) -> None:
    fill_and_delete(database)
    assert SECRET in log_of(tmp_path).read_bytes()


def test_scrubbed_log_is_empty(database: sqlite3.Connection, tmp_path: Path) -> None:
    fill_and_delete(database)
    scrub_write_ahead_log(database)
    assert log_of(tmp_path).stat().st_size == 0


@pytest.mark.parametrize("rows", [1, 10, 100, 1000])
def test_blocks_of_the_log_are_overwritten_before_they_are_given_back(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    database.executemany("INSERT INTO event VALUES (?)", [(SECRET * 50,)] * rows)
    database.execute("DELETE FROM event")
    held, seen = log_of(tmp_path), []
    checkpoint = scrub_write_ahead_log.__globals__["_checkpoint"]

    def look_first(connection: sqlite3.Connection, mode: str) -> None:
        if mode == "TRUNCATE":
            seen.append(held.read_bytes())
        checkpoint(connection, mode)

    monkeypatch.setitem(scrub_write_ahead_log.__globals__, "_checkpoint", look_first)
    scrub_write_ahead_log(database)
    assert [SECRET in content for content in seen] == [False]


def test_scrubbing_again_does_not_make_the_database_larger(database: sqlite3.Connection) -> None:
    pages = []
    for _ in range(4):
        fill_and_delete(database)
        scrub_write_ahead_log(database)
        pages.append(database.execute("PRAGMA page_count").fetchone()[0])
    assert pages[1] == pages[3]


def test_rows_that_are_kept_stay(database: sqlite3.Connection) -> None:
    fill_and_delete(database)
    database.execute("INSERT INTO event VALUES ('kept')")
    scrub_write_ahead_log(database)
    assert database.execute("SELECT text FROM event").fetchall() == [("kept",)]


def test_log_that_somebody_reads_is_not_called_clean(database: sqlite3.Connection, tmp_path: Path) -> None:
    fill_and_delete(database)
    reader = sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM event").fetchone()
    database.execute("INSERT INTO event VALUES ('later')")
    with pytest.raises(sqlite3.OperationalError, match=r"in use|locked"):
        scrub_write_ahead_log(database)
    reader.close()


def test_database_without_a_log_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "plain.sqlite") as connection:
        connection.execute("CREATE TABLE event (text BLOB)")
        scrub_write_ahead_log(connection)
        assert [path.name for path in tmp_path.iterdir()] == ["plain.sqlite"]
    connection.close()


@contextlib.contextmanager
def blocks(log: Path) -> Iterator[list[bytes]]:
    """What is in the blocks of a log at the end, whether it has a name then or not."""
    found: list[bytes] = []
    descriptor = os.open(log, os.O_RDONLY)
    try:
        yield found
        found.append(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    finally:
        os.close(descriptor)


def test_log_of_the_last_connection_is_overwritten(database: sqlite3.Connection, tmp_path: Path) -> None:
    with blocks(log_of(tmp_path)) as found:
        with closing_without_trace(database):
            fill_and_delete(database)
        assert [path.name for path in tmp_path.iterdir()] == ["log.sqlite"]
    assert len(found[0]) > len(SECRET)
    assert not any(found[0])


def test_log_that_others_have_open_is_left_to_them(database: sqlite3.Connection, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)
    other.execute("SELECT count(*) FROM event").fetchone()
    with closing_without_trace(database):
        database.execute("INSERT INTO event VALUES (?)", (SECRET,))
    assert SECRET in log_of(tmp_path).read_bytes()
    assert len(list(tmp_path.iterdir())) == 3
    with blocks(log_of(tmp_path)) as found, closing_without_trace(other):
        assert other.execute("SELECT text FROM event").fetchall() == [(SECRET,)]
    assert not any(found[0])


def test_of_two_that_close_at_once_the_last_one_overwrites(tmp_path: Path) -> None:
    log = tmp_path / "log.sqlite-wal"
    log.write_bytes(SECRET)
    names = [erasure._hold(log) for _ in range(2)]
    log.unlink()
    assert all(names)
    descriptor = os.open(names[0] or log, os.O_RDONLY)
    contents = []
    for name in filter(None, names):
        erasure._settle(name)
        contents.append(SECRET in os.pread(descriptor, len(SECRET), 0))
    os.close(descriptor)
    assert contents == [True, False]


def test_second_name_that_a_kill_left_goes_with_the_next_scrubbing(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    left = tmp_path / "log.sqlite-wal.00000000000000000001.closing"
    left.write_bytes(SECRET)
    with blocks(left) as found:
        scrub_write_ahead_log(database)
    assert not left.exists()
    assert not any(found[0])


@pytest.mark.parametrize("store", ["statistics", "system_events"])
def test_store_leaves_no_log_behind_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    module = {"statistics": statistics, "system_events": system_events}[store]
    logs: list[int] = []

    @contextlib.contextmanager
    def watched(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        with closing_without_trace(connection):
            yield connection
            logs.extend(os.open(log, os.O_RDONLY) for log in tmp_path.glob("*-wal"))

    monkeypatch.setattr(module, "closing_without_trace", watched)
    if store == "statistics":
        kept = Statistics(tmp_path)
        kept.add([EVENT])
        kept.save("s/1")
    else:
        SystemEventLog(tmp_path, 10).add(SystemEvent(Name.FILTER_STARTED, {"text": SECRET.decode()}))
    contents = [os.pread(log, os.fstat(log).st_size, 0) for log in logs]
    for log in logs:
        os.close(log)
    assert any(map(len, contents))
    assert not any(map(any, contents))
    assert not list(tmp_path.glob("*-wal*"))


def test_device_that_cannot_discard_is_told(tmp_path: Path) -> None:
    shown = discard_free_space(Path("/dev/shm"))  # a tmpfs has no device
    assert not shown.done
    assert "cannot" in shown.reason


@pytest.mark.parametrize(("held", "passes"), [([5, 0], 2), ([5, 3], 2), ([0], 1), ([None], 1)])
def test_what_the_file_system_holds_back_is_discarded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: list[int | None], passes: int
) -> None:
    calls: list[str] = []
    left = iter(held)

    def discard(_: Path) -> erasure.Discarded:
        calls.append("discarded")
        return erasure.Discarded(10)

    monkeypatch.setattr(erasure, "held_blocks", lambda _: next(left))
    monkeypatch.setattr(erasure, "use_up_held_blocks", lambda _: calls.append("used up"))
    monkeypatch.setattr(erasure, "_discard", discard)
    found = discard_free_space(tmp_path)
    assert calls == ["discarded", "used up", "discarded"][: 2 * passes - 1]
    assert found.bytes == 10 * passes
    assert found.held == (held[-1] or 0) * os.statvfs(tmp_path).f_frsize
