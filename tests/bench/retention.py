"""Backup at its full size, 7 GB and a million messages: what eviction costs, and whether mail notices it.

    python -m bench.retention [DIRECTORY] [--cap BYTES]

The directory must be on the disk that is to be measured. Takes half an hour at full size; exit code 1: a bar is missed.
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ksmg.stores.message_store import MessageStore

from bench.stores import BACKUP_CAP, EVICTION_BAR, PAGE_BAR, Evicted, entry, fill, measure_eviction, opened

BODY = 6_300
"""Bytes of a message, so that a million of them and their index fill 7 GB."""
OF_ONE = 7_000
THROUGHPUT_BAR = 0.02
_IN_FLIGHT = 20
_WINDOW = 500
"""Messages between two looks."""
_WINDOWS = 24
_WORK = 0.0025
"""Seconds of processor that the filter has for each message besides."""


def main() -> int:
    """Measures, prints, and returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--cap", type=int, default=BACKUP_CAP)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        source = Path(memory) / "message"
        source.write_bytes(os.urandom(BODY))
        evicted = Evicted()
        with (
            opened(chosen.directory, chosen.cap, evicted.count) as full,
            opened(chosen.directory, chosen.cap) as empty,
        ):
            return 0 if all([*_measure(full, empty, source, chosen.cap, evicted)]) else 1


def _measure(full: MessageStore, empty: MessageStore, source: Path, cap: int, evicted: Evicted) -> Iterator[bool]:
    began = time.perf_counter()
    fill(full, source, range(cap // OF_ONE * 102 // 100), 2_000)
    size, kept = full.size()
    print(f"full: {kept:,} messages, {size:,} bytes of {cap:,}, after {time.perf_counter() - began:.0f} s")
    yield size <= cap + cap // 128
    yield _page(full)
    yield measure_eviction(full, source, evicted, kept) < EVICTION_BAR
    yield _throughput(full, empty, source)
    yield _peak(full, source, cap)


def _page(store: MessageStore) -> bool:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        store.search(limit=50)
        times.append(time.perf_counter() - began)
    print(f"list a page of 50: median {statistics.median(times) * 1e3:.1f} ms, worst {max(times) * 1e3:.1f} ms")
    return max(times) < PAGE_BAR


def _throughput(full: MessageStore, empty: MessageStore, source: Path) -> bool:
    """Messages with the filter's own work, into a store that evicts and into one that does not, in turn.

    The processor's time decides, that of the eraser included. The clock's depends on who else is on the machine.
    """
    spent: list[float] = [0.0, 0.0]
    clock: list[list[float]] = [[], []]
    for _ in range(_WINDOWS):
        for number, store in enumerate((full, empty)):
            began, used = time.perf_counter(), time.process_time()
            _keep_with_work(store, source)
            spent[number] += time.process_time() - used
            clock[number].append(time.perf_counter() - began)
    loss = spent[0] / spent[1] - 1
    by_clock = statistics.median(clock[0]) / statistics.median(clock[1]) - 1
    messages = _WINDOWS * _WINDOW
    print(
        f"processor time of {messages:,} messages while evicting: {loss:+.2%}; by the clock {by_clock:+.2%}, ", end=""
    )
    print(f"{messages / sum(clock[0]):.0f} and {messages / sum(clock[1]):.0f} a second")
    return loss < THROUGHPUT_BAR


def _keep_with_work(store: MessageStore, source: Path) -> None:
    for start in range(0, _WINDOW, _IN_FLIGHT):
        waiting = [store.keep(entry(number, BODY), source) for number in range(start, start + _IN_FLIGHT)]
        for _ in waiting:
            _work()
        for future in waiting:
            future.result()


def _work() -> None:
    until = time.thread_time() + _WORK
    while time.thread_time() < until:
        hashlib.sha256(b"x" * 10_000).digest()


def _peak(store: MessageStore, source: Path, cap: int) -> bool:
    """The most that is on the disk while messages come as fast as they can."""
    ended, sizes = threading.Event(), [0]

    def watch() -> None:
        while not ended.wait(0.02):
            sizes.append(store.size()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    fill(store, source, range(50_000), 2_000)
    ended.set()
    watcher.join()
    most, least = max(sizes), min(sizes[1:])
    print(f"while 50,000 come at full speed: at most {most / cap:.2%} of the cap, at least {least / cap:.2%}")
    return most <= cap + cap // 128 and least >= 0.9 * cap


if __name__ == "__main__":
    sys.exit(main())
