"""Where the parts of a multipart begin and end: its delimiter lines.

Source: RFC 2046 5.1.1. A delimiter is a line of its own: two hyphens, the boundary, nothing but white space. A line
that only begins so is one for some clients and none for others.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ksmg.inspection.fields import Content
from ksmg.inspection.parameters import Reading

_HYPHENS = 8
"""Hyphens that are looked at one by one before a text counts as one that has many."""
_LONGEST_REST = 1_000
"""Bytes after a boundary that are looked at; a longer line is no delimiter for anybody, or is doubted."""
_PART_LIKE = re.compile(rb"\n--[^\r\n]{0,200}\r?\n(?:[!-9;-~]{1,80}:[^\r\n]{0,1000}\r?\n)?content-", re.IGNORECASE)
_MOST_LOOKS = 1_000


@dataclass(slots=True)
class Delimiters:
    """The delimiter lines of one boundary within a body."""

    parts: list[tuple[int, int]] = field(default_factory=list)
    """Start and end of each part, without the line break before the next delimiter."""
    first: int = -1
    """Offset of the first delimiter; the preamble is before it. -1: there is none."""
    close: int = -1
    """Offset after the last closing delimiter; -1 when none closes."""
    odd: list[bytes] = field(default_factory=list)
    """Lines that only begin like one."""
    bare_return: bool = False
    """Whether one stands after a CR without LF, where only some clients see a line's beginning."""
    too_many: bool = False


def find_delimiters(
    content: Content, start: int, end: int, boundary: bytes, most: int, tick: Callable[[], None]
) -> Delimiters:
    """All delimiters of a boundary between two offsets. `tick` is called now and then, to end what takes too long."""
    found = Delimiters()
    delimiter = b"--" + boundary
    opened, at, turns = -1, find_delimiter(content, delimiter, start, end), 0
    while at >= 0:
        turns += 1
        if not turns & 63:
            tick()
        after = at + len(delimiter)
        line_end, closing = _line(content, start, at, after, end, found)
        if line_end >= 0:
            if opened >= 0:
                found.parts.append((opened, _before_break(content, opened, at)))
            found.first = at if found.first < 0 else found.first
            opened = -1 if closing else line_end
            found.close = line_end if closing else found.close
            if len(found.parts) > most:
                found.too_many = True
                return found
            after = max(after, line_end - 1)
        at = find_delimiter(content, delimiter, after, end)
    if opened >= 0:
        found.parts.append((opened, end))
    return found


def find_delimiter(content: Content, delimiter: bytes, start: int, end: int) -> int:
    """The offset of a delimiter, -1 when there is none.

    Base64 has no hyphen, and one byte is looked for forty times as fast as several.
    """
    at = start
    for _ in range(_HYPHENS):
        at = content.find(b"-", at, end)
        if at < 0 or content[at : at + len(delimiter)] == delimiter:
            return at if at + len(delimiter) <= end else -1
        at += 1
    return content.find(delimiter, at, end)


def _line(content: Content, start: int, at: int, after: int, end: int, found: Delimiters) -> tuple[int, bool]:
    """The offset after a delimiter's line, -1 when it is none, and whether it closes."""
    if at > start and content[at - 1] != 10:
        found.bare_return = found.bare_return or content[at - 1] == 13
        return -1, False
    newline = content.find(b"\n", after, min(end, after + _LONGEST_REST))
    stop = newline + 1 if newline >= 0 else min(end, after + _LONGEST_REST)
    rest = content[after:stop].rstrip(b" \t\r\n")
    if rest in (b"", b"--"):
        return stop, bool(rest)
    if len(found.odd) <= 100:
        found.odd.append(content[at:stop].rstrip(b" \t\r\n"))
    return -1, False


def _before_break(content: Content, start: int, at: int) -> int:
    """The end of a part whose next delimiter stands at `at`: the line break before it belongs to the delimiter."""
    if at - 2 >= start and content[at - 2] == 13:
        return at - 2
    return max(start, at - 1)


def boundary_candidates(readings: Iterable[Reading]) -> tuple[bytes, ...]:
    """The boundaries that clients could take out of a Content-Type, the most usual first. Empty ones are left out."""
    found: dict[bytes, None] = {}
    for reading in readings:
        pieces: dict[int, bytes] = {}
        for key, value in reading.parameters:
            if key == "boundary":
                found.update(dict.fromkeys((value.rstrip(), value.split(b"(")[0].rstrip())))
                if b"\\" in value:
                    found[re.sub(rb"\\(.)", rb"\1", value).rstrip()] = None
            elif key in ("boundary*", "boundary*0*"):
                pieces[0] = _plain(value)
            elif match := re.fullmatch(r"boundary\*(\d{1,3})\*?", key):
                pieces[int(match[1])] = value
        if pieces:
            found[b"".join(piece for _, piece in sorted(pieces.items())).rstrip()] = None
    found.pop(b"", None)
    return tuple(found)


def _plain(value: bytes) -> bytes:
    return value.rpartition(b"'")[2] if value.count(b"'") >= 2 else value


def looks_like_parts(content: Content, start: int, end: int) -> bool:
    """Whether a body has a delimiter line with a header section behind it, whatever its boundary."""
    at = content.find(b"\n--", max(0, start - 1), end)
    for _ in range(_MOST_LOOKS):
        if at < 0:
            return False
        if _PART_LIKE.match(content, at, end):
            return True
        at = content.find(b"\n--", at + 3, end)
    return True
