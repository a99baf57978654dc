"""Reads a file of lines of any size in blocks, and overwrites bytes in it where they are."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ksmg.subject.matcher import LONGEST_MATCH

BLOCK = 1_048_576
"""Bytes that are read at once."""
LONGEST_LINE = 4 * BLOCK
"""Bytes; a longer line is looked at in pieces that overlap."""


@dataclass(frozen=True)
class Piece:
    """Whole lines, or a piece of a line that is too long; and where they begin in the file."""

    offset: int
    data: bytes

    def lines(self) -> Iterator["Piece"]:
        """Its lines, with their ends."""
        at = self.offset
        for line in _lines(self.data):
            yield Piece(at, line)
            at += len(line)


def pieces(descriptor: int, block: int = BLOCK, longest: int = LONGEST_LINE) -> Iterator[Piece]:
    """The file from its beginning to where it ends when that is reached. Memory stays within some blocks."""
    at, waiting = 0, b""
    while chunk := os.pread(descriptor, block, at + len(waiting)):
        waiting += chunk
        end = waiting.rfind(b"\n") + 1
        if end:
            yield Piece(at, waiting[:end])
        elif len(waiting) >= longest:
            yield Piece(at, waiting)
            end = len(waiting) - LONGEST_MATCH
        at, waiting = at + end, waiting[end:]
    if waiting:
        yield Piece(at, waiting)


def write_over(descriptor: int, offset: int, data: bytes) -> None:
    """Writes over bytes of a file, in place. Raises OSError."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        offset, data = offset + written, data[written:]


def every(files: Callable[[], list[Path]], flags: int = os.O_RDONLY) -> Iterator[tuple[Path, int]]:
    """Opens each file once, also when files are begun or renamed meanwhile; closes it afterwards. Raises OSError."""
    done: set[tuple[int, int]] = set()
    before = -1
    while len(done) != before:
        before = len(done)
        for file in files():
            yield from _unread(file, flags, done)


def _unread(file: Path, flags: int, done: set[tuple[int, int]]) -> Iterator[tuple[Path, int]]:
    try:
        descriptor = os.open(file, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # not begun yet, or evicted meanwhile
        return
    try:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) not in done:
            done.add((found.st_dev, found.st_ino))
            yield file, descriptor
    finally:
        os.close(descriptor)


def _lines(data: bytes) -> Iterator[bytes]:
    """Lines that end at LF alone: a carriage return within one does not end it."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
