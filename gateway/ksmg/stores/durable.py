"""Writing that survives a power cut, and deleting that leaves nothing behind on the disk."""

import ctypes
import errno
import os
from pathlib import Path

_ZEROS = bytes(262_144)
_KEEP_SIZE_PUNCH_HOLE = 3
"""fallocate(2): FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE."""
_CANNOT_PUNCH = (errno.EOPNOTSUPP, errno.ENOSYS)


def sync_directory(directory: Path) -> None:
    """Makes new, renamed and removed names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, data: bytes) -> None:
    """Puts a file of its owner alone in the place of an earlier one; it survives a power cut. Raises OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_all(descriptor: int, buffers: list[bytes], offset: int) -> int:
    """Writes buffers one after the other from an offset on; returns where they end. Raises OSError."""
    for start in range(0, len(buffers), os.sysconf("SC_IOV_MAX")):
        waiting = buffers[start : start + os.sysconf("SC_IOV_MAX")]
        left = sum(map(len, waiting))
        while left:
            written = os.pwritev(descriptor, waiting, offset)
            offset, left = offset + written, left - written
            waiting = _rest(waiting, written) if left else []
    return offset


def _rest(buffers: list[bytes], written: int) -> list[bytes]:
    """What a short write left."""
    joined = memoryview(b"".join(buffers))
    return [bytes(joined[written:])]


def overwrite(descriptor: int, offset: int, length: int) -> None:
    """Zeros in place of some bytes of a file, not yet synced. Raises OSError."""
    while length:
        written = os.pwrite(descriptor, _ZEROS[:length], offset)
        offset, length = offset + written, length - written


def cut(descriptor: int, end: int) -> None:
    """Shortens a file, what goes being overwritten. Raises OSError, but shortens it all the same."""
    try:
        overwrite(descriptor, end, max(os.fstat(descriptor).st_size - end, 0))
        os.fdatasync(descriptor)
    finally:
        os.ftruncate(descriptor, end)


def give_back(descriptor: int, offset: int, length: int) -> None:
    """Returns the blocks of a range to the file system; the range reads as zeros.

    Only after it was overwritten and synced: blocks that were given back keep what was last written to them.
    Does nothing on a file system without holes. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_int(descriptor), ctypes.c_int(_KEEP_SIZE_PUNCH_HOLE))
    if libc.fallocate64(*arguments, ctypes.c_int64(offset), ctypes.c_int64(length)) == 0:
        return
    number = ctypes.get_errno()
    if number not in _CANNOT_PUNCH:
        raise OSError(number, os.strerror(number))


def give_up_reserve(path: Path) -> None:
    """Has the file system give up the blocks that it keeps ready at the end of a file that grows. Raises OSError.

    Nobody may write to the file meanwhile. The reserve keeps what deleted files left there, and is no free space that
    could be discarded. ext4 gives it up when a file is cut, to its own length too.
    """
    os.truncate(path, path.stat().st_size)


def erase_file(path: Path) -> None:
    """Overwrites a file, syncs it and removes it; does nothing when it is not there. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        overwrite(descriptor, 0, os.fstat(descriptor).st_size)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
