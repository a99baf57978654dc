"""OLE2 compound files: Word, Excel and PowerPoint before 2007, Outlook messages, MSI packages, encrypted OOXML.

Source: MS-CFB; MS-DOC 2.5.1, MS-XLS 2.4.117 and 2.4.28, MS-PPT 2.3.2, MS-OFFCRYPTO 2.3, MS-OXMSG 2.2, MS-OLEDS 2.3.6.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.inspection.budget import Budget, Unreadable
from ksmg.inspection.types import OLE

_END_OF_CHAIN = 0xFFFFFFFA
"""Sector numbers from here on are none."""
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_ENTRY = struct.Struct("<64sHBB3I16s20xIQ")
_MSI = bytes.fromhex("84100c0000000000c000000000000046")
_MACROS = ("vba", "_vba_project", "_vba_project_cur", "macros")
_TYPES = (
    ("worddocument", "application/msword"),
    ("workbook", "application/vnd.ms-excel"),
    ("book", "application/vnd.ms-excel"),
    ("powerpoint document", "application/vnd.ms-powerpoint"),
    ("visiodocument", "application/vnd.visio"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("contents", OLE),
)
_NATIVE = "\x01ole10native"
_ATTACHMENT, _LONG_NAME, _SHORT_NAME, _DATA = "__attach_version1.0_", "3707001f", "3704001f", "37010102"
_LONGEST_NAME = 1_000
_MOST_STREAMS = 50_000
"""Entries of a directory; a large presentation has some hundreds."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream or storage of a compound file."""

    name: str
    parent: int
    kind: int
    size: int
    first: int
    class_id: bytes


class CompoundFile:
    """A compound file. Raises Unreadable when it is none."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        if len(data) < 512:
            raise Unreadable("a document that is too short")
        self._data = data
        self._budget = budget
        self._shift, self._mini_shift = struct.unpack_from("<HH", data, 30)
        if self._shift not in (9, 12) or self._mini_shift != 6:
            raise Unreadable("a document with an impossible header")
        self._fat = self._allocation_table()
        (directory,) = struct.unpack_from("<I", data, 48)
        (self._cutoff, mini_fat) = struct.unpack_from("<II", data, 56)
        raw = self._chain(directory, len(data))
        self.streams = tuple(_streams(raw, self._budget))
        root = next((stream for stream in self.streams if stream.kind == _ROOT), None)
        self.class_id = root.class_id if root else b""
        self._mini = self._chain(root.first, root.size) if root else b""
        table = self._chain(mini_fat, len(data))
        self._mini_fat = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])

    def _allocation_table(self) -> tuple[int, ...]:
        first, count = struct.unpack_from("<II", self._data, 68)
        sectors = list(struct.unpack_from("<109I", self._data, 76))
        per_sector = (1 << self._shift) // 4
        for _ in range(min(count, len(self._data) >> self._shift)):
            raw = self._sector(first)
            if len(raw) < per_sector * 4:
                break
            *more, first = struct.unpack(f"<{per_sector}I", raw)
            sectors += more
        raw = b"".join(self._sector(sector) for sector in sectors[: len(self._data) // 512 + 109])
        return struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4])

    def _sector(self, number: int) -> bytes:
        if number >= _END_OF_CHAIN:
            return b""
        at = (number + 1) << self._shift
        return self._data[at : at + (1 << self._shift)]

    def _chain(self, sector: int, size: int) -> bytes:
        """The bytes of a chain of sectors, at most `size`. A chain that runs in a circle ends by its size."""
        pieces: list[bytes] = []
        length, most = 0, min(size, len(self._data))
        while sector < len(self._fat) and length < most:
            piece = self._sector(sector)
            if not piece:
                break
            pieces.append(piece)
            length += len(piece)
            sector = self._fat[sector]
        self._budget.check_time()
        return b"".join(pieces)[:most]

    def read(self, stream: Stream, most: int | None = None) -> bytes:
        """A stream's content, or its first `most` bytes."""
        size = stream.size if most is None else min(most, stream.size)
        if stream.size >= self._cutoff:
            return self._chain(stream.first, size)
        pieces: list[bytes] = []
        at = stream.first
        while at < len(self._mini_fat) and len(pieces) * 64 < min(size, self._cutoff):
            pieces.append(self._mini[at * 64 : at * 64 + 64])
            at = self._mini_fat[at]
        return b"".join(pieces)[:size]

    def named(self, name: str) -> Stream | None:
        """The first stream or storage of a name, wherever it is."""
        return next((stream for stream in self.streams if stream.name.lower() == name), None)

    @property
    def true_type(self) -> str:
        """The media type of what it is."""
        if self.class_id == _MSI:
            return "application/x-msi"
        names = {stream.name.lower() for stream in self.streams}
        return next((kind for name, kind in _TYPES if name in names), OLE)

    @property
    def macro(self) -> bool:
        """Whether it has macros: a VBA project, or a sheet of Excel 4 macros."""
        names = {stream.name.lower() for stream in self.streams}
        return not names.isdisjoint(_MACROS) or any(kind == 0x85 and data[5:6] == b"\1" for kind, data in self._sheet())

    @property
    def encrypted(self) -> bool:
        """Whether a password is needed to read it."""
        names = {stream.name.lower() for stream in self.streams}
        if names & {"encryptedpackage", "encryptioninfo", "encryptedsummary"}:
            return True
        word, show = self.named("worddocument"), self.named("current user")
        if word and self.read(word, 12)[11:12] and self.read(word, 12)[11] & 1:
            return True
        if show and self.read(show, 16)[12:16] == b"\xdf\xc4\xd1\xf3":
            return True
        return any(kind == 0x2F for kind, _ in self._sheet())

    def _sheet(self) -> Iterator[tuple[int, bytes]]:
        """Records at the beginning of a workbook, up to the end of its globals."""
        book = self.named("workbook") or self.named("book")
        data = self.read(book, 1_000_000) if book else b""
        at = 0
        while at + 4 <= len(data):
            kind, length = struct.unpack_from("<HH", data, at)
            yield kind, data[at + 4 : at + 4 + length]
            if kind == 0x0A:
                return
            at += 4 + length

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Files within it: packages that were put into a document, and attachments of an Outlook message."""
        for stream in self.streams:
            if stream.kind == _STREAM and stream.name.lower() == _NATIVE:
                yield from _native(self.read(stream))
        own: dict[int, dict[str, Stream]] = {}
        for stream in self.streams:
            if stream.kind == _STREAM:
                own.setdefault(stream.parent, {})[stream.name.lower()[-8:]] = stream
        for number, storage in enumerate(self.streams):
            if storage.kind == _STORAGE and storage.name.lower().startswith(_ATTACHMENT):
                yield self._attachment(own.get(number, {}))

    def _attachment(self, own: dict[str, Stream]) -> tuple[str, bytes]:
        named = own.get(_LONG_NAME) or own.get(_SHORT_NAME)
        name = self.read(named, _LONGEST_NAME * 2).decode("utf-16-le", "replace") if named else ""
        return name, self.read(own[_DATA]) if _DATA in own else b""


def _streams(raw: bytes, budget: Budget) -> Iterator[Stream]:
    """The directory's entries; each with the number of the storage that it is in."""
    if len(raw) > 128 * _MOST_STREAMS:
        raise Unreadable(f"a document with more than {_MOST_STREAMS} streams")
    rows = [_ENTRY.unpack_from(raw, at) for at in range(0, len(raw) - 127, 128)]
    parents = _parents([row[3:7] for row in rows], [row[2] for row in rows], budget)
    for number, (name, length, kind, _, _, _, _, class_id, first, size) in enumerate(rows):
        if kind in (_STORAGE, _STREAM, _ROOT):
            budget.check_time()
            text = name[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            yield Stream(text, parents[number], kind, size & 0xFFFFFFFF, first, class_id)
        else:
            yield Stream("", -1, 0, 0, _END_OF_CHAIN, b"")


def _parents(links: list[tuple[int, int, int, int]], kinds: list[int], budget: Budget) -> list[int]:
    """Each entry's storage, -1 where none refers to it. `links` are colour, left, right and child."""
    parents = [-1] * len(links)
    seen = [False] * len(links)
    for number, kind in enumerate(kinds):
        if kind not in (_STORAGE, _ROOT):
            continue
        waiting = [links[number][3]]
        while waiting:
            at = waiting.pop()
            if at < len(links) and not seen[at]:
                seen[at] = True
                parents[at] = number
                waiting += links[at][1:3]
        budget.check_time()
    return parents


def _native(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """A package (MS-OLEDS 2.3.6): label, path, flags, path again, then the file."""
    label, _, rest = raw[6:].partition(b"\0")
    path, _, rest = rest.partition(b"\0")
    at = 4
    if len(rest) > at + 4:
        (length,) = struct.unpack_from("<I", rest, at)
        rest = rest[at + 4 + length :]
        (size,) = struct.unpack_from("<I", rest.ljust(4, b"\0"))
        yield (label or path)[:_LONGEST_NAME].decode("utf-8", "replace"), rest[4 : 4 + size]
