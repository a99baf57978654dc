"""How a message lies in a segment of the message store: a header, the entry as JSON, the original, a checksum.

A segment begins with a magic number and a random word that is repeated in the header of each of its records. Nobody who
sends a message knows that word, so nothing in a message can pass for a record.
"""

import enum
import json
import os
import random
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_IDS = random.Random()
"""Seeded by the system once, because every message gets an id."""
_MAGIC = b"KSMGSEG1"
SEGMENT_HEADER = 16
"""Bytes before the first record."""
_HEADER = struct.Struct(">8sIQIIB3x")
_COVERED = struct.Struct(">8sIQI")
"""The part of the header that its own checksum covers: not the state, which changes."""
_STATE_AT = _COVERED.size + 4
_TRAILER = struct.Struct(">I")
_READ_AT_ONCE = 1024
"""Bytes; header and entry of most messages."""
_SEARCHED_AT_ONCE = 1_048_576


@dataclass(frozen=True)
class StoredMessage:
    """What a store knows about a message. Time in seconds since 1970, size in bytes, text made readable."""

    id: str
    time: float
    size: int
    reason: str
    rule: str
    queue_id: str
    message_id: str
    client_ip: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    statuses: tuple[str, ...] = ()
    """What was found, as `checks.verdict.Status` names it."""
    decided: bool = False
    """Whether somebody decided about it, so that nothing is lost when it is evicted."""


COLUMNS = (
    "id", "time", "size", "reason", "rule", "queue_id", "message_id", "client_ip", "sender", "recipients", "subject",
    "statuses",
)  # fmt: skip
"""The fields of an entry in the order in which records and index have them; `decided` is the record's state."""


class State(enum.IntEnum):
    """The state of a record, the only byte of it that changes."""

    KEPT = 0
    """Nobody decided about it."""
    DECIDED = 1
    """Somebody did."""
    DELETED = 2
    """Overwritten with zeros."""


@dataclass(frozen=True)
class Record:
    """Where the parts of a record are in its segment, in bytes."""

    place: int
    entry_length: int
    body_length: int
    state: State

    @property
    def entry_at(self) -> int:
        """Where the entry begins."""
        return self.place + _HEADER.size

    @property
    def body_at(self) -> int:
        """Where the original begins."""
        return self.entry_at + self.entry_length

    @property
    def checksum_at(self) -> int:
        """Where the original ends and its checksum begins."""
        return self.body_at + self.body_length

    @property
    def state_at(self) -> int:
        """Where the state is."""
        return self.place + _STATE_AT

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.checksum_at + _TRAILER.size


def new_id() -> str:
    """An id that no other message has; ids sort by time."""
    return f"{time.time_ns() // 1_000_000:012x}-{_IDS.getrandbits(48):012x}"


def segment_header() -> tuple[bytes, bytes]:
    """The beginning of a new segment, and its word."""
    word = os.urandom(SEGMENT_HEADER - len(_MAGIC))
    return _MAGIC + word, word


def read_word(descriptor: int) -> bytes | None:
    """The word of a segment; None when it does not begin like one."""
    begin = os.pread(descriptor, SEGMENT_HEADER, 0)
    return begin[len(_MAGIC) :] if len(begin) == SEGMENT_HEADER and begin.startswith(_MAGIC) else None


def encode_entry(entry: StoredMessage) -> bytes:
    """An entry as records have it; what is not valid Unicode is replaced."""
    values = [getattr(entry, name) for name in COLUMNS]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def decode_values(entry: bytes) -> list[Any]:
    """The values of a record's entry, in the order of COLUMNS."""
    values: list[Any] = json.loads(entry.decode("utf-8"))
    return values


def decode_entry(values: Sequence[Any], decided: bool = False) -> StoredMessage:
    """An entry out of the values that a record has."""
    named = dict(zip(COLUMNS, values, strict=True))
    named["recipients"], named["statuses"] = tuple(named["recipients"]), tuple(named["statuses"])
    return StoredMessage(**named, decided=decided)


def encode_header(word: bytes, entry: bytes, body_length: int, decided: bool = False) -> bytes:
    """The header of a record with this entry."""
    covered = _COVERED.pack(word, len(entry), body_length, zlib.crc32(entry))
    return covered + struct.pack(">IB3x", zlib.crc32(covered), State.DECIDED if decided else State.KEPT)


def encode_checksum(checksum: int) -> bytes:
    """The end of a record."""
    return _TRAILER.pack(checksum)


def record_length(entry: bytes, body_length: int) -> int:
    """Bytes that a record takes."""
    return _HEADER.size + len(entry) + body_length + _TRAILER.size


def read_record(descriptor: int, word: bytes, place: int) -> tuple[Record, bytes | None] | None:
    """The record at a place and its entry, none when it is deleted; None when there is no whole one."""
    begin = os.pread(descriptor, _READ_AT_ONCE, place)
    if len(begin) < _HEADER.size:
        return None
    found, entry_length, body_length, entry_checksum, own_checksum, state = _HEADER.unpack_from(begin)
    if found != word or state > State.DELETED or own_checksum != zlib.crc32(begin[: _COVERED.size]):
        return None
    record = Record(place, entry_length, body_length, State(state))
    if record.state is State.DELETED:
        return record, None
    entry = begin[_HEADER.size : _HEADER.size + entry_length]
    if len(entry) < entry_length:
        entry = os.pread(descriptor, entry_length, record.entry_at)
    return (record, entry) if zlib.crc32(entry) == entry_checksum else None


def walk(descriptor: int, word: bytes, place: int, end: int) -> Iterator[tuple[Record, bytes | None]]:
    """The complete records between two places; damaged bytes between them are passed over."""
    while place < end:
        found = read_record(descriptor, word, place)
        if found is None or found[0].end > end:
            place = _next_record(descriptor, word, place + 1, end)
            continue
        yield found
        place = found[0].end


def _next_record(descriptor: int, word: bytes, place: int, end: int) -> int:
    """Where the segment's word comes next; `end` when it does not come any more."""
    while place < end:
        piece = os.pread(descriptor, _SEARCHED_AT_ONCE, place)
        if (found := piece.find(word)) >= 0:
            return place + found
        if len(piece) <= len(word):
            break
        place += len(piece) - len(word) + 1
    return end


def checksum_of(descriptor: int, start: int, length: int) -> int:
    """The checksum of some bytes of a file.

    Adler-32: it tells a torn write as well as CRC-32 does and costs a third.
    """
    checksum, end = 1, start + length
    while start < end:
        piece = os.pread(descriptor, min(_SEARCHED_AT_ONCE, end - start), start)
        if not piece:
            break
        checksum = zlib.adler32(piece, checksum)
        start += len(piece)
    return checksum


def is_whole(descriptor: int, record: Record) -> bool:
    """Whether the original is as it was written."""
    trailer = os.pread(descriptor, _TRAILER.size, record.checksum_at)
    return trailer == encode_checksum(checksum_of(descriptor, record.body_at, record.body_length))
