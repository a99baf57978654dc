"""The entries of a zip archive: those of its central directory and those of its local headers.

Some programs believe the one, some the other; a difference is one of the oldest ways past a scanner.
Source: PKWARE's APPNOTE.TXT 6.3.10.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_END_SEARCHED = 65_535 + _END.size + 1_000
"""Bytes before the end in which its record stands: the longest comment, and what was appended to the file."""
_MOST_ENDS = 8
_SYMLINK = 0o120000
_UNICODE_PATH, _ZIP64, _AES = 0x7075, 0x0001, 0x9901
ENCRYPTED, DESCRIPTOR, STRONG = 0x0001, 0x0008, 0x2040
_METHOD_AES = 99
_KNOWN_METHODS = frozenset({0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 18, 19, 20, 93, 94, 95, 96, 97, 98, 99})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive as one of its two tables describes it."""

    names: tuple[bytes, ...]
    flags: int
    method: int
    packed: int
    size: int
    offset: int
    """Of its local header within the file."""
    data: int = -1
    """Of its content; -1 as long as only the central directory was read."""
    link: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether its content is."""
        return bool(self.flags & (ENCRYPTED | STRONG)) or self.method == _METHOD_AES


def central_directories(data: bytes, most: int) -> list[list[Entry]]:
    """The entries of each central directory that some reader could take for the archive's, usually of one.

    At most `most` entries of each, and one.
    """
    found: list[list[Entry]] = []
    lowest = max(0, len(data) - _END_SEARCHED)
    at, looks = data.rfind(b"PK\5\6", lowest), 0
    while at >= 0 and looks < _MOST_ENDS:
        inside = any(_contains(data, entry, at) for entries in found for entry in entries)
        entries = None if inside else _directory(data, at, most)
        if entries is not None and entries not in found:
            found.append(entries)
        looks += not inside
        at = data.rfind(b"PK\5\6", lowest, at)
    return found


def _contains(data: bytes, entry: Entry, at: int) -> bool:
    """Whether an offset is within an entry's content: an archive that is in there uncompressed has its own end."""
    if not entry.offset < at <= entry.offset + entry.packed + _LOCAL.size + 131_070:
        return False
    local = local_entry(data, entry.offset)
    return local is not None and local.data <= at < local.data + entry.packed


def _directory(data: bytes, end: int, most: int) -> list[Entry] | None:
    """The entries of the directory that the end record at an offset tells of; None when it tells of none."""
    if end + _END.size > len(data):
        return None
    _, _, _, _, count, size, offset, _ = _END.unpack_from(data, end)
    directory_end = end
    locator = end - _LOCATOR64.size
    if locator >= 0 and data.startswith(b"PK\6\7", locator):
        at = data.rfind(b"PK\6\6", max(0, locator - 100_000), locator)
        if at >= 0 and at + _END64.size <= len(data):
            *_, count, size, offset = _END64.unpack_from(data, at)
            directory_end = at
    start = directory_end - size
    if start < 0 or (count and not data.startswith(b"PK\1\2", start)):
        start, directory_end = offset, min(offset + size, len(data))
        if count and not data.startswith(b"PK\1\2", start):
            return None
    return list(islice(_central_entries(data, start, directory_end, start - offset), most + 1))


def _central_entries(data: bytes, at: int, end: int, moved: int) -> Iterator[Entry]:
    """Every entry up to `end`, whatever their number is said to be. `moved`: bytes that were put before the archive."""
    while at + _CENTRAL.size <= end and data.startswith(b"PK\1\2", at):
        fields = _CENTRAL.unpack_from(data, at)
        flags, method, packed, size = fields[3], fields[4], fields[8], fields[9]
        name_length, extra_length, comment_length, attributes, offset = *fields[10:13], fields[15], fields[16]
        name_at = at + _CENTRAL.size
        extra_at = name_at + name_length
        extra = _extra(data[extra_at : extra_at + extra_length])
        size, packed, offset = _wide(extra.get(_ZIP64, b""), size, packed, offset)
        link = fields[1] >> 8 == 3 and (attributes >> 16) & 0o170000 == _SYMLINK
        names = _names(data[name_at:extra_at], extra)
        yield Entry(names, flags, method, packed, size, offset + max(0, moved), link=link)
        at = extra_at + extra_length + comment_length


def local_entry(data: bytes, at: int) -> Entry | None:
    """The entry whose local header is at an offset; None when there is none."""
    if at < 0 or at + _LOCAL.size > len(data) or not data.startswith(b"PK\3\4", at):
        return None
    _, _, flags, method, _, _, _, packed, size, name_length, extra_length = _LOCAL.unpack_from(data, at)
    name_at = at + _LOCAL.size
    extra_at = name_at + name_length
    if extra_at + extra_length > len(data) or method not in _KNOWN_METHODS:
        return None
    extra = _extra(data[extra_at : extra_at + extra_length])
    size, packed, _ = _wide(extra.get(_ZIP64, b""), size, packed, 0)
    return Entry(_names(data[name_at:extra_at], extra), flags, method, packed, size, at, extra_at + extra_length)


def _extra(raw: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(raw):
        kind, length = struct.unpack_from("<2H", raw, at)
        found.setdefault(kind, raw[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def _wide(extra: bytes, *values: int) -> tuple[int, int, int]:
    """Size, packed size and offset, the 64-bit ones of the extra field where 32 bits are not enough."""
    wide = []
    for value in values:
        if value == 0xFFFFFFFF and len(extra) >= 8:
            value, extra = struct.unpack_from("<Q", extra)[0], extra[8:]  # noqa: PLW2901
        wide.append(value)
    return wide[0], wide[1], wide[2]


def _names(raw: bytes, extra: dict[int, bytes]) -> tuple[bytes, ...]:
    unicode_path = extra.get(_UNICODE_PATH, b"")[5:]
    return tuple(dict.fromkeys(name for name in (raw, unicode_path) if name)) or (b"",)
