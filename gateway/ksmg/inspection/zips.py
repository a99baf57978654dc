"""Zip archives: their members, with what two readers could see differently.

All content is unpacked once and counted, because what an archive says of its sizes is only its word.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.inspection.budget import Budget, Unreadable
from ksmg.inspection.zip_entries import DESCRIPTOR, Entry, central_directories, local_entry
from ksmg.mail.structure import Problem

_CHUNK = 65_536
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
_MOST_STRAYS = 100_000


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member, and its content in pieces; no content when it is encrypted or a directory."""

    path: str
    entry: Entry
    chunks: Iterator[bytes]


def is_zip(data: bytes) -> bool:
    """Whether some program would open it as a zip archive."""
    return data.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08")) or bool(central_directories(data, 0))


def zip_members(data: bytes, budget: Budget) -> Iterator[ZipMember]:
    """Members of both tables, each once. Notes what is ambiguous. Raises Exceeded, Unreadable."""
    directories = central_directories(data, budget.limits.members)
    if any(len(directory) > budget.limits.members for directory in directories):
        budget.too_many_members()
    if len(directories) > 1:
        budget.note(Problem.AMBIGUOUS, "a zip archive with more than one directory")
    entries = []
    for listed in (entry for directory in directories for entry in directory):
        budget.check_time()
        entries.append(_located(data, listed, budget))
    known = {entry.offset for entry in entries}
    strays = list(_strays(data, entries, known, budget))
    if strays and directories:
        budget.note(Problem.AMBIGUOUS, "a zip archive with files that its directory does not list")
    if not directories:
        budget.note(Problem.BROKEN, "a zip archive without a directory")
    _doubt_overlaps(entries, budget)
    for entry in (*entries, *strays):
        path = decoded_path(entry.names[0], entry.flags)
        yield ZipMember(path, entry, _content(data, entry, budget))
        for other in entry.names[1:]:
            yield ZipMember(decoded_path(other, 0x800), entry, iter(()))


def decoded_path(raw: bytes, flags: int) -> str:
    """A member's path: UTF-8 when it says so or is it, else the code page of DOS."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if flags & 0x800 else raw.decode("cp437")


def _located(data: bytes, listed: Entry, budget: Budget) -> Entry:
    """An entry of the directory with the place of its content, compared with its local header."""
    local = local_entry(data, listed.offset)
    if local is None:
        budget.note(Problem.BROKEN, "a zip archive whose directory leads to nothing")
        return listed
    same = listed.method == local.method and listed.encrypted == local.encrypted
    if not local.flags & DESCRIPTOR or local.packed:
        same = same and (listed.packed, listed.size) == (local.packed, local.size)
    if not same or local.names[0] != listed.names[0]:
        budget.note(Problem.AMBIGUOUS, "a zip archive whose two tables differ")
    names = tuple(dict.fromkeys((*listed.names, *local.names)))
    flags = listed.flags | local.flags & 1
    return Entry(names, flags, listed.method, listed.packed, listed.size, listed.offset, local.data, listed.link)


def _strays(data: bytes, entries: list[Entry], known: set[int], budget: Budget) -> Iterator[Entry]:
    """Local headers that the directory does not list, outside of the content of those that it lists."""
    ranges = sorted((entry.offset, entry.data + entry.packed) for entry in entries if entry.data >= 0)
    place, at = 0, data.find(b"PK\3\4")
    for _ in range(_MOST_STRAYS):
        if at < 0:
            return
        budget.check_time()
        while place < len(ranges) and ranges[place][1] <= at:
            place += 1
        if place < len(ranges) and ranges[place][0] <= at:
            at = data.find(b"PK\3\4", max(at + 1, ranges[place][1]) if at in known else at + 4)
            continue
        entry = local_entry(data, at)
        if entry is not None and entry.names[0]:
            yield entry
            at = data.find(b"PK\3\4", max(at + 4, entry.data + (0 if entry.flags & DESCRIPTOR else entry.packed)))
        else:
            at = data.find(b"PK\3\4", at + 4)
    budget.note(Problem.MEMBERS, f"more than {_MOST_STRAYS} file headers in a zip archive")


def _doubt_overlaps(entries: list[Entry], budget: Budget) -> None:
    end = -1
    for offset, stop in sorted((entry.offset, entry.data + entry.packed) for entry in entries if entry.data >= 0):
        if offset < end:
            return budget.note(Problem.AMBIGUOUS, "a zip archive whose files overlap")
        end = max(end, stop)
    return None


def _content(data: bytes, entry: Entry, budget: Budget) -> Iterator[bytes]:
    """The unpacked content in pieces, counted. Notes a size that is not the one that was told."""
    if entry.encrypted or entry.data < 0:
        return
    size = 0
    stop = len(data) if entry.flags & DESCRIPTOR and not entry.packed else min(entry.data + entry.packed, len(data))
    if entry.method == _STORED and not entry.packed:
        stop = entry.data
    try:
        for chunk in _unpacked(data, entry.method, entry.data, stop):
            budget.count_bytes(len(chunk))
            size += len(chunk)
            yield chunk
    except (zlib.error, lzma.LZMAError, OSError, EOFError, struct.error, ValueError) as error:
        raise Unreadable(f"a zip archive with a broken file: {error}") from None
    if size != entry.size and not (entry.flags & DESCRIPTOR and not entry.size):
        budget.note(Problem.AMBIGUOUS, "a zip archive with a wrong size")


def _unpacked(data: bytes, method: int, at: int, stop: int) -> Iterator[bytes]:
    if method == _STORED:
        for start in range(at, stop, _CHUNK):
            yield data[start : min(start + _CHUNK, stop)]
    elif method == _DEFLATED:
        yield from _inflated(data, at, stop)
    elif method == _BZIP2:
        yield from _through(bz2.BZ2Decompressor(), data, at, stop)
    elif method == _LZMA:
        yield from _through(_lzma_decompressor(data, at), data, at + 9, stop)
    else:
        raise Unreadable(f"a zip archive with compression method {method}")


def _inflated(data: bytes, at: int, stop: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-15)
    for start in range(at, stop, _CHUNK):
        piece = data[start : min(start + _CHUNK, stop)]
        while piece:
            yield unpacker.decompress(piece, _CHUNK)
            piece = unpacker.unconsumed_tail
        if unpacker.eof:
            return
    yield unpacker.flush()
    if not unpacker.eof:
        raise EOFError("it ends too early")


def _through(unpacker: bz2.BZ2Decompressor | lzma.LZMADecompressor, data: bytes, at: int, stop: int) -> Iterator[bytes]:
    for start in range(at, stop, _CHUNK):
        piece = data[start : min(start + _CHUNK, stop)]
        yield unpacker.decompress(piece, _CHUNK)
        while not unpacker.needs_input and not unpacker.eof:
            yield unpacker.decompress(b"", _CHUNK)
        if unpacker.eof:
            return


def _lzma_decompressor(data: bytes, at: int) -> lzma.LZMADecompressor:
    """APPNOTE 5.8.8: version, size of the properties, the properties (5 bytes) before the raw stream."""
    properties, dictionary = struct.unpack_from("<BI", data, at + 4)
    filters = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": min(max(dictionary, 4096), 1 << 26),
        "lc": properties % 9,
        "lp": properties // 9 % 5,
        "pb": properties // 45,
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])
