"""libarchive, for the archives that Python's library does not read: 7z, RAR, CAB, ISO, LHA, tar with any compression.

Called through ctypes, for the few functions that are needed. Source: archive_read(3), archive_entry(3).
"""

import ctypes
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from ksmg.inspection.budget import Budget, Unreadable

_LIBRARY = "libarchive.so.13"
_OK, _EOF, _WARN = 0, 1, -20
_TYPE_MASK, _DIRECTORY = 0o170000, 0o040000
_SPECIAL = {
    0o120000: "inode/symlink",
    0o020000: "inode/chardevice",
    0o060000: "inode/blockdevice",
    0o010000: "inode/fifo",
    0o140000: "inode/socket",
}


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A file of an archive, and its content in pieces."""

    path: str
    size: int
    special: str
    """`inode/symlink` and the like; empty for a file."""
    encrypted: bool
    chunks: Iterator[bytes]


@functools.cache
def _library() -> ctypes.CDLL:
    """The library with its functions' types. Raises OSError when it is not installed."""
    found = ctypes.CDLL(_LIBRARY)
    pointer, text, whole = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("archive_read_new", pointer, []),
        ("archive_read_free", whole, [pointer]),
        ("archive_read_open_memory", whole, [pointer, ctypes.c_char_p, ctypes.c_size_t]),
        ("archive_read_next_header", whole, [pointer, ctypes.POINTER(pointer)]),
        ("archive_read_data", ctypes.c_ssize_t, [pointer, pointer, ctypes.c_size_t]),
        ("archive_read_has_encrypted_entries", whole, [pointer]),
        ("archive_error_string", text, [pointer]),
        ("archive_entry_pathname", text, [pointer]),
        ("archive_entry_pathname_utf8", text, [pointer]),
        ("archive_entry_hardlink", text, [pointer]),
        ("archive_entry_filetype", ctypes.c_uint, [pointer]),
        ("archive_entry_size", ctypes.c_int64, [pointer]),
        ("archive_entry_is_encrypted", whole, [pointer]),
    ):
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def available() -> bool:
    """Whether the library is there."""
    try:
        _library()
    except OSError:
        return False
    return True


class EncryptedArchive(Exception):
    """Not even the list of its files can be read without the password."""


def archive_entries(data: bytes, formats: tuple[str, ...], budget: Budget) -> Iterator[ArchiveEntry]:
    """The files of an archive in their order; the content of each must be taken before the next.

    `formats` are names of archive_read_support_*(3), such as `format_7zip`. Raises Exceeded, Unreadable and
    EncryptedArchive.
    """
    library = _library()
    archive = library.archive_read_new()
    try:
        for name in formats:
            support = getattr(library, f"archive_read_support_{name}")
            support.argtypes = [ctypes.c_void_p]
            support(archive)
        if library.archive_read_open_memory(archive, data, len(data)) < _WARN:
            raise Unreadable(_error(archive))
        yield from _entries(archive, budget)
    finally:
        library.archive_read_free(archive)


def _entries(archive: int, budget: Budget) -> Iterator[ArchiveEntry]:
    library, entry = _library(), ctypes.c_void_p()
    while True:
        budget.check_time()
        state = library.archive_read_next_header(archive, ctypes.byref(entry))
        if state == _EOF:
            return
        if state < _WARN:
            if library.archive_read_has_encrypted_entries(archive) == 1 or b"ncrypt" in _raw_error(archive):
                raise EncryptedArchive
            raise Unreadable(_error(archive))
        kind = library.archive_entry_filetype(entry) & _TYPE_MASK
        if kind == _DIRECTORY:
            continue
        encrypted = bool(library.archive_entry_is_encrypted(entry))
        linked = library.archive_entry_hardlink(entry)
        special = _SPECIAL.get(kind, "inode/hardlink" if linked else "")
        chunks = iter(()) if encrypted or special else _chunks(archive, budget)
        yield ArchiveEntry(_path(entry), max(0, library.archive_entry_size(entry)), special, encrypted, chunks)


def _chunks(archive: int, budget: Budget) -> Iterator[bytes]:
    library, buffer = _library(), ctypes.create_string_buffer(65_536)
    while True:
        length = library.archive_read_data(archive, buffer, len(buffer))
        if length == 0:
            return
        if length < 0:
            if b"ncrypt" in _raw_error(archive) or b"assphrase" in _raw_error(archive):
                raise EncryptedArchive
            raise Unreadable(_error(archive))
        budget.count_bytes(length)
        yield buffer.raw[:length]


def _path(entry: ctypes.c_void_p) -> str:
    library = _library()
    raw = library.archive_entry_pathname_utf8(entry) or library.archive_entry_pathname(entry) or b""
    return bytes(raw).decode("utf-8", "backslashreplace")


def _raw_error(archive: int) -> bytes:
    return bytes(_library().archive_error_string(archive) or b"")


def _error(archive: int) -> str:
    return "an archive that cannot be read: " + _raw_error(archive).decode("utf-8", "replace")[:150]
