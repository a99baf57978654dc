"""The message store: what keeping a message costs, and how it behaves with a million of them.

    python -m bench.stores [DIRECTORY] [--messages N] [--only keep|million]

The directory must be on the disk that is to be measured; messages come from a file system in memory, as in the filter.
"""

import argparse
import contextlib
import dataclasses
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from ksmg.stores.message_store import EVERYTHING, Criteria, MessageStore, StoredMessage, new_id

BACKUP_CAP = 7_000_000_000
IN_FLIGHT = 20
ROUNDS = 3
SIZES = {"4 kB": (4_096, 10_000), "100 kB": (102_400, 2_000)}
MILLION_BODY = 1_500
"""Bytes of a message among the million: segments have as many rows as with 7 kB messages and 7 GB."""
BYTES_OF_ONE = 2_110
"""What such a message takes with its index."""
_WAITING = 2_000
_WORDS = ("minutes", "meeting", "invoice", "offer", "plan", "report", "order", "news", "question", "holiday")
PAGE_BAR = 0.1
"""Seconds for a page of the list."""
EVICTION_BAR = 1.0
"""Seconds to evict 1,000 messages."""


def main() -> int:
    """Measures, prints, and returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("keep", "million"))
    chosen = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        if chosen.only != "million":
            for name, (size, count) in SIZES.items():
                measure_keeping(name, size, count, chosen.directory, Path(memory))
        if chosen.only != "keep":
            held = measure_million(chosen.messages, chosen.directory, Path(memory))
    return 0 if held else 1


def entry(number: int, size: int) -> StoredMessage:
    """An entry as the filter makes them."""
    subject = " ".join(random.Random(number).choices(_WORDS, k=5))
    return StoredMessage(
        id=new_id(),
        time=time.time(),
        size=size,
        reason="copied: every message",
        rule="Default",
        queue_id="4jYWsQ1hVRz3wZ6",
        message_id=f"<{number}.1a2b3c4d@mail.partner.test>",
        client_ip=f"192.0.2.{number % 250}",
        sender=f"anna.{number % 5000}@partner.test",
        recipients=(f"boris.{number % 300}@example.test",),
        subject=f"{subject} {number}",
        statuses=("clean",),
    )


@contextlib.contextmanager
def opened(directory: Path, cap: int, lost: Callable[[StoredMessage], None] | None = None) -> Iterator[MessageStore]:
    """A new store, gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="stores-", dir=directory))
    store = MessageStore(place, cap, lost=lost)
    store.open()
    try:
        yield store
    finally:
        store.close()
        shutil.rmtree(place)


def fill(store: MessageStore, source: Path, numbers: range, in_flight: int) -> None:
    """Keeps messages, so many at a time waiting for the disk."""
    waiting: deque[Future[None]] = deque()
    size = source.stat().st_size
    for number in numbers:
        if len(waiting) >= in_flight:
            waiting.popleft().result()
        waiting.append(store.keep(entry(number, size), source))
    for future in waiting:
        future.result()


def measure_keeping(name: str, size: int, count: int, directory: Path, memory: Path) -> None:
    """Messages a second, and processor time for each, with 20 in flight; the median of some rounds."""
    source = memory / "message"
    source.write_bytes(os.urandom(size))
    speeds, costs, own = [], [], _cost_of_entries(count, size)
    for _ in range(ROUNDS):
        with opened(directory, BACKUP_CAP) as store:
            started, used = time.perf_counter(), time.process_time()
            fill(store, source, range(count), IN_FLIGHT)
            speeds.append(count / (time.perf_counter() - started))
            costs.append((time.process_time() - used) / count - own)
    print(
        f"keep {name}, {IN_FLIGHT} in flight: {statistics.median(speeds):.0f} messages/s, "
        f"{statistics.median(costs) * 1e6:.0f} us of processor each"
    )


def _cost_of_entries(count: int, size: int) -> float:
    """Seconds that making an entry takes here, which is no part of the store's cost."""
    used = time.process_time()
    for number in range(count):
        entry(number, size)
    return (time.process_time() - used) / count


def measure_million(messages: int, directory: Path, memory: Path) -> bool:
    """Lists, searches, evicts and opens a store with very many messages; whether the bars are held."""
    source = memory / "message"
    source.write_bytes(os.urandom(MILLION_BODY))
    evicted = Evicted()
    with opened(directory, messages * BYTES_OF_ONE, evicted.count) as store:
        started = time.perf_counter()
        fill(store, source, range(messages), _WAITING)
        size, kept = store.size()
        print(
            f"{kept:,} messages, {size / 1e9:.2f} GB, kept at {messages / (time.perf_counter() - started):.0f} a second"
        )
        page = _report("list a page of 50", _page_times(store))
        _report("search by subject, many found", _search_times(store, "offer plan", 50))
        _report("search by subject, one found", _search_times(store, f" {messages // 2}", 50))
        _report("search by subject, none found", _search_times(store, "nobody wrote this", 50))
        _report("an entry by its id", _id_times(store))
        eviction = measure_eviction(store, source, evicted, messages)
        measure_opening(store)
    return page <= PAGE_BAR and eviction <= EVICTION_BAR


@dataclasses.dataclass
class Evicted:
    """Counts messages that were evicted, each read and told as the quarantine does."""

    number: int = 0

    def count(self, _: StoredMessage) -> None:
        """Counts one."""
        self.number += 1


def measure_eviction(store: MessageStore, source: Path, evicted: Evicted, first: int) -> float:
    """Seconds for 1,000 messages: the longest wait of a message while a segment was evicted, above the usual wait."""
    before, waits, number = evicted.number, list[tuple[float, int]](), first
    while evicted.number == before or number < first + 500:
        count, started = evicted.number, time.perf_counter()
        store.keep(entry(number, MILLION_BODY), source).result()
        waits.append((time.perf_counter() - started, evicted.number - count))
        number += 1
        if number - first > 100_000:
            raise RuntimeError("nothing was evicted: the cap is too large for this measurement")
    usual = statistics.median(wait for wait, gone in waits if not gone)
    wait, gone = max((wait for wait in waits if wait[1]), key=lambda measured: measured[0])
    each = (wait - usual) / gone * 1000
    print(f"evict a segment of {gone} messages: {(wait - usual) * 1e3:.0f} ms, {each * 1e3:.0f} ms for 1,000")
    return each


def measure_opening(store: MessageStore) -> None:
    """Opening as after a crash: the newest segment is read and its index made again."""
    store.close()
    started = time.perf_counter()
    store.open()
    print(f"open after a crash: {(time.perf_counter() - started) * 1e3:.0f} ms")


def _page_times(store: MessageStore) -> Iterator[float]:
    """Pages, one after the other."""
    cursor = None
    for _ in range(100):
        started = time.perf_counter()
        page = store.search(EVERYTHING, 50, cursor)
        yield time.perf_counter() - started
        cursor = page.next


def _search_times(store: MessageStore, subject: str, limit: int) -> Iterator[float]:
    for _ in range(10):
        started = time.perf_counter()
        store.search(Criteria(subject=subject), limit)
        yield time.perf_counter() - started


def _id_times(store: MessageStore) -> Iterator[float]:
    ids = [message.id for message in store.search(EVERYTHING, 20_000).messages[::1000]]
    for entry_id in ids:
        started = time.perf_counter()
        store.entry(entry_id)
        yield time.perf_counter() - started


def _report(what: str, times: Iterator[float]) -> float:
    measured = sorted(times)
    p95 = measured[int(0.95 * (len(measured) - 1))]
    print(f"{what}: p95 {p95 * 1e3:.1f} ms, median {statistics.median(measured) * 1e3:.1f} ms")
    return p95


if __name__ == "__main__":
    sys.exit(main())
