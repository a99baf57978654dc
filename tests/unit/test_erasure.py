"""Nothing of deleted rows is left in a write-ahead log, nor in the blocks that it had."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.stores.erasure import discard_free_space, scrub_write_ahead_log

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


def test_device_that_cannot_discard_is_told(tmp_path: Path) -> None:
    shown = discard_free_space(Path("/dev/shm"))  # a tmpfs has no device
    assert not shown.done
    assert "cannot" in shown.reason
