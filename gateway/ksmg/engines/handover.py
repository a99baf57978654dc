"""How a message is handed over to an engine: as an open file, or in pieces."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ksmg.engines.failure import EngineFailure, Reason

Span = tuple[int, int]
"""A piece of a file: offset of its first byte, and of the byte after its last."""

_CHUNK = 262_144


@contextlib.contextmanager
def open_descriptor(content: bytes | Path) -> Iterator[int]:
    """An open file; what is in memory gets one there, without a name. Raises EngineFailure."""
    try:
        if isinstance(content, Path):
            descriptor = os.open(content, os.O_RDONLY | os.O_CLOEXEC)
        else:
            descriptor = os.memfd_create("message")
    except OSError as error:
        raise _unreadable(error) from None
    try:
        if isinstance(content, bytes):
            _fill(descriptor, content)
        yield descriptor
    finally:
        os.close(descriptor)


def _fill(descriptor: int, content: bytes) -> None:
    try:
        written = os.write(descriptor, content)
    except OSError as error:
        raise _unreadable(error) from None
    if written < len(content):  # never give clamd a part of it
        raise EngineFailure(Reason.ERROR, "the message cannot be read: there is not enough memory")


def _unreadable(error: OSError) -> EngineFailure:
    return EngineFailure(Reason.ERROR, f"the message cannot be read: {error.strerror or error}")


def whole(content: bytes | Path) -> Iterator[bytes]:
    """A message in pieces. Raises EngineFailure."""
    if isinstance(content, bytes):
        yield content
        return
    with _opened(content) as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk


def pieces(file: Path, spans: Sequence[Span], before: bytes) -> Iterator[bytes]:
    """Something, then pieces of a file. Raises EngineFailure."""
    if before:
        yield before
    with _opened(file) as opened:
        for start, end in spans:
            opened.seek(start)
            left = end - start
            while left > 0 and (chunk := opened.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(error) from None
