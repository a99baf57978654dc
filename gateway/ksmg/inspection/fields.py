"""The header section of a MIME part: where it ends, and its Content-* fields with all their repetitions.

Source: RFC 5322 2.2 and 3.6.8, RFC 2045 3; what parsers do with malformed lines is Python's, Postfix's and clients'.
"""

import mmap
import re
from dataclasses import dataclass

from ksmg.inspection.limits import Limits

Content = bytes | mmap.mmap
"""A message, or a part of one that was decoded."""

_WELL_FORMED = re.compile(rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+)*+")
_FIELD = re.compile(rb"\ncontent-([a-z-]+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)")
_NAME = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]")
_MOST_FIELDS = 200
"""Content-* fields of one section that are read."""
_ENVELOPE_LINE = re.compile(rb">?From ")
_READ = {
    b"type": "types",
    b"disposition": "dispositions",
    b"transfer-encoding": "encodings",
    b"description": "descriptions",
    b"location": "locations",
}


@dataclass(slots=True)
class HeaderSection:
    """The Content-* fields of one header section: raw values in order."""

    body: int
    """Offset of the body."""
    types: tuple[bytes, ...] = ()
    dispositions: tuple[bytes, ...] = ()
    encodings: tuple[bytes, ...] = ()
    descriptions: tuple[bytes, ...] = ()
    locations: tuple[bytes, ...] = ()
    doubts: tuple[str, ...] = ()
    """Where parsers are known to differ, for people."""
    too_long: bool = False
    cut_short: bool = False
    """Whether a line that is no field ended it, so that other parsers would go on."""

    @property
    def odd(self) -> bool:
        """Whether there is anything to say of it."""
        return self.too_long or self.cut_short or bool(self.doubts)


def read_section(content: Content, start: int, end: int, limits: Limits) -> HeaderSection:
    """Reads the header section that begins at `start`. The part ends before `end`."""
    stop, body = _blank_line(content, start, min(end, start + limits.header_bytes))
    too_long = stop < 0 and end - start > limits.header_bytes
    if stop < 0:
        stop = body = min(end, start + limits.header_bytes)
    raw = content[start:stop]
    section = HeaderSection(body, too_long=too_long)
    if raw:
        _read_fields(section, raw, start, limits)
    return section


def _blank_line(content: Content, start: int, end: int) -> tuple[int, int]:
    """Where the section ends and where the body begins; -1 when no blank line does."""
    first = content[start : min(start + 2, end)]
    if first[:1] == b"\n" or first == b"\r\n":
        return start, start + (2 if first == b"\r\n" else 1)
    windows = content.find(b"\n\r\n", start, end)
    unix = content.find(b"\n\n", start, end if windows < 0 else windows)
    if unix >= 0:
        return unix + 1, unix + 2
    return (windows + 1, windows + 3) if windows >= 0 else (-1, -1)


def _read_fields(section: HeaderSection, raw: bytes, start: int, limits: Limits) -> None:
    matched = _WELL_FORMED.match(raw)
    if matched is None or matched.end() != len(raw):
        raw = _mend(section, raw, start)
    lines = raw.count(b"\n")
    if lines > limits.header_fields and lines - raw.count(b"\n ") - raw.count(b"\n\t") > limits.header_fields:
        section.too_long = True
    for name, value in _content_fields(raw):
        setattr(section, name, (*getattr(section, name), value))
    if raw.count(b"\r") != raw.count(b"\r\n") + raw.endswith(b"\r"):
        _doubt_bare_returns(section, raw)


def _content_fields(raw: bytes) -> list[tuple[str, bytes]]:
    text = b"\n" + raw
    lower = text.lower()
    found: list[tuple[str, bytes]] = []
    at = lower.find(b"\ncontent-")
    while at >= 0 and len(found) < _MOST_FIELDS:
        match = _FIELD.match(lower, at)
        if match and (name := _READ.get(match[1])):
            start, end = match.span(2)
            found.append((name, text[start:end]))
        at = lower.find(b"\ncontent-", match.end() if match else at + 1)
    return found


def _mend(section: HeaderSection, raw: bytes, start: int) -> bytes:
    """What counts as header when a line is no field: all before it. The line and what follows are body."""
    at = 0
    for line in raw.split(b"\n"):
        if line and not _NAME.match(line) and not (at == 0 and _ENVELOPE_LINE.match(line)):
            break
        at += len(line) + 1
    else:
        return raw
    kept, rest = raw[:at], raw[at:]
    section.cut_short = True
    if _content_fields(b"\n" + rest):
        section.doubts += ("a header line without a colon",)
        return raw
    section.body = start + at
    return kept


def _doubt_bare_returns(section: HeaderSection, raw: bytes) -> None:
    """Some clients end a line at a CR without LF: then fields, or the end of the header, are elsewhere."""
    broken = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    other = _content_fields(broken.partition(b"\n\n")[0])
    if [(name, value.strip()) for name, value in other] != [
        (name, value.replace(b"\r\n", b"\n").strip()) for name, value in _content_fields(raw)
    ]:
        section.doubts += ("a header field with a bare carriage return",)
