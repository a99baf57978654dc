"""The segment that messages are added to, and the messages that wait to be."""

import os
import zlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from ksmg.stores.durable import cut, sync_directory, write_all
from ksmg.stores.message_store_record import (
    SEGMENT_HEADER,
    StoredMessage,
    encode_checksum,
    encode_entry,
    encode_header,
    read_word,
    record_length,
    segment_header,
)
from ksmg.stores.message_store_segment import Segment

LARGEST_IN_MEMORY = 131_072
"""Bytes; larger messages are copied piece by piece when it is their turn."""
_PIECE = 262_144


@dataclass
class Waiting:
    """A message that waits to be kept."""

    entry: bytes
    decided: bool
    source: Path | None
    """Its file; None when the original is here."""
    length: int
    body: bytes | None
    """The original; None for a large one, which is still to be read."""
    checksum: int
    future: "Future[None]" = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Bytes of its record."""
        return record_length(self.entry, self.length)

    @property
    def index_size(self) -> int:
        """Bytes that the index may need for it."""
        return 2 * len(self.entry) + 256


def waiting(entry: StoredMessage, source: Path | bytes) -> Waiting:
    """A message that is to be kept: given as it is, or read from its file unless it is large. Raises OSError."""
    if isinstance(source, bytes):
        return Waiting(encode_entry(entry), entry.decided, None, len(source), source, zlib.adler32(source))
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        length = os.fstat(descriptor).st_size
        body = os.read(descriptor, length) if length <= LARGEST_IN_MEMORY else None
    finally:
        os.close(descriptor)
    if body is not None and len(body) != length:
        raise OSError(f"{source} changed while it was read")
    return Waiting(encode_entry(entry), entry.decided, source, length, body, zlib.adler32(body or b""))


class ActiveSegment:
    """The segment that messages are added to."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
        self.word = read_word(self._descriptor) or b""
        self.end = self._synced = os.fstat(self._descriptor).st_size
        self.unsynced: list[Waiting] = []
        self._buffers: list[bytes] = []
        self._written = self.end

    def add(self, message: Waiting) -> None:
        """Appends a message, which is safe after `sync`. Raises OSError; what is not synced is then rolled back."""
        header = encode_header(self.word, message.entry, message.length, message.decided)
        self._buffers += (header, message.entry)
        if message.body is not None:
            self._buffers += (message.body, encode_checksum(message.checksum))
        else:
            self._copy(message)
        self.end += message.size
        self.unsynced.append(message)

    def sync(self) -> None:
        """Writes and syncs what was added. Raises OSError."""
        self._flush()
        os.fdatasync(self._descriptor)
        self._synced = self.end
        self.unsynced = []

    def roll_back(self) -> None:
        """Takes out what is not synced. Raises OSError."""
        self._buffers.clear()
        self.unsynced = []
        cut(self._descriptor, self._synced)
        self.end = self._written = self._synced

    def close(self) -> None:
        """Closes its file."""
        os.close(self._descriptor)

    @property
    def empty(self) -> bool:
        """Whether there is no message in it."""
        return self.end <= SEGMENT_HEADER

    def _flush(self) -> None:
        self._written = write_all(self._descriptor, self._buffers, self._written)
        self._buffers.clear()

    def _copy(self, message: Waiting) -> None:
        if message.source is None:
            raise ValueError("a message without file and content")
        self._flush()
        checksum, left = 1, message.length
        with message.source.open("rb", buffering=0) as source:
            while left:
                piece = source.read(min(left, _PIECE))
                if not piece:
                    raise OSError(f"{message.source} became shorter while it was copied")
                self._written = write_all(self._descriptor, [piece], self._written)
                checksum, left = zlib.adler32(piece, checksum), left - len(piece)
        self._buffers.append(encode_checksum(checksum))


def begin_segment(segment: Segment) -> ActiveSegment:
    """Makes a new segment, synced. Raises OSError; there is none then."""
    header, _ = segment_header()
    try:
        descriptor = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, [header], 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(segment.path.parent)
        return ActiveSegment(segment)
    except OSError:
        segment.path.unlink(missing_ok=True)
        raise
