"""The service: takes connections and forks a worker for each, so that no message outlives its inspection here.

It holds no message itself. A worker that takes too long is killed, and the filter hears why; the service goes on.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass

from ksmg.inspection.limits import Limits
from ksmg.inspection.wire import answer_bytes
from ksmg.inspection.worker import work
from ksmg.mail.structure import Problem, Structure

MOST_WORKERS = 2
"""Inspections at a time; others wait in the socket's queue. The unit's MemoryMax is reckoned from it."""
WALL_SECONDS = Limits.seconds + 5.0
"""Time for a worker, its start and its answer included."""
_ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Worker:
    process: int
    handle: int
    """A descriptor that becomes readable when the process ends (pidfd_open(2))."""
    connection: socket.socket
    deadline: float


class InspectionService:
    """Serves a listening socket until SIGTERM or SIGINT."""

    def __init__(self, listening: socket.socket, most_workers: int = MOST_WORKERS, wall: float = WALL_SECONDS) -> None:
        self._listening = listening
        self._most_workers = most_workers
        self._wall = wall
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._ending = False

    def run(self) -> None:
        """Serves; returns when it was told to end and the last worker has ended."""
        wake, waker = socket.socketpair()
        for end in (wake, waker):
            end.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._listening.setblocking(False)
        self._selector.register(wake, selectors.EVENT_READ)
        while not self._ending or self._workers:
            self._serve_once(wake)
        signal.set_wakeup_fd(-1)

    def _end(self, *_: object) -> None:
        self._ending = True

    def _serve_once(self, wake: socket.socket) -> None:
        self._listen_if_there_is_room()
        for key, _ in self._selector.select(self._patience()):
            if key.fileobj is wake:
                wake.recv(100)
            elif key.fileobj is self._listening:
                self._accept()
            else:
                self._ended(self._workers[key.fd])
        for worker in [worker for worker in self._workers.values() if worker.deadline < time.monotonic()]:
            self._kill(worker)

    def _listen_if_there_is_room(self) -> None:
        registered = self._listening in self._selector.get_map()
        wanted = len(self._workers) < self._most_workers and not self._ending
        if wanted and not registered:
            self._selector.register(self._listening, selectors.EVENT_READ)
        elif registered and not wanted:
            self._selector.unregister(self._listening)

    def _patience(self) -> float | None:
        deadlines = [worker.deadline for worker in self._workers.values()]
        return max(0.0, min(deadlines) - time.monotonic() + 0.01) if deadlines else None

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection.setblocking(True)
        process = os.fork()
        if not process:
            self._become_worker(connection)
        handle = os.pidfd_open(process)
        self._workers[handle] = _Worker(process, handle, connection, time.monotonic() + self._wall)
        self._selector.register(handle, selectors.EVENT_READ)

    def _become_worker(self, connection: socket.socket) -> None:
        """In the new process: works and ends, whatever happens, without going back into the service."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._listening.close()
            for worker in self._workers.values():
                worker.connection.close()
            code = work(connection)
        except SystemExit as wanted:
            code = int(wanted.code or 0)
        except BaseException as error:
            print(f"An inspection failed: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)

    def _ended(self, worker: _Worker) -> None:
        """A worker ended by itself. One that was killed by its limits has not answered: the service does."""
        _, status = os.waitpid(worker.process, 0)
        if os.WIFSIGNALED(status):
            by = os.WTERMSIG(status)
            problem = Problem.TIME if by == signal.SIGXCPU else Problem.EXPANDED
            _tell(worker.connection, problem, f"the inspection was ended by {signal.Signals(by).name}")
        self._forget(worker)

    def _kill(self, worker: _Worker) -> None:
        os.kill(worker.process, signal.SIGKILL)
        os.waitpid(worker.process, 0)
        _tell(worker.connection, Problem.TIME, f"more than {self._wall:g} s")
        self._forget(worker)

    def _forget(self, worker: _Worker) -> None:
        self._selector.unregister(worker.handle)
        os.close(worker.handle)
        worker.connection.close()
        del self._workers[worker.handle]


def _tell(connection: socket.socket, problem: Problem, detail: str) -> None:
    """Answers in the place of a worker. A filter that is gone by now needs no answer."""
    connection.settimeout(_ANSWER_SECONDS)
    with contextlib.suppress(OSError):
        connection.sendall(answer_bytes(Structure((), ((problem, detail),))))
