"""What gets into an archive: a compressed tar file that is written as a stream, bounded in bytes and in time.

Files are opened in one way only: a plain file with one name, not through a link, of the account that the data policy
names. So nobody who may write to a place can make root pack something else.
"""

import gzip
import io
import json
import os
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

_MOST_OUTPUT = 4_000_000
"""Bytes of a command's output that are taken."""
_COMMAND_SECONDS = 20.0
_LEVEL = 3
"""Of compression: logs get ten times smaller, and mail is not disturbed for longer than it has to be."""


class Bundle:
    """The tar file. What finds no room or no time is left out and listed. Its own failures are OSErrors of `target`."""

    def __init__(
        self, target: IO[bytes], most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._compressed = gzip.GzipFile("", "wb", _LEVEL, target)
        self._tar = tarfile.open(  # noqa: SIM115 - `close` ends it
            fileobj=self._compressed, mode="w|", format=tarfile.PAX_FORMAT
        )
        self.left = most
        self._clock = clock
        self._end = clock() + seconds
        self.packed: list[str] = []
        self.left_out: dict[str, str] = {}

    def add_text(self, name: str, text: str) -> None:
        """Adds text."""
        data = text.encode("utf-8", "backslashreplace")
        if self._room(name, len(data)):
            self._add(name, io.BytesIO(data), len(data), time.time())

    def add_json(self, name: str, value: Any) -> None:
        """Adds a value as JSON."""
        self.add_text(name, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")

    def add_file(self, name: str, path: Path, owner: int, most: int | None = None) -> int:
        """Adds a file of an account, or the newest `most` bytes of it; returns how many were added."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.left_out[name] = error.strerror or str(error)
            return 0
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1 or facts.st_uid != owner:
                self.left_out[name] = "not a plain file of its owner"
                return 0
            size = facts.st_size if most is None else min(facts.st_size, most)
            if not self._room(name, size):
                return 0
            file.seek(facts.st_size - size)
            self._add(name, _Whole(file, size), size, facts.st_mtime)
            if size < facts.st_size:
                self.left_out[name] = f"its first {facts.st_size - size} bytes"
        return size

    def add_stream(self, name: str, stream: IO[bytes], size: int, moment: float) -> None:
        """Adds what can be read; of a stream that ends early the rest is zeros."""
        if self._room(name, size):
            self._add(name, _Whole(stream, size), size, moment)

    def add_output(self, name: str, command: Sequence[str]) -> None:
        """Adds what a command prints, both of its outputs."""
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=_COMMAND_SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            self.left_out[name] = str(error)
            return
        self.add_text(name, done.stdout[-_MOST_OUTPUT:].decode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Ends the tar file with the list of what is in it and what is not. Raises OSError."""
        listing = json.dumps({"packed": self.packed, "left_out": self.left_out}, indent=2).encode()
        self._add("contents.json", io.BytesIO(listing), len(listing), time.time())
        self._tar.close()
        self._compressed.close()

    def _room(self, name: str, size: int) -> bool:
        if self._clock() > self._end:
            self.left_out[name] = "the time was over"
        elif size > self.left:
            self.left_out[name] = f"no room for {size} bytes"
        else:
            return True
        return False

    def _add(self, name: str, source: Any, size: int, moment: float) -> None:
        facts = tarfile.TarInfo(name)
        facts.size, facts.mtime, facts.mode = size, int(moment), 0o600
        self._tar.addfile(facts, source)
        self.left -= size
        self.packed.append(name)


class _Whole:
    """Exactly so many bytes of a file, whatever becomes of it meanwhile: a log grows, a trace is erased."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        """The next bytes."""
        wanted = min(size, self._left)
        data = self._file.read(wanted)
        data += bytes(wanted - len(data))
        self._left -= wanted
        return data
