"""One trace stream on disk: a part that is being written and the parts before it, never above the stream's cap.

A part is a twentieth of the cap. The oldest are erased when the next one might pass the cap, which is never below
90 % of it. Several processes may write to one stream: whoever writes holds the lock of the part being written.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ksmg.stores.durable import erase_file

SUFFIX = ".log"
PARTS_PER_CAP = 20
_LINES_PER_PART = 10
"""A line may be as long as this part of a part; what is longer is cut."""
_RESERVED, _MOST_RESERVED = 50, 256_000_000
"""A fiftieth of the file system, and at most these bytes, are not for traces."""


class TraceFile:
    """One stream, in the directory of its place. `cap` is asked for each new part, because it follows the disk."""

    def __init__(self, directory: Path, name: str, cap: Callable[[], int]) -> None:
        self._directory = directory
        self._active = directory / (name + SUFFIX)
        self._ask_cap = cap
        self.cap = cap()
        """Bytes that the stream may have."""
        self.ours = directory.is_dir() and directory.stat().st_uid == os.geteuid()
        """Whether the directory is that of this process's account: nobody else writes there."""

    def append(self, lines: Sequence[bytes]) -> None:
        """Writes whole lines, each with its end. Raises OSError; then some of them may be missing, none is torn."""
        left = list(lines)
        while left:
            with self._locked() as descriptor:
                taken = self._append_some(descriptor, left)
                if not taken:
                    self._rotate()
            del left[:taken]

    def parts(self) -> list[Path]:
        """The finished parts, oldest first."""
        found = self._directory.glob(self._active.name + ".*")
        return sorted((part for part in found if part.suffix[1:].isdigit()), key=_number)

    def everything(self) -> list[Path]:
        """All files of the stream, oldest first."""
        return [*self.parts(), *([self._active] if self._active.exists() else [])]

    def size(self) -> int:
        """Bytes on disk."""
        return sum(map(_size, self.everything()))

    def erase(self) -> None:
        """Erases the whole stream. Raises OSError."""
        for part in self.everything():
            erase_file(part)

    def _part(self) -> int:
        """Bytes that a part may have."""
        return max(self.cap // PARTS_PER_CAP, _LINES_PER_PART)

    def _append_some(self, descriptor: int, lines: Sequence[bytes]) -> int:
        """Writes as many lines as the part has room for; returns how many. Raises OSError."""
        size, part = os.fstat(descriptor).st_size, self._part()
        room, chosen = part - size, list[bytes]()
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # whoever wrote it was killed within a line
            chosen.append(b"\n")
            room -= 1
        taken = 0
        for line in lines:
            cut = _cut(line, part // _LINES_PER_PART)
            if len(cut) > room:
                break
            chosen.append(cut)
            room -= len(cut)
            taken += 1
        if taken:
            _leave_room(descriptor)
            _write(descriptor, b"".join(chosen), size)
        return taken

    def _rotate(self) -> None:
        """Makes room for the next part, then ends the one being written. Raises OSError."""
        parts = self.parts()
        self.cap = cap = self._ask_cap()
        total, part = self.size(), self._part()
        for oldest in parts:
            if total + part <= cap:
                break
            total -= _size(oldest)
            erase_file(oldest)
        number = _number(parts[-1]) + 1 if parts else 1
        self._active.rename(self._active.with_name(f"{self._active.name}.{number}"))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The part being written, with its lock. Raises OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            descriptor = os.open(self._active, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _is(descriptor, self._active):  # else another process has ended this part meanwhile
                    yield descriptor
                    return
            finally:
                os.close(descriptor)


def _leave_room(descriptor: int) -> None:
    """The last of a file system is left to the log daemon. Raises OSError."""
    disk = os.fstatvfs(descriptor)
    if disk.f_bavail * disk.f_frsize < min(disk.f_blocks * disk.f_frsize // _RESERVED, _MOST_RESERVED):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _write(descriptor: int, data: bytes, size: int) -> None:
    """Appends, or leaves the file as it was. Raises OSError."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _cut(line: bytes, longest: int) -> bytes:
    return line if len(line) <= longest else line[: max(longest - 5, 0)] + b" ...\n"


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _number(part: Path) -> int:
    return int(part.suffix[1:])


def _size(part: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # another process has erased it at this moment
        return part.stat().st_size
    return 0
