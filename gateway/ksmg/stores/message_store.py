"""The message store: whole messages, as received, under a cap. Backup and the quarantines are each one of it.

Messages are appended to segments, files of a 128th of the cap; the oldest segment goes when the cap would be passed. It
is overwritten in a thread of its own, so that the disk may hold one segment more than the cap for a moment.
Many messages share one sync, so that each message of the full stream can be kept. One process keeps messages; any
process of the same account may search, read, delete and decide at the same time.
"""

import bisect
import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from ksmg.stores.durable import give_up_reserve, sync_directory
from ksmg.stores.eraser import evicted_files
from ksmg.stores.message_store_active import waiting
from ksmg.stores.message_store_index import Criteria, Row, SegmentIndex
from ksmg.stores.message_store_lock import locked
from ksmg.stores.message_store_record import StoredMessage, new_id
from ksmg.stores.message_store_segment import Segment, segments, used
from ksmg.stores.message_store_writer import StoreFull, Writer

__all__ = ["EVERYTHING", "Criteria", "MessageStore", "Page", "StoreFull", "StoredMessage", "new_id"]
EVERYTHING = Criteria()
_CHANGED_AT_ONCE = 64
"""Messages for which the lock is held; mail waits for it."""
_COPIED_AT_ONCE = 262_144
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Page:
    """A part of what a search found, newest first."""

    messages: tuple[StoredMessage, ...]
    next: str | None
    """Where the next page begins, for `search`; None when this is the last one."""


class MessageStore:
    """One store. Searching and reading need no `open`."""

    def __init__(
        self,
        directory: Path,
        cap: int,
        *,
        refuse_when_full: bool = False,
        lost: Callable[[StoredMessage], None] | None = None,
    ) -> None:
        """A store in a directory that exists; the cap in bytes on the disk, indexes included.

        `refuse_when_full`: no message is evicted that nobody decided about. `lost` is told each such message that is.
        """
        self._directory = directory
        self._cap = cap
        self._refuse_when_full = refuse_when_full
        self._lost = lost
        self._writer: Writer | None = None

    def open(self) -> None:
        """Opens the store to keep messages, and puts right what an interruption left.

        Raises OSError (BlockingIOError when another process keeps messages in it) or sqlite3.Error.
        """
        writer = Writer(self._directory, self._cap, self._refuse_when_full, self._lost)
        writer.start()
        self._writer = writer

    def close(self) -> None:
        """Ends keeping messages, when those that wait are kept."""
        if self._writer is not None:
            self._writer.stop()
            self._writer = None

    def keep(self, entry: StoredMessage, source: Path | bytes) -> "Future[None]":
        """Keeps a message: its content, or its file, which must stay until the future is resolved.

        The future is resolved when the message is on disk. Its exception, StoreFull or another OSError, means that
        nothing was kept.
        """
        if self._writer is None:
            raise RuntimeError("the store is not open")
        try:
            message = waiting(entry, source)
        except OSError as error:
            failed: Future[None] = Future()
            failed.set_exception(error)
            return failed
        self._writer.keep(message)
        return message.future

    def search(self, criteria: Criteria = EVERYTHING, limit: int = 100, before: str | None = None) -> Page:
        """Messages that match, newest first; `before` is an earlier page's `next`. Raises OSError or sqlite3.Error."""
        number, place = _cursor(before)
        found: list[tuple[str, int, StoredMessage]] = []
        for segment in reversed(segments(self._directory)):
            if number is None or segment.number <= number:
                below = place if segment.number == number else None
                found += self._matching(segment, criteria, below, limit + 1 - len(found))
            if len(found) > limit:
                last = found[limit - 1]
                return Page(tuple(message for _, _, message in found[:limit]), f"{last[0]}:{last[1]}")
        return Page(tuple(message for _, _, message in found), None)

    def every(self, criteria: Criteria) -> Iterator[StoredMessage]:
        """All messages that match, newest first. Raises OSError or sqlite3.Error."""
        page = self.search(criteria, 1000)
        yield from page.messages
        while page.next is not None:
            page = self.search(criteria, 1000, page.next)
            yield from page.messages

    def entry(self, entry_id: str) -> StoredMessage | None:
        """One message's entry; None when the store does not have it. Raises OSError or sqlite3.Error."""
        found = self._find(entry_id)
        return found[1][1] if found else None

    def read(self, entry: StoredMessage) -> BufferedReader:
        """The original, exactly as received: CRLF line ends, without the envelope. To be used with `with`.

        Raises FileNotFoundError when it is not there any more, and OSError, at its end too, when it is damaged.
        """
        found = self._find(entry.id)
        if found is None:
            raise FileNotFoundError(f"the message {entry.id} is not there any more")
        segment, (place, _) = found
        return segment.read(place)

    def export(self, entry: StoredMessage, target: Path) -> None:
        """Copies the original to a new file of this account alone. Raises OSError; there is no file then."""
        with self.read(entry) as original, target.open("xb") as written:
            try:
                target.chmod(0o600)
                shutil.copyfileobj(original, written, _COPIED_AT_ONCE)
                written.flush()
                os.fsync(written.fileno())
                sync_directory(target.parent)
            except BaseException:
                target.unlink()
                raise

    def delete(self, ids: Iterable[str]) -> int:
        """Deletes messages for good: overwritten on the disk. Returns how many there were.

        Raises OSError or sqlite3.Error; what is not deleted then can be deleted again.
        """
        return self._change(ids, Segment.erase)

    def give_up_reserve(self) -> None:
        """Has the file system keep no blocks ready for the segment that messages are added to. Raises OSError."""
        for newest in segments(self._directory)[-1:]:
            with locked(self._directory), contextlib.suppress(FileNotFoundError):  # evicted meanwhile
                give_up_reserve(newest.path)

    def mark_decided(self, ids: Iterable[str]) -> int:
        """Notes that somebody decided about messages. Returns how many there are. Raises OSError or sqlite3.Error."""
        return self._change(ids, Segment.decide)

    def size(self) -> tuple[int, int]:
        """Bytes on the disk, what is not erased yet included, and messages that are kept.

        Raises OSError or sqlite3.Error.
        """
        kept = segments(self._directory)
        extents = (self._ask(segment, SegmentIndex.extent) for segment in kept)
        messages = sum(extent.messages for extent in extents if extent is not None)
        return sum(segment.used() for segment in kept) + sum(map(used, evicted_files(self._directory))), messages

    def oldest(self) -> float | None:
        """The time of the oldest message. Raises OSError or sqlite3.Error."""
        extents = (self._ask(segment, SegmentIndex.extent) for segment in segments(self._directory))
        return next((extent.first for extent in extents if extent is not None and extent.messages), None)

    @property
    def lost(self) -> int:
        """Messages that were evicted since `open` before somebody decided about them, when `lost` was given."""
        return self._writer.lost if self._writer else 0

    def _find(self, entry_id: str) -> tuple[Segment, Row] | None:
        for segment in _likeliest_first(segments(self._directory), entry_id):
            rows = self._ask(segment, lambda index: index.search(Criteria(id=entry_id), None, 1))
            if rows:
                return segment, rows[0]
        return None

    def _matching(
        self, segment: Segment, criteria: Criteria, below: int | None, limit: int
    ) -> Iterator[tuple[str, int, StoredMessage]]:
        rows = self._ask(segment, lambda index: index.search(criteria, below, limit))
        return ((segment.number, place, message) for place, message in rows or ())

    def _ask(self, segment: Segment, question: Callable[[SegmentIndex], Answer]) -> Answer | None:
        """An answer of a segment's index, made to cover all first; None when the segment was evicted meanwhile."""
        try:
            answer = segment.ask_current(question)
            if answer is not None:
                return answer
            with locked(self._directory):
                segment.refresh()
                return segment.ask(question)
        except FileNotFoundError:
            return None

    def _change(self, ids: Iterable[str], change: Callable[[Segment, list[int]], int]) -> int:
        wanted, changed = list(ids), 0
        for segment in segments(self._directory):
            places = self._ask(segment, lambda index: index.places(wanted)) or []
            for start in range(0, len(places), _CHANGED_AT_ONCE):
                with locked(self._directory), contextlib.suppress(FileNotFoundError):  # evicted in the meantime
                    changed += change(segment, places[start : start + _CHANGED_AT_ONCE])
            if places:
                self._remove_empty(segment)
        return changed

    def _remove_empty(self, segment: Segment) -> None:
        """A segment without messages goes, unless messages may still be added to it."""
        with locked(self._directory):
            extent = segment.ask_current(SegmentIndex.extent)
            if extent is not None and not extent.messages and segment.path != segments(self._directory)[-1].path:
                segment.remove()


def _likeliest_first(kept: list[Segment], entry_id: str) -> list[Segment]:
    """Segments in the order in which it is worth to look for an id: both, an id and a number, tell the time."""
    try:
        begun = bisect.bisect(kept, int(entry_id.partition("-")[0], 16), key=lambda segment: int(segment.number))
    except ValueError:
        return kept[::-1]
    near = slice(max(begun - 1, 0), begun + 1)
    return [*kept[near], *kept[near.stop :][::-1], *kept[: near.start][::-1]]


def _cursor(text: str | None) -> tuple[str | None, int | None]:
    """A page's `next` as segment and place. Raises ValueError for another text."""
    if text is None:
        return None, None
    number, _, place = text.partition(":")
    return number, int(place)
