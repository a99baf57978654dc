"""A segment of the message store: a file that messages are appended to, and its index.

What changes a segment or its index happens under the store's lock. The file is the truth; an index that is missing,
damaged or behind is made from it.
"""

import contextlib
import io
import itertools
import logging
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from ksmg.stores import message_store_index as indexes
from ksmg.stores.durable import cut, give_back, overwrite
from ksmg.stores.message_store_index import IndexDamaged, SegmentIndex
from ksmg.stores.message_store_record import (
    SEGMENT_HEADER,
    Record,
    State,
    StoredMessage,
    decode_entry,
    decode_values,
    encode_checksum,
    is_whole,
    read_record,
    read_word,
    walk,
)

_log = logging.getLogger(__name__)
_SUFFIX = ".segment"
_DIGITS = 15
_INDEXED_AT_ONCE = 5000
_READ_BUFFER = 262_144
BLOCK = 512
"""Bytes of a block as stat(2) counts them."""
Answer = TypeVar("Answer")


def segments(directory: Path) -> "list[Segment]":
    """The segments of a store, oldest first."""
    return sorted((Segment(path) for path in directory.glob(f"*{_SUFFIX}")), key=lambda segment: segment.number)


def used(path: Path) -> int:
    """Bytes that a file takes on the disk; 0 when it is not there."""
    try:
        return path.stat().st_blocks * BLOCK
    except FileNotFoundError:
        return 0


class Segment:
    """One segment. Methods raise FileNotFoundError when it was evicted in the meantime."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = path.stem
        """Later segments have later numbers; of the same length, so that text and numbers sort alike."""
        self.index = path.with_suffix(".index")

    @classmethod
    def named(cls, directory: Path, number: int) -> "Segment":
        """The segment of a store with this number."""
        return cls(directory / f"{number:0{_DIGITS}}{_SUFFIX}")

    def files(self) -> tuple[Path, ...]:
        """What it consists of; without the first one the others mean nothing."""
        return self.path, indexes.journal(self.index), self.index

    def used(self) -> int:
        """Bytes that it takes on the disk, its index included."""
        return used(self.path) + self.index_used()

    def index_used(self) -> int:
        """Bytes that its index takes on the disk."""
        return used(self.index) + used(indexes.journal(self.index))

    def undecided(self, limit: int | None = None) -> list[StoredMessage]:
        """Messages that nobody decided about, oldest first, as the file has them. Raises OSError."""
        with self._opened(os.O_RDONLY) as descriptor:
            word, size = read_word(descriptor) or b"", os.fstat(descriptor).st_size
            records = walk(descriptor, word, SEGMENT_HEADER, size) if word else iter(())
            kept = (entry for record, entry in records if entry is not None and record.state is State.KEPT)
            found = (decode_entry(decode_values(entry)) for entry in kept)
            return list(itertools.islice(found, limit))

    def ask_current(self, question: Callable[[SegmentIndex], Answer]) -> Answer | None:
        """The answer of the index if it covers the whole file, else None. Raises OSError or sqlite3.Error."""
        size = self.path.stat().st_size
        try:
            with indexes.reading(self.index) as index:
                return question(index) if index.extent().end == size else None
        except sqlite3.Error as error:
            if indexes.damaged(error):
                return None
            raise

    def ask(self, question: Callable[[SegmentIndex], Answer]) -> Answer:
        """The answer of the index as it is. Raises sqlite3.Error."""
        with indexes.reading(self.index) as index:
            return question(index)

    def refresh(self, durable: bool = False, wait: float = indexes.WAIT_SECONDS) -> None:
        """Brings the index up to date; under the lock. Raises OSError or sqlite3.Error."""
        try:
            self._index_rest(durable, wait)
        except sqlite3.Error as error:
            if not indexes.damaged(error):
                raise
            _log.warning("the index of %s is made again: %s", self.path.name, error)
            indexes.discard(self.index)
            self._index_rest(durable, wait)

    def recover(self) -> bool:
        """After a crash: cuts off what was not completely written, deletes what was being deleted, and makes the
        index again; under the lock.

        False when it does not begin like a segment, so that nothing can be added to it. Raises OSError, sqlite3.Error.
        """
        indexes.discard(self.index)
        with self._opened(os.O_RDWR) as descriptor:
            word = read_word(descriptor)
            if word is None:
                return False
            gone, end = [], SEGMENT_HEADER
            for record, _ in walk(descriptor, word, SEGMENT_HEADER, os.fstat(descriptor).st_size):
                whole = record.state is not State.DELETED and is_whole(descriptor, record)
                if not whole:
                    gone.append(record)
                if whole or record.state is State.DELETED:
                    end = record.end
            cut(descriptor, end)
            gone = [record for record in gone if record.end <= end]
            for damaged in (record for record in gone if record.state is not State.DELETED):
                _log.error("%s: a message of %d bytes is damaged and deleted", self.path.name, damaged.body_length)
            _erase(descriptor, gone)
        self.refresh()
        return True

    def erase(self, places: Iterable[int]) -> int:
        """Deletes messages for good, and returns how many there were; under the lock. Raises OSError, sqlite3.Error."""
        with self._records(places) as (descriptor, records):
            _erase(descriptor, records)
        with indexes.writing(self.index, durable=True) as index:
            erased = index.remove(record.place for record in records)
        indexes.scrub(self.index)
        return erased

    def decide(self, places: Iterable[int]) -> int:
        """Notes that somebody decided about messages; under the lock. Raises OSError or sqlite3.Error."""
        with self._records(places) as (descriptor, found):
            records = [record for record in found if record.state is not State.DELETED]
            for record in records:
                _set_state(descriptor, record, State.DECIDED)
            os.fsync(descriptor)
        with indexes.writing(self.index, durable=True) as index:
            decided = index.decide(record.place for record in records)
        indexes.scrub(self.index)
        return decided

    def read(self, place: int) -> io.BufferedReader:
        """The original of the message at a place. Raises OSError."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = read_record(descriptor, read_word(descriptor) or b"", place)
            if found is None or found[1] is None:
                raise FileNotFoundError("the message was deleted")
            return io.BufferedReader(_Original(descriptor, found[0]), _READ_BUFFER)
        except BaseException:
            os.close(descriptor)
            raise

    def remove(self) -> None:
        """Deletes a segment without messages, its file last; under the lock. Raises OSError."""
        indexes.remove(self.index)
        self.path.unlink(missing_ok=True)

    def _index_rest(self, durable: bool, wait: float) -> None:
        with (
            self._opened(os.O_RDONLY) as descriptor,
            indexes.writing(self.index, durable, wait) as index,
        ):
            size, word = os.fstat(descriptor).st_size, read_word(descriptor)
            end = index.extent().end
            if end > max(size, SEGMENT_HEADER):
                raise IndexDamaged("it covers more than there is")
            rows = []
            for record, entry in walk(descriptor, word, end, size) if word else ():
                end = record.end
                if entry is not None:
                    rows.append((record.place, record.state is State.DECIDED, *decode_values(entry)))
                if len(rows) >= _INDEXED_AT_ONCE:
                    index.add(rows, end)
                    rows.clear()
            index.add(rows, end)

    @contextlib.contextmanager
    def _records(self, places: Iterable[int]) -> Iterator[tuple[int, list[Record]]]:
        """The file to write to, and those of the records that are still there."""
        with self._opened(os.O_RDWR) as descriptor:
            word = read_word(descriptor) or b""
            found = (read_record(descriptor, word, place) for place in places)
            yield descriptor, [record[0] for record in found if record is not None]

    @contextlib.contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        descriptor = os.open(self.path, flags | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _erase(descriptor: int, records: list[Record]) -> None:
    """Overwrites messages. A record is marked first, so that `recover` finishes what a crash interrupted."""
    for record in records:
        _set_state(descriptor, record, State.DELETED)
        overwrite(descriptor, record.entry_at, record.checksum_at - record.entry_at)
    os.fsync(descriptor)
    for record in records:
        give_back(descriptor, record.entry_at, record.checksum_at - record.entry_at)


def _set_state(descriptor: int, record: Record, state: State) -> None:
    os.pwrite(descriptor, bytes([state]), record.state_at)


class _Original(io.RawIOBase):
    """Reads a message out of its segment, from its begin to its end, and checks it on the way."""

    def __init__(self, descriptor: int, record: Record) -> None:
        self._descriptor = descriptor
        self._record = record
        self._place = record.body_at
        self._checksum = 1

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """The next bytes. Raises OSError at the end when they are not those that were written."""
        wanted = min(len(buffer), self._record.checksum_at - self._place)
        if not wanted:
            self._compare()
            return 0
        piece = os.pread(self._descriptor, wanted, self._place)
        if not piece:
            raise OSError("the message is damaged: its end is missing")
        buffer[: len(piece)] = piece
        self._place += len(piece)
        self._checksum = zlib.adler32(piece, self._checksum)
        return len(piece)

    def close(self) -> None:
        """Closes the segment's file."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def _compare(self) -> None:
        expected = encode_checksum(self._checksum)
        if os.pread(self._descriptor, len(expected), self._record.checksum_at) != expected:
            raise OSError("the message is damaged: it is not what was written")
