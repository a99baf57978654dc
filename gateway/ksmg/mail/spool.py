"""The spool: each message on its way, exactly as received, in memory while it is small, and a file for who needs one.

Scanners read the file and stores copy it. The files are what the data policy calls temporary: gone when the verdict is
given, and emptied when the application restarts.
"""

import contextlib
import os
import random
import shutil
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ksmg.mail.readable import decoded_header

LARGEST_IN_MEMORY = 131_072
"""Bytes of a message that is kept in memory until somebody wants its file."""
_NAMES = random.Random()
"""Names only have to differ; nobody else may write to the directory."""
_BUFFER = 65_536
_LONGEST_KEPT_VALUE = 65_536


class SpooledMessage:
    """One message being received. It has CRLF line ends, header fields as the mail server passed them on.

    When a large one cannot be written (`failure` says why), the rest is dropped and the message counts as unscanned.
    """

    def __init__(self, directory: str) -> None:
        self.size = 0
        self.failure: OSError | None = None
        self.header_counts: Counter[bytes] = Counter()
        self._directory = directory
        self._path = Path()
        self._pieces: list[bytes] = []
        self._kept: dict[bytes, tuple[bytes, bytes]] = {}
        self._in_body = False
        self._file: BinaryIO | None = None

    @property
    def path(self) -> Path:
        """Its file, made when somebody first asks for it. Raises OSError when it cannot be written."""
        if self.failure:
            raise self.failure
        if self._file is None:
            self._to_file()
        if self._file is not None:
            self._file.flush()
        return self._path

    def content(self) -> bytes:
        """All of it. Raises OSError. Not for messages of any size."""
        return b"".join(self._pieces) if self._file is None and not self.failure else self.path.read_bytes()

    def room(self) -> int:
        """Bytes that are free where its file is, or would be. Raises OSError."""
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize

    @property
    def in_memory(self) -> bool:
        """Whether it needs no file to be read."""
        return self._file is None and not self.failure

    def add_header(self, name: bytes, value: bytes) -> None:
        """Spools one field; its value begins with whatever stood after the colon, its lines are separated by LF."""
        folded = name.lower()
        self.header_counts[folded] = self.header_counts.get(folded, 0) + 1
        if folded in _KEPT_HEADERS and folded not in self._kept:
            self._kept[folded] = (name, value[:_LONGEST_KEPT_VALUE])
        self._write(b"%b:%b\r\n" % (name, value.replace(b"\n", b"\r\n") if b"\n" in value else value))

    def add_body(self, data: bytes) -> None:
        """Spools a piece of the body; the first one ends the headers."""
        if not self._in_body:
            self._in_body = True
            self._write(b"\r\n")
        self._write(data)

    def finish(self, data: bytes = b"") -> None:
        """Spools the last piece and makes the message readable for the scanners."""
        self.add_body(data)
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            self._fail(error)

    def header(self, name: bytes) -> tuple[bytes, bytes] | None:
        """Name and raw value of the first Subject, Message-ID or Content-* field; None when the message has none."""
        return self._kept.get(name.lower())

    def text(self, name: bytes) -> str:
        """The value of such a field for people; empty when the message has none."""
        field = self.header(name)
        return decoded_header(field[1]) if field else ""

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        if self.failure:
            return
        try:
            if self._file is not None:
                self._file.write(data)
                return
            self._pieces.append(data)
            if self.size > LARGEST_IN_MEMORY:
                self._to_file()
        except OSError as error:
            self._fail(error)

    def _to_file(self) -> None:
        self._path = Path(self._directory, f"{_NAMES.getrandbits(128):032x}.eml")
        self._file = open(self._path, "xb", buffering=_BUFFER, opener=_private)  # noqa: SIM115 - closed in __exit__
        self._file.writelines(self._pieces)
        self._pieces = []

    def _fail(self, error: OSError) -> None:
        self.failure = self.failure or error
        self._pieces = []
        self._remove()

    def _remove(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # closing flushes, and there may be no space: the message goes anyway
                self._file.close()
            self._path.unlink(missing_ok=True)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()


class Spool:
    """The directory of the messages on their way."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._place = str(directory)

    def empty(self) -> None:
        """Removes what an earlier run left. Raises OSError when the directory is missing or not ours."""
        for entry in self._directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)

    def new_message(self) -> SpooledMessage:
        """A message that begins. Its file, if it gets one, is removed when the `with` block ends."""
        return SpooledMessage(self._place)


_KEPT_HEADERS = frozenset({b"subject", b"message-id", b"content-type", b"content-disposition"})


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
