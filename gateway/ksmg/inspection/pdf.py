"""PDF: whether it is encrypted, and the files and scripts in it. Not a reader: it looks at names wherever they stand.

Source: ISO 32000-1 7.3.5 (names), 7.5.7 (object streams), 7.6 (encryption), 7.11 (files), 12.6.4 (actions).
"""

import re
import time
import zlib
from collections.abc import Iterator

from ksmg.inspection.budget import Budget
from ksmg.mail.structure import Problem

_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_NAME = re.compile(rb"/[A-Za-z#][A-Za-z0-9#]{1,60}")
_STREAM = re.compile(rb"stream\r?\n")
_FILE_NAME = re.compile(rb"/U?F\s{0,10}(?:\(((?:[^()\\]|\\.){0,500})\)|<([0-9A-Fa-f\s]{0,1000})>)", re.DOTALL)
_DICTIONARY_BYTES = 2_000
"""Bytes before a stream in which its dictionary stands."""
_BOMB = 16_777_216
"""Bytes of one stream of objects, or of one embedded file, that are unpacked."""
_SCRIPTS = (b"/JavaScript", b"/JS", b"/Launch")
_FILES = (b"/Filespec", b"/EmbeddedFile", b"/EF")
_ENCRYPTED = b"/Encrypt"
_TELLING = frozenset({*_SCRIPTS, *_FILES, _ENCRYPTED, b"/ObjStm"})


def plain_pdf(data: bytes, deadline: float) -> bool:
    """Whether `PdfContent` would find nothing in it: cheap enough to ask before a worker is made.

    Where it cannot be told until `deadline` (of time.monotonic()), it is not.
    """
    known: set[bytes] = set()
    for match in _NAME.finditer(data):
        name = match[0]
        if name not in known:
            known.add(name)
            if _plain(name) in _TELLING or time.monotonic() > deadline:
                return False
    return all(time.monotonic() < deadline and not _holds_files(found) for _, found in _dictionaries(data))


class PdfContent:
    """What was found in a PDF."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self.names: set[bytes] = set()
        self.file_names: list[str] = []
        self.files: list[bytes] = []
        self._read(data)
        for dictionary, content in self._streams():
            if b"/ObjStm" in dictionary:
                self._read(content)
            elif b"/EmbeddedFile" in dictionary:
                self.files.append(content)

    @property
    def encrypted(self) -> bool:
        """Whether it is encrypted, with or without a password to open it."""
        return _ENCRYPTED in self.names

    @property
    def scripts(self) -> list[str]:
        """Kinds of scripts and actions in it that start something."""
        return [name[1:].decode() for name in _SCRIPTS if name in self.names]

    def _read(self, data: bytes) -> None:
        for name in dict.fromkeys(_NAME.findall(data)):
            self.names.add(_plain(name))
        self._budget.check_time()
        if not self.names.isdisjoint(_FILES):
            self.file_names += [_text(match) for match in _FILE_NAME.finditer(data)][:100]

    def _streams(self) -> Iterator[tuple[bytes, bytes]]:
        """Dictionary and unpacked content of the streams that matter."""
        for start, dictionary in _dictionaries(self._data):
            self._budget.check_time()
            if _holds_files(dictionary):
                end = self._data.find(b"endstream", start)
                raw = self._data[start : end if end >= 0 else len(self._data)]
                yield dictionary, self._unpacked(raw) if b"/Fl" in dictionary else raw

    def _unpacked(self, raw: bytes) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            content = unpacker.decompress(raw, _BOMB)
        except zlib.error as error:
            self._budget.note(Problem.BROKEN, f"a PDF with a broken stream: {error}")
            return b""
        if unpacker.unconsumed_tail:
            self._budget.note(Problem.EXPANDED, f"a PDF with a stream of more than {_BOMB} bytes")
        self._budget.count_bytes(len(content))
        return content


def _dictionaries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each stream begins, and its dictionary."""
    for match in _STREAM.finditer(data):
        before = data[max(0, match.start() - _DICTIONARY_BYTES) : match.start()]
        yield match.end(), _plain(before.rpartition(b" obj")[2])


def _holds_files(dictionary: bytes) -> bool:
    """Whether a stream holds objects or a file."""
    return b"/ObjStm" in dictionary or b"/EmbeddedFile" in dictionary


def _plain(raw: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), raw) if b"#" in raw else raw


def _text(match: re.Match[bytes]) -> str:
    """A string object: in parentheses or hexadecimal; UTF-16 with its mark, or about Latin-1."""
    raw: bytes = match[1] if match[2] is None else _hexadecimal(match[2])
    return raw[2:].decode("utf-16-be", "replace") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")


def _hexadecimal(digits: bytes) -> bytes:
    text = b"".join(digits.split()).decode("ascii")
    return bytes.fromhex(text + "0" * (len(text) % 2))
