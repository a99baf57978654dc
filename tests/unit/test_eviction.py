"""What a store evicts is overwritten, in another thread, and a crash at any step leaves nothing behind."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ksmg.stores import eraser as erasing
from ksmg.stores.eraser import Eraser
from ksmg.stores.message_event import MessageEvent
from ksmg.stores.message_events import MessageEventLog
from ksmg.stores.message_store import EVERYTHING, MessageStore, StoredMessage, new_id
from ksmg.stores.message_store_segment import segments, used
from unit.crash_points import Inline, content, crashes, restore, seen_at_unlink

SECRET = b"secret of a message "
STORE_CAP = 1_000_000
EVENTS_CAP = 4_000_000


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Erasing happens at once, in the caller's thread."""
    monkeypatch.setattr(erasing, "Thread", Inline)


def fill(directory: Path, messages: int) -> None:
    """A store with messages of 10 kB."""
    directory.mkdir(exist_ok=True)
    store = MessageStore(directory, STORE_CAP)
    store.open()
    for _ in range(messages):
        store.keep(message(), SECRET * 500).result(30)
    store.close()


def message() -> StoredMessage:
    """An entry."""
    return StoredMessage(new_id(), time.time(), 10_000, "infected", "", "", "", "", "a@x", ("b@x",), "s")


EVENT = MessageEvent(
    id="1", time=1.0, node="n", queue_id="4X", message_id="<m>", client_ip="192.0.2.1", client_name="c", helo="h",
    account="", sender="a@x", recipients=("b@y",), subject="s", size=10, attachments=(), rule="Default",
    verdicts=({"check": "antivirus", "status": "clean"},), action="deliver", reply="", backup_id="", milliseconds=1.5,
)  # fmt: skip


def event(number: int) -> MessageEvent:
    """An event."""
    return replace(EVENT, id=f"{number:x}", time=time.time(), subject="s" * 500)


def test_evicted_file_was_overwritten_when_it_was_unlinked(
    tmp_path: Path, inline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "1.segment"
    file.write_bytes(SECRET * 100_000)
    seen = seen_at_unlink(monkeypatch)
    Eraser(tmp_path).retire(file)
    assert [SECRET in data for data in seen] == [False]
    assert list(tmp_path.iterdir()) == []


def test_whoever_evicts_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(erasing, "overwrite", lambda *_: held.wait(30))
    (tmp_path / "1.segment").write_bytes(SECRET)
    eraser = Eraser(tmp_path)
    eraser.retire(tmp_path / "1.segment")
    assert eraser.pending() == len(SECRET)
    held.set()
    eraser.wait(0, 30)


def test_file_that_is_held_is_erased_when_its_owner_removed_it(tmp_path: Path, inline: None) -> None:
    log, eraser = tmp_path / "a-wal", Eraser(tmp_path)
    log.write_bytes(SECRET)
    held = eraser.hold(log)
    assert held is not None
    log.unlink()
    eraser.settle(held)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_held_stays_when_its_owner_keeps_it(tmp_path: Path, inline: None) -> None:
    log, eraser = tmp_path / "a-wal", Eraser(tmp_path)
    log.write_bytes(SECRET)
    held = eraser.hold(log)
    assert held is not None
    eraser.settle(held)
    assert content(tmp_path) == {"a-wal": SECRET}


def test_crash_while_erasing_leaves_all_or_nothing(
    tmp_path: Path, inline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"1.segment": SECRET, "1.index": SECRET}
    for _ in crashes(
        lambda: Eraser(tmp_path).retire(tmp_path / "1.segment", tmp_path / "1.index"),
        lambda: restore(tmp_path, files),
        monkeypatch,
    ):
        gone = not (tmp_path / "1.segment").exists()
        Eraser(tmp_path).resume()
        left = content(tmp_path)
        left.pop("1.index", None) if gone else None  # the store's own start erases an index without a segment
        assert left == ({} if gone else files)


def test_crash_while_a_store_evicts_leaves_no_orphan(
    tmp_path: Path, inline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, scene = tmp_path / "store", tmp_path / "scene"
    fill(scene, 30)
    kept = content(scene)

    def evict() -> None:
        Eraser(place).retire(*segments(place)[0].files())

    for _ in crashes(evict, lambda: restore(place, kept), monkeypatch):
        store = MessageStore(place, STORE_CAP)
        store.open()
        found = list(store.every(EVERYTHING))
        assert all(store.read(entry).read() == SECRET * 500 for entry in found)
        store.close()
        stems = {path.stem for path in place.iterdir()} - {"lock", "keeper"}
        assert stems == {segment.number for segment in segments(place)}


def test_crash_while_events_are_evicted_leaves_no_orphan(
    tmp_path: Path, inline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, scene = tmp_path / "events", tmp_path / "scene"
    scene.mkdir()
    log = MessageEventLog(scene, days=3, cap=EVENTS_CAP)
    for number in range(0, 1200, 300):
        log.add([event(n) for n in range(number, number + 300)])
    log.close()
    kept = content(scene)
    oldest = min(kept)

    def evict() -> None:
        found = place / oldest
        Eraser(place).retire(found, found.with_name(f"{oldest}-wal"), found.with_name(f"{oldest}-shm"))

    for _ in crashes(evict, lambda: restore(place, kept), monkeypatch):
        log = MessageEventLog(place, days=3, cap=EVENTS_CAP)
        log.add([event(9999)])
        page = log.page(limit=2000)
        log.close()
        assert not page.unreadable
        assert all(path.suffix == ".sqlite" for path in place.iterdir())


def test_companion_of_a_segment_that_is_gone_goes_too(tmp_path: Path, inline: None) -> None:
    (tmp_path / "2026-11-24T06.00000.sqlite-wal").write_bytes(SECRET)
    log = MessageEventLog(tmp_path, days=3, cap=EVENTS_CAP)
    log.add([event(1)])
    log.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".sqlite"]


def test_write_ahead_log_is_overwritten_when_it_is_folded_in(
    tmp_path: Path, inline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MessageEventLog(tmp_path, days=3, cap=EVENTS_CAP)
    log.add([event(number) for number in range(100)])
    seen = seen_at_unlink(monkeypatch)
    log.close()
    assert seen
    assert not [data for data in seen if b"192.0.2.1" in data]


def test_store_never_holds_more_than_a_segment_above_its_cap(tmp_path: Path) -> None:
    cap = 4 * STORE_CAP
    store = MessageStore(tmp_path, cap)
    store.open()
    sizes = []
    for _ in range(600):
        store.keep(message(), SECRET * 500).result(30)
        sizes.append(sum(map(used, tmp_path.iterdir())))
    store.close()
    assert max(sizes) <= cap + 65_536 + 10_000
    assert min(sizes[450:]) >= 0.9 * cap


def test_crash_within_a_message_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 3)
    (segment,) = segments(tmp_path)
    whole = segment.path.read_bytes()
    segment.path.write_bytes(whole + whole[16:9000])
    cut: list[bytes] = []
    ftruncate = os.ftruncate

    def look(descriptor: int, end: int) -> None:
        cut.append(os.pread(descriptor, 100_000, end))
        ftruncate(descriptor, end)

    monkeypatch.setattr(os, "ftruncate", look)
    segment.recover()
    assert [data.strip(b"\0") for data in cut] == [b""]
