"""The thread that keeps messages: takes all that wait, appends them, syncs once, and tells everybody.

While one sync is under way the next messages gather, so that the disk's speed sets the size of a batch by itself.
"""

import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ksmg.stores import message_store_index as indexes
from ksmg.stores.eraser import Eraser
from ksmg.stores.message_store_active import ActiveSegment, Waiting, begin_segment
from ksmg.stores.message_store_index import SegmentIndex
from ksmg.stores.message_store_lock import StoreLock, become_keeper
from ksmg.stores.message_store_record import SEGMENT_HEADER, StoredMessage
from ksmg.stores.message_store_segment import Segment, segments

_log = logging.getLogger(__name__)
SEGMENTS_PER_STORE = 128
"""A segment is this part of the cap."""
_SMALLEST_SEGMENT = 65_536
_LARGEST_BATCH = 4_194_304
_INDEXED_AT_ONCE = 128
"""Messages; so many are added to the index together, after those who wait for them were told."""
_INDEX_WAIT_SECONDS = 0.02
_ALLOWANCE = 65_536
"""Bytes for what index, journal and started blocks may take beyond what is counted."""
_LOOK_AGAIN_SECONDS = 1.0
"""How long a store that refuses when it is full does so without looking again."""


class StoreFull(OSError):
    """The store has no room for a message."""


class Writer:
    """Keeps messages under a cap. One process has one at a time."""

    def __init__(
        self, directory: Path, cap: int, refuse_when_full: bool, lost: Callable[[StoredMessage], None] | None
    ) -> None:
        self._directory = directory
        self._cap = cap
        self._refuse_when_full = refuse_when_full
        self._tell_lost = lost
        self.lost = 0
        """Messages that were evicted before somebody decided about them; counted when there is somebody to tell."""
        self._largest_segment = max(cap // SEGMENTS_PER_STORE, _SMALLEST_SEGMENT)
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="message-store", daemon=True)
        self._lock = StoreLock(directory)
        self._keeper = -1
        self._eraser = Eraser(directory)
        self._active: ActiveSegment | None = None
        self._newest = 0
        """The number of the newest segment that there ever was."""
        self._others = 0
        """Bytes of everything but the active segment's file and index."""
        self._index = 0
        """Bytes of the active segment's index, those included that it may need for messages it does not have yet."""
        self._unindexed = 0
        self._full_until = 0.0
        self._settled: list[tuple[Waiting, Exception | None]] = []

    def start(self) -> None:
        """Puts right what a crash left, and begins. Raises OSError or sqlite3.Error."""
        self._keeper = become_keeper(self._directory)
        try:
            with self._lock:
                self._recover()
        except BaseException:
            self._release()
            raise
        self._thread.start()

    def keep(self, message: Waiting) -> None:
        """Takes a message; its future is resolved when it is on disk."""
        self._waiting.put(message)

    def stop(self) -> None:
        """Returns when every message that waits is kept."""
        self._waiting.put(None)
        self._thread.join()
        self._eraser.close()
        self._release()

    def _release(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None
        self._lock.close()
        os.close(self._keeper)

    def _recover(self) -> None:
        self._eraser.resume()
        for stray in (*self._directory.glob("*.index"), *self._directory.glob("*.index-journal")):
            if not stray.with_suffix(".segment").exists():
                self._eraser.retire(stray)
        kept = segments(self._directory)
        if kept:
            self._newest = int(kept[-1].number)
            if kept[-1].path.stat().st_size < SEGMENT_HEADER:
                kept[-1].remove()
            elif kept[-1].recover():
                self._active = ActiveSegment(kept[-1])
                self._index = kept[-1].index_used()
        for segment in kept[:-1]:
            self._complete(segment)
        self._count()

    def _complete(self, segment: Segment) -> None:
        """Completes the index of a segment that nothing is added to any more, synced, and removes its journal."""
        try:
            if segment.ask_current(SegmentIndex.extent) is None:
                segment.refresh(durable=True)
            indexes.scrub(segment.index)
        except (OSError, sqlite3.Error) as error:
            _log.warning("the index of %s is made when it is needed: %s", segment.path, error)

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._batch()
            with self._lock:
                for message in batch:
                    self._add(message)
                self._commit()
            self._tell()
            if self._unindexed >= _INDEXED_AT_ONCE:
                with self._lock:
                    self._refresh_index()

    def _batch(self) -> tuple[list[Waiting], bool]:
        """All that wait, and whether more may follow."""
        batch: list[Waiting] = []
        size = 0
        while size < _LARGEST_BATCH:
            try:
                message = self._waiting.get(block=not batch)
            except queue.Empty:
                break
            if message is None:
                return batch, False
            if message.future.set_running_or_notify_cancel():
                batch.append(message)
                size += message.size
        return batch, True

    def _add(self, message: Waiting) -> None:
        """Adds a message, or notes why that cannot be done; whatever goes wrong, who waits for it hears of it."""
        if message.body is None:
            self._commit()  # a source that cannot be read takes no other message with it
        try:
            self._make_room(message)
            self._segment_for(message).add(message)
            self._index += message.index_size
        except Exception as error:
            self._settled.append((message, error))
            if not isinstance(error, StoreFull):
                self._roll_back(error)

    def _commit(self) -> None:
        """Makes durable what was added, and notes who is to be told."""
        if self._active is None or not self._active.unsynced:
            return
        added = self._active.unsynced
        try:
            self._active.sync()
        except OSError as error:
            self._roll_back(error)
            return
        self._unindexed += len(added)
        self._settled += ((message, None) for message in added)

    def _roll_back(self, error: Exception) -> None:
        """Takes out what is not synced; who waits for it is told the error."""
        if self._active is None:
            return
        self._settled += ((message, error) for message in self._active.unsynced)
        try:
            self._active.roll_back()
        except OSError as second:
            _log.error("%s is left as it is until the next start: %s", self._active.segment.path, second)
            self._close_active()

    def _tell(self) -> None:
        settled, self._settled = self._settled, []
        for message, error in settled:
            if error is None:
                message.future.set_result(None)
            else:
                message.future.set_exception(error)

    def _make_room(self, message: Waiting) -> None:
        """Evicts before anything is written, so that the cap is never passed. Raises StoreFull."""
        needed = message.size + message.index_size
        if needed + SEGMENT_HEADER + _ALLOWANCE > self._cap:
            raise StoreFull(f"a message of {message.length} bytes is larger than the store may be")
        if self._used() + needed <= self._cap:
            return
        if self._full_until > time.monotonic():
            raise StoreFull("the store is full")
        self._count()  # others may have deleted messages
        while self._used() + needed > self._cap:
            if not self._evict():
                self._full_until = time.monotonic() + _LOOK_AGAIN_SECONDS
                raise StoreFull("the store is full")
        self._eraser.wait(self._cap + self._largest_segment - self._used() - needed)

    def _evict(self) -> bool:
        """Removes the oldest segment; False when there is none to remove."""
        for oldest in segments(self._directory):
            if self._refuse_when_full and oldest.undecided(1):
                continue
            if self._active and self._active.segment.path == oldest.path:
                if self._active.empty:
                    continue
                self._commit()
                self._seal()
            self._remove(oldest)
            return True
        return False

    def _remove(self, oldest: Segment) -> None:
        losing = oldest.undecided() if self._tell_lost else []
        self._eraser.retire(*oldest.files())
        self._count()
        self.lost += len(losing)
        for message in losing:
            if self._tell_lost:
                self._tell_lost(message)

    def _segment_for(self, message: Waiting) -> ActiveSegment:
        if self._active and not self._active.empty and self._active.end + message.size > self._largest_segment:
            self._commit()
            self._seal()
        if self._active is None:
            self._newest = max(self._newest + 1, time.time_ns() // 1_000_000)
            self._active = begin_segment(Segment.named(self._directory, self._newest))
        return self._active

    def _seal(self) -> None:
        """Ends the active segment. Its index is complete and synced before there is a newer segment."""
        if self._active is None:
            return
        segment = self._active.segment
        try:
            segment.refresh(durable=True)
            indexes.scrub(segment.index)
        except (OSError, sqlite3.Error) as error:
            _log.warning("the index of %s is made when it is needed: %s", segment.path, error)
            indexes.remove(segment.index)
        self._unindexed = 0
        self._close_active()

    def _close_active(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None
        self._count()

    def _refresh_index(self) -> None:
        """Adds to the index what was kept. What cannot be added now is added later, by this or by whoever searches."""
        self._unindexed = 0
        if self._active is None:
            return
        try:
            self._active.segment.refresh(wait=_INDEX_WAIT_SECONDS)
        except (OSError, sqlite3.Error) as error:
            _log.info("the index of %s is behind: %s", self._active.segment.path, error)
        else:
            self._index = self._active.segment.index_used()

    def _used(self) -> int:
        return self._others + self._index + (self._active.end if self._active else 0) + _ALLOWANCE

    def _count(self) -> None:
        """Looks how much everything but the active segment takes on the disk."""
        active = self._active.segment.path if self._active else None
        self._others = sum(segment.used() for segment in segments(self._directory) if segment.path != active)
        if self._active is None:
            self._index = 0
