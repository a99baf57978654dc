"""The spooled message as bytes: header fields and delimiter lines at the offsets that the inspection found."""

import contextlib
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from ksmg.mail.spool import SpooledMessage
from ksmg.mail.structure import Part, Structure

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_PARAMETER = re.compile(rb';\s*([^\s=;"()]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;]*)', re.DOTALL)
_CONTENT_TYPE = re.compile(rb"\s*[!-9;-~]+/[!-:<-~]+\s*(?:" + _PARAMETER.pattern + rb"\s*)*;?\s*", re.DOTALL)
_LONGEST_VALUE = 2000
"""Bytes of a Content-Type that is read; none in use comes near."""
IDENTITY = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that change nothing."""


@dataclass(frozen=True)
class Field:
    """A header field. `value` is everything after the colon, without the last line end."""

    name: bytes
    value: bytes

    @property
    def raw(self) -> bytes:
        """The field as it stands in the message."""
        return self.name + b":" + self.value + b"\r\n"


def header_fields(spooled: SpooledMessage) -> Iterator[tuple[bytes, bytes]]:
    """Name and value of the message's own fields, lines of a value separated by LF as the mail server has them."""
    with Source(spooled) as source:
        for field in source.fields(0, source.body):
            yield field.name, field.value.replace(b"\r\n", b"\n")


class Source:
    """A spooled message, open for reading."""

    def __init__(self, spooled: SpooledMessage, structure: Structure | None = None) -> None:
        """Raises OSError."""
        self.parts = structure.parts if structure else ()
        self._children: dict[int, list[Part]] = {}
        for part in self.parts:
            self._children.setdefault(part.parent, []).append(part)
        self.content = spooled.content() if spooled.in_memory else _mapped(spooled)
        self.size = len(self.content)
        blank = self.content.find(b"\r\n\r\n")
        starts_blank = self.content[:2] == b"\r\n"
        self.body = 2 if starts_blank else self.size if blank < 0 else blank + 4
        """Offset of the message's body."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.content, mmap.mmap):
            with contextlib.suppress(BufferError):  # it closes with the last slice that somebody still holds
                self.content.close()

    def children(self, part: Part) -> list[Part]:
        """The parts of a container, in order."""
        return self._children.get(part.number, [])

    def ancestors(self, part: Part) -> Iterator[Part]:
        """The containers of a part, the nearest first."""
        while part.parent >= 0:
            part = self.parts[part.parent]
            yield part

    def located(self, part: Part) -> bool:
        """Whether the offsets of a part are those of the file: not when it stands in something encoded."""
        return all(map(self._inside, (part, *self.ancestors(part))))

    def _inside(self, part: Part) -> bool:
        if not 0 <= part.start <= part.body <= part.end <= self.size:
            return False
        if part.parent < 0:
            return part.start == 0 and part.body == self.body
        parent = self.parts[part.parent]
        return parent.body <= part.start and part.end <= parent.end and parent.encoding in IDENTITY

    def fields(self, start: int, body: int) -> list[Field]:
        """The fields of a header section. Lines that are none are left out."""
        section = bytes(self.content[start:body]).replace(b"\r\n", b"\n")
        found, at = [], 0
        while at < len(section):
            match = _FIELD.match(section, at)
            if match and match.end() > at:
                found.append(Field(match[1], match[2].replace(b"\n", b"\r\n")))
                at = match.end()
            else:
                at = section.find(b"\n", at) + 1 or len(section)
        return found

    def delimiter(self, part: Part) -> bytes:
        """The line before a part of a multipart, without its line end: two hyphens and the boundary."""
        end = part.start - 2 if self.content[part.start - 2 : part.start] == b"\r\n" else part.start
        begin = self.content.rfind(b"\n", 0, max(end, 0)) + 1
        line = bytes(self.content[begin:end])
        return line if line.startswith(b"--") else b""

    def delimiters(self, part: Part) -> tuple[bytes, ...]:
        """The delimiters around a part: no line of it may begin with one."""
        path = [part, *self.ancestors(part)]
        lines = (self.delimiter(one).rstrip() for one in path if self._in_multipart(one))
        return tuple(line for line in lines if line)

    def _in_multipart(self, part: Part) -> bool:
        return part.parent >= 0 and self.parts[part.parent].content_type.startswith("multipart/")


def _mapped(spooled: SpooledMessage) -> bytes | mmap.mmap:
    with spooled.path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if spooled.size else b""


def parameters(value: bytes) -> dict[str, bytes]:
    """The parameters of a Content-Type value, names in lower case, values without quotes."""
    return {
        match[1].decode("ascii", "replace").lower(): match[2].strip(b'"')
        for match in _PARAMETER.finditer(value[:_LONGEST_VALUE])
    }


def with_charset(value: bytes, content_type: str, charset: str) -> bytes:
    """A Content-Type value with another charset and its other parameters; only type and charset when it is broken."""
    text = f' charset="{charset}"'.encode("ascii")
    if len(value) > _LONGEST_VALUE or not _CONTENT_TYPE.fullmatch(value):
        return f" {content_type};".encode("ascii", "replace") + text
    kept = _PARAMETER.sub(lambda match: b"" if match[1].lower().startswith(b"charset") else match[0], value)
    return kept.rstrip(b"; \t\r\n") + b";" + text
