"""Backup: durable, never above its cap, and consistent after an interruption at any moment."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from ksmg.stores.backup import Backup, BackupEntry, StoreFull, new_id

CAP = 2_000_000


def entry(size: int, time: float = 1_700_000_000.0) -> BackupEntry:
    return BackupEntry(new_id(), time, size, "infected: x", "4X", "<id>", "192.0.2.1", "a@x", ("b@y", "c@y"), "subject")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "message.eml"


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[Backup]:
    (tmp_path / "backup").mkdir()
    opened = Backup(tmp_path / "backup", CAP)
    opened.open()
    yield opened
    opened.close()


def add(backup: Backup, source: Path, size: int, time: float = 1_700_000_000.0) -> BackupEntry:
    source.write_bytes(b"x" * size)
    added = entry(size, time)
    backup.add(added, source)
    return added


def test_a_message_comes_back_as_it_was(backup: Backup, source: Path) -> None:
    added = add(backup, source, 1000)
    assert backup.entry(added.id) == added
    assert backup.path(added).read_bytes() == source.read_bytes()
    assert backup.path(added).stat().st_mode & 0o777 == 0o600


def test_another_process_can_read(backup: Backup, source: Path, tmp_path: Path) -> None:
    added = add(backup, source, 1000)
    reader = Backup(tmp_path / "backup", CAP)
    assert reader.entries() == [added]
    assert reader.size()[1] == 1


def test_the_newest_come_first(backup: Backup, source: Path) -> None:
    times = [add(backup, source, 10, time).time for time in (1.0, 3.0, 2.0)]
    assert [found.time for found in backup.entries(2)] == sorted(times, reverse=True)[:2]


def test_the_cap_is_never_passed_and_the_oldest_go_first(backup: Backup, source: Path, tmp_path: Path) -> None:
    added = []
    for number in range(30):
        added.append(add(backup, source, 200_000, 1_700_000_000.0 + number * 50_000))
        kept = sum(file.stat().st_size for file in tmp_path.glob("backup/**/*.eml"))
        assert kept + (tmp_path / "backup/index.sqlite").stat().st_size <= CAP
    kept_ids = {found.id for found in backup.entries(100)}
    assert kept_ids == {found.id for found in added[-len(kept_ids) :]}
    assert {file.stem for file in tmp_path.glob("backup/**/*.eml")} == kept_ids
    assert sum(found.size for found in backup.entries(100)) > CAP / 4


def test_a_message_larger_than_the_store_is_refused_and_evicts_nothing(backup: Backup, source: Path) -> None:
    kept = add(backup, source, 1000)
    with pytest.raises(StoreFull):
        add(backup, source, CAP)
    assert backup.entries() == [kept]


def test_a_file_without_a_row_is_removed_at_the_next_start(backup: Backup, tmp_path: Path) -> None:
    orphan = tmp_path / "backup/incoming/0-0.eml"
    orphan.write_bytes(b"x")
    backup.close()
    backup.open()
    assert not orphan.exists()


def test_a_move_that_was_interrupted_is_finished_at_the_next_start(
    backup: Backup, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_file_away", lambda *_: None)
    added = add(backup, source, 1000)
    monkeypatch.undo()
    assert backup.path(added).parent.name == "incoming"
    backup.close()
    backup.open()
    assert backup.path(added).parent.name == added.day
    assert backup.path(added).read_bytes() == source.read_bytes()


def test_an_index_that_fails_leaves_no_file(backup: Backup, source: Path, tmp_path: Path) -> None:
    added = add(backup, source, 10)
    with pytest.raises(sqlite3.IntegrityError):
        backup.add(added, source)
    assert len(list(tmp_path.glob("backup/**/*.eml"))) == 1


def test_an_entry_whose_file_is_gone_does_not_stop_eviction(backup: Backup, source: Path) -> None:
    backup.path(add(backup, source, 500_000, 1.0)).unlink()
    for number in range(5):
        add(backup, source, 500_000, 2.0 + number)
    assert 1.0 not in [found.time for found in backup.entries()]


def test_a_store_that_was_never_opened_is_empty(tmp_path: Path) -> None:
    unopened = Backup(tmp_path, CAP)
    assert (unopened.entries(), unopened.entry("x"), unopened.size()) == ([], None, (0, 0))
