"""The thread that writes traces: whoever traces never waits for a disk, a lock or an eviction.

A disk that is full stops the trace and nothing else: that is said once, what comes meanwhile is lost, and the trace
goes on, with the number of lines that it lost, as soon as there is room.
"""

import collections
import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ksmg.diagnostics.trace_file import TraceFile

MOST_WAITING = 8_000_000
"""Bytes that may wait for the disk; what comes beyond is lost, and counted."""
RETRY_SECONDS = 10.0
"""After how long a trace that the disk stopped is tried again."""
_END_SECONDS = 5.0
_TOGETHER = 1_000_000
"""Bytes that are written at a time."""


@dataclass
class Stream:
    """A stream as the writer knows it. `lost`: lines that nobody will read; `stopped`: until when the disk is left."""

    name: str
    file: TraceFile
    lost: int = 0
    stopped: float = 0.0
    failing: bool = False


class TraceWriter:
    """Writes the lines of all streams of a process. `report` hears that a stream stopped, and why; it may block."""

    def __init__(self, report: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._lines: collections.deque[tuple[Stream, bytes]] = collections.deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._ended = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def put(self, stream: Stream, line: bytes) -> None:
        """Takes a line; never waits."""
        with self._wake:
            if self._waiting + len(line) > MOST_WAITING or self._ended:
                stream.lost += 1
                return
            self._lines.append((stream, line))
            self._waiting += len(line)
            self._wake.notify_all()

    def flush(self, seconds: float = _END_SECONDS) -> bool:
        """Waits until everything is written or lost; whether it is."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._lines and not self._busy, seconds)

    def close(self) -> None:
        """Writes what is left and ends."""
        self.flush()
        with self._wake:
            self._ended = True
            self._wake.notify_all()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._busy = False
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._lines or self._ended)
                if not self._lines:
                    return
                batch = self._taken()
                self._busy = True
            for stream, lines in batch:
                self._write(stream, lines)

    def _taken(self) -> list[tuple[Stream, list[bytes]]]:
        """What is written next: lines of the same stream together."""
        batch: dict[int, tuple[Stream, list[bytes]]] = {}
        taken = 0
        while self._lines and taken < _TOGETHER:
            stream, line = self._lines.popleft()
            batch.setdefault(id(stream), (stream, []))[1].append(line)
            taken += len(line)
        self._waiting -= taken
        return list(batch.values())

    def _write(self, stream: Stream, lines: list[bytes]) -> None:
        if stream.failing and self._clock() < stream.stopped + RETRY_SECONDS:
            stream.lost += len(lines)
            return
        lost = stream.lost
        note = [f"{stamp()} {os.getpid()} error {lost} lines were lost\n".encode()] if lost else []
        try:
            stream.file.append([*note, *lines])
        except OSError as error:
            self._stop(stream, len(lines), error)
        else:
            stream.lost -= lost
            stream.failing = False

    def _stop(self, stream: Stream, lines: int, error: OSError) -> None:
        stream.lost += lines
        stream.stopped = self._clock()
        if not stream.failing:
            stream.failing = True
            with contextlib.suppress(Exception):  # a report that fails must not end the thread: the next one may not
                self._report(stream.name, error.strerror or str(error))


def stamp(now: float | None = None) -> str:
    """A time as traces have it: UTC, microseconds."""
    now = time.time() if now is None else now
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1e6):06}Z"
