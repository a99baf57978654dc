"""What is left of deleted data outside of files: frames in a write-ahead log, and blocks that no file has any more."""

import contextlib
import errno
import fcntl
import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ksmg.stores.durable import overwrite
from ksmg.stores.held_blocks import held_blocks, use_up_held_blocks
from ksmg.stores.segments import transaction

_SCRATCH = "erasure_filler"
_FILLED_AT_ONCE = 1_048_576
_LOG_HEADER = 32
"""Bytes, https://www.sqlite.org/fileformat2.html#walformat; it changes whenever the log is begun again."""
_FITRIM = 0xC0185879
"""ioctl_fitrim(2): _IOWR('X', 121, struct fstrim_range)."""
_RANGE = struct.Struct("=QQQ")
_CANNOT_DISCARD = (errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS)
_CLOSING = ".closing"


@dataclass(frozen=True)
class Discarded:
    """What became of the free blocks of a file system.

    `bytes` were given back to the device; what it then answers for them is the device's affair, mostly zeros. `held`
    are kept ready by the file system, for small files and for those that are open, and were not given back. `reason`
    says why none could be.
    """

    bytes: int
    reason: str = ""
    held: int = 0

    @property
    def done(self) -> bool:
        """Whether the device took them."""
        return not self.reason

    def then(self, later: "Discarded") -> "Discarded":
        """What became of them after another pass."""
        return Discarded(self.bytes + later.bytes, later.reason, later.held)


@contextlib.contextmanager
def closing_without_trace(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Closes a connection in the end. The write-ahead log, which SQLite removes with the last one, is overwritten then.

    A kill between the two leaves its second name, which the next one to scrub the log removes. Raises OSError.
    """
    log = _log_file(connection)
    try:
        yield connection
    finally:
        try:
            held = _hold(log) if log else None
        finally:
            connection.close()
        if held:
            _settle(held)


def scrub_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Leaves no old frame in the database's write-ahead log, neither in the file nor in the blocks that it had.

    After a checkpoint SQLite writes the log from its beginning again. Filler as long as the log overwrites it in place;
    only then it is cut to nothing. The database grows by that much at most, once. No transaction may be under way.
    Raises sqlite3.Error, an OperationalError when others used the log for longer than the connection waits.
    """
    log = _log_file(connection)
    for left in log.parent.glob(f"{log.name}.*{_CLOSING}") if log else ():
        _settle(left)
    length = _length(log)
    if log is None or length <= _LOG_HEADER:
        return
    _checkpoint(connection, "RESTART")
    before = _header(log)
    with transaction(connection):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_SCRATCH} (filler BLOB) STRICT")
        for start in range(0, length, _FILLED_AT_ONCE):
            size = min(_FILLED_AT_ONCE, length - start)
            connection.execute(f"INSERT INTO {_SCRATCH} VALUES (zeroblob(?))", (size,))
    begun_again = _header(log) != before
    connection.execute(f"DROP TABLE {_SCRATCH}")
    if not begun_again:
        raise sqlite3.OperationalError("the write-ahead log is in use")
    _checkpoint(connection, "TRUNCATE")


def discard_free_space(directory: Path) -> Discarded:
    """Gives all free blocks of a directory's file system back to its device; needs root. Raises OSError.

    Twice where the file system holds some of them back: what is new among those was discarded before.
    """
    discarded = _discard(directory)
    if discarded.done and held_blocks(directory):
        use_up_held_blocks(directory)
        again = _discard(directory)
        held = (held_blocks(directory) or 0) * os.statvfs(directory).f_frsize
        discarded = discarded.then(replace(again, held=held))
    return discarded


def _discard(directory: Path) -> Discarded:
    os.sync()  # blocks of a deletion that is not on the disk yet are not free
    asked = bytearray(_RANGE.pack(0, 2**64 - 1, 0))
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _FITRIM, asked)
    except OSError as error:
        if error.errno not in _CANNOT_DISCARD:
            raise
        return Discarded(0, "the device or its file system cannot discard blocks")
    finally:
        os.close(descriptor)
    return Discarded(_RANGE.unpack(asked)[1])


def _hold(log: Path) -> Path | None:
    """A second name for a log that may be removed; None where there is none, or where nobody could remove it."""
    held = log.with_name(f"{log.name}.{time.time_ns():020}{_CLOSING}")
    try:
        if not os.access(log.parent, os.W_OK):
            return None
        held.hardlink_to(log)
    except FileNotFoundError:
        return None
    return held


def _settle(held: Path) -> None:
    """Takes a log's second name away, and overwrites it when that was its last one.

    Of several that close at once, only the last to take its name away finds that nobody else has the log.
    """
    try:
        descriptor = os.open(held, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # whoever scrubs the log was quicker
        return
    try:
        held.unlink(missing_ok=True)
        found = os.fstat(descriptor)
        if not found.st_nlink and found.st_size:
            overwrite(descriptor, 0, found.st_size)
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _log_file(connection: sqlite3.Connection) -> Path | None:
    """The write-ahead log's file; None for a database without one."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    file = next(path for _, name, path in connection.execute("PRAGMA database_list") if name == "main")
    return Path(f"{file}-wal") if mode == "wal" and file else None


def _length(log: Path | None) -> int:
    return log.stat().st_size if log is not None and log.exists() else 0


def _header(log: Path) -> bytes:
    with log.open("rb") as file:
        return file.read(_LOG_HEADER)


def _checkpoint(connection: sqlite3.Connection, mode: str) -> None:
    (busy, _, _) = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    if busy:
        raise sqlite3.OperationalError("the write-ahead log is in use")
