"""One inspection in a process of its own, which the service forks for it and which ends with it.

What a hostile file does to this process it does to it alone: its memory, processor time and files are limited.
"""

import array
import errno
import gc
import mmap
import os
import resource
import socket
import sys

from ksmg.inspection.examination import examine
from ksmg.inspection.limits import Limits
from ksmg.inspection.wire import LENGTH, LONGEST_REQUEST, WireError, answer_bytes, read_request
from ksmg.mail.structure import Problem, Structure

MEMORY_BYTES = 536_870_912
"""Address space of a worker: the message, one decoded part, and archives within archives several times over."""
_OPEN_FILES = 16
_FAILED, _DONE = 1, 0


def work(connection: socket.socket) -> int:
    """Answers one request. Returns the process's exit code; the caller ends the process with it."""
    try:
        limits, descriptor = _receive(connection)
        _limit_resources(limits)
        connection.sendall(answer_bytes(_examined(descriptor, limits)))
    except (WireError, OSError) as error:
        print(f"An inspection failed: {error}", file=sys.stderr)
        return _FAILED
    return _DONE


def _examined(descriptor: int, limits: Limits) -> Structure:
    try:
        size = os.fstat(descriptor).st_size
        if not size:
            return examine(b"", 0, limits)
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
            return examine(content, size, limits)
    except (MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOMEM:
            raise
        gc.collect()
        return Structure((), ((Problem.EXPANDED, "more memory than an inspection may have"),))


def _receive(connection: socket.socket) -> tuple[Limits, int]:
    """The request's limits and the message's open file. Raises WireError, OSError."""
    descriptors = array.array("i")
    raw, ancillary, _, _ = connection.recvmsg(
        LENGTH.size + LONGEST_REQUEST, socket.CMSG_SPACE(4 * descriptors.itemsize)
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if not raw and not descriptors:
        raise SystemExit(_DONE)  # somebody only looked whether the service is there
    while len(raw) < LENGTH.size or len(raw) < LENGTH.size + LENGTH.unpack_from(raw)[0] <= LONGEST_REQUEST:
        piece = connection.recv(LONGEST_REQUEST)
        if not piece:
            break
        raw += piece
    if len(descriptors) != 1:
        raise WireError("a request without a file")
    return read_request(raw[LENGTH.size :]), descriptors[0]


def _limit_resources(limits: Limits) -> None:
    """Once the request is known. A limit that is reached ends this process, or is a MemoryError."""
    seconds = int(limits.seconds) + 2
    for kind, soft, hard in (
        (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
    ):
        resource.setrlimit(kind, (soft, hard))
