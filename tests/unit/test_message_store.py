"""The message store: what was acknowledged is there, whole, until it is the oldest or deleted for good."""

import contextlib
import dataclasses
import errno
import fcntl
import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ksmg.stores import message_store_active, message_store_writer
from ksmg.stores.message_store import EVERYTHING, Criteria, MessageStore, StoredMessage, StoreFull, new_id
from ksmg.stores.message_store_segment import used

CAP = 3_000_000
SEGMENT = 65_536
"""Bytes of one, which may be in the course of being erased."""
SECONDS = 30.0
MAIN, TRAILER = 16, 4
"""Bytes before the first record of a segment, and of a record's checksum."""


def message(number: int = 0, **fields: object) -> StoredMessage:
    made = StoredMessage(
        id=new_id(),
        time=1_700_000_000.0 + number,
        size=1000,
        reason="infected: Eicar",
        rule="Default",
        queue_id=f"4X{number}",
        message_id=f"<{number}@example.com>",
        client_ip="192.0.2.1",
        sender=f"anna{number}@example.com",
        recipients=("boris@example.org", "carla@example.org"),
        subject=f"Minutes {number}",
        statuses=("infected",),
    )
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]


class Shelf:
    """A store and the messages that a test puts into it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "store"
        self.directory.mkdir()
        self.source = directory / "message.eml"
        self.store = MessageStore(self.directory, CAP)

    def keep(self, body: bytes = b"Subject: x\r\n\r\nbody\r\n", number: int = 0, **fields: object) -> StoredMessage:
        kept = message(number, size=len(body), **fields)
        self.source.write_bytes(body)
        self.store.keep(kept, self.source).result(SECONDS)
        return kept

    def body(self, kept: StoredMessage) -> bytes:
        with self.store.read(kept) as original:
            return original.read()

    def reopen(self) -> None:
        self.store.close()
        self.store.open()

    def files(self, suffix: str = ".segment") -> list[Path]:
        return sorted(self.directory.glob(f"*{suffix}"))

    def on_disk(self) -> int:
        return sum(map(used, self.directory.iterdir()))  # what was evicted goes meanwhile

    def listed(self, criteria: Criteria = EVERYTHING) -> list[StoredMessage]:
        return list(self.store.every(criteria))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    made.store.open()
    yield made
    made.store.close()


@pytest.mark.parametrize("size", [0, 1, 4096, message_store_active.LARGEST_IN_MEMORY + 1, 1_000_000])
def test_a_message_comes_back_as_it_was(shelf: Shelf, size: int) -> None:
    body = os.urandom(size)
    kept = shelf.keep(body)
    assert shelf.store.entry(kept.id) == kept
    assert shelf.body(kept) == body


def test_many_messages_share_a_sync(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    sync = os.fdatasync

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    shelf.source.write_bytes(b"x")
    for future in [shelf.store.keep(message(number), shelf.source) for number in range(500)]:
        future.result(SECONDS)
    assert 0 < len(syncs) < 250


def test_files_are_for_the_account_alone(shelf: Shelf) -> None:
    shelf.keep()
    assert shelf.listed()
    assert {file.stat().st_mode & 0o777 for file in shelf.directory.iterdir()} == {0o600}


def test_another_process_can_read_while_messages_are_kept(shelf: Shelf) -> None:
    kept = shelf.keep()
    reader = MessageStore(shelf.directory, CAP)
    assert reader.entry(kept.id) == kept
    assert reader.size()[1] == 1


def test_only_one_process_keeps_messages(shelf: Shelf) -> None:
    with pytest.raises(BlockingIOError):
        MessageStore(shelf.directory, CAP).open()


def test_the_newest_come_first_page_by_page(shelf: Shelf) -> None:
    kept = [shelf.keep(os.urandom(20_000), number) for number in range(20)]
    found: list[StoredMessage] = []
    cursor = None
    for _ in range(7):
        page = shelf.store.search(limit=3, before=cursor)
        found += page.messages
        cursor = page.next
    assert cursor is None
    assert found == kept[::-1]
    assert len(shelf.files()) > 3


@pytest.mark.parametrize(
    ("criteria", "numbers"),
    [
        (Criteria(), [3, 2, 1]),
        (Criteria(sender="ANNA2"), [2]),
        (Criteria(recipient="dora"), [3]),
        (Criteria(subject="СЧЁТ"), [1]),
        (Criteria(subject="100%"), [2]),
        (Criteria(subject="100_"), []),
        (Criteria(reason="spam"), [3]),
        (Criteria(status="spam"), [3]),
        (Criteria(status="spa"), []),
        (Criteria(client_ip="192.0.2.9"), [3]),
        (Criteria(since=1_700_000_002.0), [3, 2]),
        (Criteria(until=1_700_000_002.0), [1]),
        (Criteria(since=1_800_000_000.0), []),
        (Criteria(decided=True), [3]),
        (Criteria(decided=False, sender="anna"), [2, 1]),
        (Criteria(id="nothing"), []),
    ],
)
def test_messages_are_found_by(shelf: Shelf, criteria: Criteria, numbers: list[int]) -> None:
    shelf.keep(number=1, subject="Ваш счёт")
    shelf.keep(number=2, subject="100% free")
    shelf.keep(
        number=3,
        recipients=("dora@example.org",),
        client_ip="192.0.2.9",
        reason="spam: 9",
        statuses=("phishing", "spam"),
        decided=True,
    )
    assert [found.time - 1_700_000_000 for found in shelf.listed(criteria)] == numbers


@pytest.mark.parametrize("entry_id", ["ffffffffffff-000000000000", "000000000000-000000000000", "anything"])
def test_an_id_is_found_wherever_it_points(shelf: Shelf, entry_id: str) -> None:
    kept = [shelf.keep(os.urandom(60_000), number, id=entry_id if number == 1 else new_id()) for number in range(4)]
    assert [shelf.store.entry(one.id) for one in kept] == kept


def test_the_cap_is_never_passed_and_the_oldest_go_first(shelf: Shelf) -> None:
    kept = []
    for number in range(60):
        kept.append(shelf.keep(os.urandom(60_000), number))
        assert shelf.on_disk() <= CAP
    left = shelf.listed()
    assert left == kept[-len(left) :][::-1]
    assert shelf.on_disk() > 0.9 * CAP


def test_nothing_is_deleted_below_nine_tenths_of_the_cap(shelf: Shelf) -> None:
    for number in range(50):
        before = shelf.on_disk()
        shelf.keep(os.urandom(60_000), number)
        assert len(shelf.listed()) == number + 1 or before > 0.9 * CAP


def test_a_message_larger_than_the_store_is_refused_and_evicts_nothing(shelf: Shelf) -> None:
    kept = shelf.keep()
    with pytest.raises(StoreFull):
        shelf.keep(bytes(CAP))
    assert shelf.listed() == [kept]


def test_who_asked_is_told_of_each_lost_message(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    told: list[StoredMessage] = []
    shelf.store = MessageStore(shelf.directory, CAP, lost=told.append)
    shelf.store.open()
    kept = [shelf.keep(os.urandom(60_000), number, decided=number == 1) for number in range(50)]
    left = shelf.listed()
    assert told == [lost for lost in kept[: -len(left)] if not lost.decided]
    assert shelf.store.lost == len(told) > 0
    shelf.store.close()


def full(tmp_path: Path, decided: bool) -> Shelf:
    """A shelf whose store refuses when it is full, and is."""
    shelf = Shelf(tmp_path)
    shelf.store = MessageStore(shelf.directory, CAP, refuse_when_full=True)
    shelf.store.open()
    while shelf.on_disk() < CAP - 250_000:
        shelf.keep(os.urandom(60_000), decided=decided)
    return shelf


def test_a_store_that_refuses_when_full_loses_nothing(tmp_path: Path) -> None:
    shelf = full(tmp_path, decided=False)
    kept = shelf.listed()
    with pytest.raises(StoreFull):
        shelf.keep(os.urandom(300_000))
    assert shelf.listed() == kept
    shelf.store.close()


def test_a_store_that_refuses_when_full_drops_what_was_decided(tmp_path: Path) -> None:
    shelf = full(tmp_path, decided=True)
    kept = shelf.keep(os.urandom(300_000))
    assert shelf.listed()[0] == kept
    shelf.store.close()


def test_a_full_store_takes_messages_again_when_some_were_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_store_writer, "_LOOK_AGAIN_SECONDS", 0.0)
    shelf = full(tmp_path, decided=False)
    MessageStore(shelf.directory, CAP).delete([found.id for found in shelf.listed()[-10:]])
    kept = shelf.keep(os.urandom(300_000))
    assert shelf.listed()[0] == kept
    shelf.store.close()


def test_a_deleted_message_is_gone_from_every_file(shelf: Shelf) -> None:
    kept = shelf.keep(b"canary-body" * 2000, subject="canary-subject", sender="canary@example.com")
    other = shelf.keep(number=2)
    assert shelf.listed()
    assert shelf.store.delete([kept.id, "nothing"]) == 1
    assert shelf.listed() == [other]
    assert not [file for file in shelf.directory.iterdir() if b"canary" in file.read_bytes()]


def test_the_reserve_is_given_up_while_nobody_adds_a_message(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.keep()
    lengths: list[tuple[int, int]] = []
    free: list[bool] = []

    def truncate(path: Path, length: int) -> None:
        lengths.append((length, path.stat().st_size))
        with (path.parent / "lock").open() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free.append(True)

    monkeypatch.setattr("os.truncate", truncate)
    shelf.store.give_up_reserve()
    assert [before == after for before, after in lengths] == [True]
    assert not free


def test_deleting_frees_space(shelf: Shelf) -> None:
    kept = [shelf.keep(os.urandom(50_000), number) for number in range(20)]
    before = shelf.on_disk()
    shelf.store.delete([found.id for found in kept[:10]])
    assert before - shelf.on_disk() > 400_000


def test_a_segment_without_messages_is_removed(shelf: Shelf) -> None:
    kept = [shelf.keep(os.urandom(60_000), number) for number in range(3)]
    shelf.store.delete([kept[0].id])
    assert len(shelf.files()) == 2


def test_a_deleted_message_stays_deleted_when_the_index_is_made_again(shelf: Shelf) -> None:
    kept, other = shelf.keep(number=1), shelf.keep(number=2)
    shelf.store.delete([kept.id])
    shelf.reopen()
    assert shelf.listed() == [other]
    with pytest.raises(FileNotFoundError):
        shelf.store.read(kept)


def test_a_decision_is_remembered(shelf: Shelf) -> None:
    kept = shelf.keep()
    assert shelf.store.mark_decided([kept.id]) == 1
    shelf.reopen()
    assert shelf.listed() == [dataclasses.replace(kept, decided=True)]


def test_an_export_is_exactly_the_message(shelf: Shelf, tmp_path: Path) -> None:
    kept = shelf.keep(os.urandom(300_000))
    shelf.store.export(kept, tmp_path / "exported.eml")
    assert (tmp_path / "exported.eml").read_bytes() == shelf.source.read_bytes()
    assert (tmp_path / "exported.eml").stat().st_mode & 0o777 == 0o600


def test_a_damaged_message_is_not_handed_out_as_whole(shelf: Shelf) -> None:
    kept = shelf.keep(b"x" * 1000)
    content = shelf.files()[0].read_bytes()
    shelf.files()[0].write_bytes(content.replace(b"xxxx", b"yyyy", 1))
    with pytest.raises(OSError, match="damaged"):
        shelf.body(kept)


def test_a_source_that_is_missing_is_told_and_harms_nobody(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shelf.store.keep(message(), tmp_path / "missing").result(SECONDS)
    kept = shelf.keep()
    assert shelf.listed() == [kept]


def test_a_large_source_that_vanishes_is_told_and_takes_no_other_with_it(shelf: Shelf, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(message_store_active.LARGEST_IN_MEMORY + 1))
    shelf.source.write_bytes(b"small")
    waiting = message_store_active.waiting(message(1), large)
    large.unlink()
    small = message(2)
    assert shelf.store._writer is not None
    futures = [shelf.store.keep(small, shelf.source), waiting.future]
    shelf.store._writer.keep(waiting)
    futures[0].result(SECONDS)
    with pytest.raises(FileNotFoundError):
        futures[1].result(SECONDS)
    assert [found.id for found in shelf.listed()] == [small.id]


@pytest.mark.parametrize("rest", [1, 40, 200, 1000])
def test_a_torn_end_is_cut_off(shelf: Shelf, rest: int) -> None:
    kept = shelf.keep(b"x" * 1000)
    torn = shelf.keep(b"y" * 1000, number=1)
    shelf.store.close()
    size = shelf.files()[0].stat().st_size
    os.truncate(shelf.files()[0], size - rest)
    shelf.store.open()
    later = shelf.keep(number=2)
    assert shelf.listed() == [later, kept]
    assert shelf.store.entry(torn.id) is None


def test_a_record_whose_original_was_not_completely_written_is_not_kept(shelf: Shelf) -> None:
    kept = shelf.keep(b"x" * 1000)
    shelf.keep(b"y" * 9000, number=1)
    shelf.store.close()
    content = shelf.files()[0].read_bytes()
    shelf.files()[0].write_bytes(content.replace(b"y" * 4096, bytes(4096), 1))
    shelf.store.open()
    assert shelf.listed() == [kept]


def test_messages_after_a_damaged_header_are_still_found(shelf: Shelf) -> None:
    damaged, kept = shelf.keep(number=1), shelf.keep(number=2)
    shelf.store.close()
    with shelf.files()[0].open("r+b") as file:
        file.seek(MAIN)
        file.write(b"\xff" * 8)
    shelf.store.open()
    assert shelf.listed() == [kept]
    assert shelf.store.entry(damaged.id) is None


@pytest.mark.parametrize("damage", [b"", b"not a database" * 100, None])
def test_a_damaged_index_is_made_again(shelf: Shelf, damage: bytes | None) -> None:
    kept = [shelf.keep(os.urandom(60_000), number) for number in range(3)]
    assert shelf.listed() == kept[::-1]
    index = shelf.files(".index")[0]
    if damage is None:
        index.unlink()
    else:
        index.write_bytes(damage)
    assert shelf.listed() == kept[::-1]


def test_an_index_that_cannot_be_written_holds_up_no_mail(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("ksmg.stores.message_store_segment.Segment.refresh", fail)
        kept = [shelf.keep(os.urandom(30_000), number) for number in range(10)]
    assert shelf.listed() == kept[::-1]


def test_a_full_disk_is_told_and_leaves_the_store_as_it_was(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = shelf.keep()
    write = os.pwritev

    def fill_up(descriptor: int, buffers: list[bytes], offset: int) -> int:
        write(descriptor, [b"".join(buffers)[:100]], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", fill_up)
        with pytest.raises(OSError, match="No space left"):
            shelf.keep(b"x" * 1000, 1)
    later = shelf.keep(number=2)
    assert shelf.listed() == [later, kept]
    shelf.reopen()
    assert shelf.listed() == [later, kept]


def test_a_sync_that_fails_is_told_and_nothing_is_kept(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            shelf.keep()
    assert shelf.listed() == []


def in_child(work: Callable[[], None]) -> int:
    """Runs something in a process of its own, and returns its id; the process ends with it."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        os._exit(1)


def test_a_limit_of_the_file_system_is_told_and_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)

    def work() -> None:
        shelf.store.open()
        shelf.source.write_bytes(b"x" * 20_000)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        shelf.store.keep(message(1), shelf.source).result(SECONDS)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        with pytest.raises(OSError, match="File too large"):
            shelf.store.keep(message(2), shelf.source).result(SECONDS)

    assert os.waitpid(in_child(work), 0)[1] == 0
    shelf.store.open()
    assert [found.queue_id for found in shelf.listed()] == ["4X1"]
    shelf.store.close()


def kill_while_keeping(shelf: Shelf, cap: int, after: int) -> list[str]:
    """Kills a process that keeps messages; the ids of those that it was told are on disk, in order."""
    acknowledged, told = os.pipe()

    def work() -> None:
        shelf.store = MessageStore(shelf.directory, cap)
        shelf.store.open()
        shelf.source.write_bytes(b"x" * 20_000)
        while True:
            sent = [message(number) for number in range(7)]
            for kept, future in [(kept, shelf.store.keep(kept, shelf.source)) for kept in sent]:
                future.result(SECONDS)
                os.write(told, kept.id.encode())

    child = in_child(work)
    length = len(new_id())
    ids = [os.read(acknowledged, length).decode() for _ in range(after)]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    while more := os.read(acknowledged, length):
        ids.append(more.decode())
    os.close(acknowledged)
    return ids


@pytest.mark.parametrize("after", [1, 20, 60, 100, 150, 201])
def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path: Path, after: int) -> None:
    shelf = Shelf(tmp_path)
    ids = kill_while_keeping(shelf, 100 * CAP, after)
    shelf.store.open()
    kept = {found.id: found for found in shelf.listed()}
    assert set(ids) <= kept.keys()
    assert {shelf.body(found) for found in kept.values()} == {b"x" * 20_000}
    shelf.store.close()


@pytest.mark.parametrize("after", [120, 151, 203])
def test_a_kill_during_eviction_loses_only_the_oldest(tmp_path: Path, after: int) -> None:
    shelf = Shelf(tmp_path)
    ids = kill_while_keeping(shelf, CAP // 2, after)
    shelf.store = MessageStore(shelf.directory, CAP // 2)
    shelf.store.open()
    kept = [found.id for found in reversed(shelf.listed()) if found.id in ids]
    assert 0 < len(kept) < len(ids)
    assert kept == ids[-len(kept) :]
    assert shelf.on_disk() <= CAP // 2 + SEGMENT
    shelf.store.close()
    assert shelf.on_disk() <= CAP // 2


def test_a_deletion_that_was_interrupted_is_finished(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, other = shelf.keep(b"canary" * 1000, number=1), shelf.keep(number=2)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ksmg.stores.message_store_segment.overwrite", die)
        with pytest.raises(KeyboardInterrupt):
            shelf.store.delete([kept.id])
    shelf.reopen()
    assert shelf.listed() == [other]
    assert b"canary" not in shelf.files()[0].read_bytes()


def test_a_crash_while_a_segment_is_evicted_leaves_nothing_behind(shelf: Shelf) -> None:
    kept = [shelf.keep(os.urandom(60_000), number) for number in range(3)]
    shelf.store.close()
    shelf.files(".segment")[0].unlink()
    shelf.store.open()
    assert shelf.listed() == kept[:0:-1]
    assert {file.stem for file in shelf.files(".index")} <= {file.stem for file in shelf.files()}


def test_a_store_that_was_never_opened_is_empty(tmp_path: Path) -> None:
    unopened = MessageStore(tmp_path, CAP)
    assert (unopened.search().messages, unopened.entry("x"), unopened.size()) == ((), None, (0, 0))
