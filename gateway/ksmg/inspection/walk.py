"""The walk over a message's MIME parts: headers first, bodies only as far as a part's type and size need it.

Source: RFC 2045, RFC 2046. It goes from the outside in: a delimiter of an outer multipart ends all within it.
"""

import time
from dataclasses import dataclass

from ksmg.inspection import decoding
from ksmg.inspection.boundaries import Delimiters, find_delimiter, find_delimiters, looks_like_parts
from ksmg.inspection.declaration import FORWARD, TEXT, Declaration, declare, is_message, is_multipart
from ksmg.inspection.embedded import MOST_FILES, EmbeddedFile, embedded_files
from ksmg.inspection.fields import Content, HeaderSection, read_section
from ksmg.inspection.limits import Limits
from ksmg.inspection.names import fallback_names, file_names
from ksmg.inspection.parameters import Reading
from ksmg.inspection.types import BEGINNING, EMPTY, UNKNOWN, true_type
from ksmg.mail.readable import readable
from ksmg.mail.structure import Part, Problem, Structure

_MOST_PROBLEMS = 20
"""Problems that are told of one message; one alone makes it unscanned."""
_LEAST_EMBEDDED = 8
"""Bytes of a preamble or epilogue that can hold a file."""
_DECODED = {decoding.BASE64, decoding.QUOTED, decoding.UU}


class OutOfTime(Exception):
    """The time for the walk is over."""


@dataclass(slots=True)
class _Place:
    """Where a part stands: in the message itself, or in a part of it that was decoded."""

    content: Content
    start: int
    end: int
    parent: int = -1
    depth: int = 0
    default: str = TEXT
    """Its type when it declares none."""
    within: tuple[int, int, int] | None = None
    """Offsets (start, body, end) that are told for all parts of a decoded one: those of the part that holds it."""
    body: int = 0

    def child(self, start: int, end: int, parent: int, default: str = TEXT) -> "_Place":
        """The place of a part within this one, whose number is `parent`."""
        return _Place(self.content, start, end, parent, self.depth + 1, default, self.within)

    @property
    def told(self) -> tuple[int, int, int]:
        """Offsets in the spooled file."""
        return self.within or (self.start, self.body, self.end)


@dataclass(frozen=True, slots=True)
class Body:
    """Where a part's body really is: in the message, or in a part of it that was decoded."""

    content: Content
    start: int
    end: int
    encoding: str

    def decoded(self) -> bytes:
        """The whole body, decoded."""
        return decoding.decode_all(self.content, self.start, self.end, self.encoding)


def walk(content: Content, size: int, limits: Limits, deadline: float | None = None) -> Structure:
    """The structure of a message. Raises OutOfTime when it takes beyond `deadline` (of time.monotonic())."""
    return walk_bodies(content, size, limits, deadline)[0]


def walk_bodies(
    content: Content, size: int, limits: Limits, deadline: float | None = None
) -> tuple[Structure, list[Body]]:
    """The same, with each part's body for those who look into it."""
    walker = _Walker(limits, deadline)
    walker.part(_Place(content, 0, size))
    walker.compare_boundaries()
    return Structure(tuple(walker.parts), tuple(walker.problems)), walker.bodies


def names_within(content: Content, size: int, limits: Limits, deadline: float | None = None) -> tuple[str, ...]:
    """The names of a message's attachments, for who needs nothing else of it: no file is decoded or measured.

    Raises OutOfTime.
    """
    walker = _Walker(limits, deadline, names_only=True)
    walker.part(_Place(content, 0, size))
    return Structure(tuple(walker.parts)).attachment_names


class _Walker:
    def __init__(self, limits: Limits, deadline: float | None, *, names_only: bool = False) -> None:
        self.parts: list[Part] = []
        self.bodies: list[Body] = []
        self.problems: dict[tuple[Problem, str], None] = {}
        self._limits = limits
        self._deadline = deadline
        self._names_only = names_only
        self._boundaries: dict[bytes, list[tuple[Content, int, int]]] = {}
        self._odd_lines: set[bytes] = set()

    def _tick(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise OutOfTime

    def _problem(self, problem: Problem, detail: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems[problem, readable(detail)] = None

    def _doubt(self, detail: str) -> None:
        self._problem(Problem.AMBIGUOUS, detail)

    def _full(self) -> bool:
        if len(self.parts) < self._limits.parts:
            return False
        self._problem(Problem.PARTS, f"more than {self._limits.parts} parts")
        return True

    def part(self, place: _Place) -> None:
        """Adds a part and all within it."""
        self._tick()
        if place.depth > self._limits.depth:
            return self._problem(Problem.DEPTH, f"more than {self._limits.depth} parts within each other")
        if self._full():
            return None
        section = read_section(place.content, place.start, place.end, self._limits)
        place.body = min(section.body, place.end)
        declared = declare(section.types, section.dispositions, section.encodings, self._limits.names)
        content_type = declared.content_type or place.default
        if declared.problems or section.odd:
            self._note(section, declared, content_type)
        if is_multipart(content_type):
            return self._multipart(place, declared, content_type)
        if is_message(content_type):
            return self._message(place, declared, content_type)
        return self._leaf(place, section, declared, content_type)

    def _note(self, section: HeaderSection, declared: Declaration, content_type: str) -> None:
        for problem, detail in declared.problems:
            self._problem(problem, detail)
        for doubt in section.doubts:
            self._doubt(doubt)
        if section.too_long:
            self._problem(Problem.HEADER, "a header section beyond the limits")
        if section.cut_short and (declared.encoding or not content_type.startswith("text/")):
            self._doubt("a header section that ends at a line without a colon")

    def _add(
        self, place: _Place, declared: Declaration, content_type: str, names: tuple[str, ...], kind: str, size: int
    ) -> int:
        number = len(self.parts)
        start, body, end = place.told
        self.bodies.append(Body(place.content, place.body, place.end, declared.encoding))
        self.parts.append(
            Part(
                number,
                place.parent,
                place.depth,
                content_type,
                kind,
                declared.charset,
                declared.encoding,
                declared.disposition,
                names,
                start,
                body,
                end,
                size,
                not kind,
            )
        )
        return number

    def _leaf(self, place: _Place, section: HeaderSection, declared: Declaration, content_type: str) -> None:
        content, body, end, encoding = place.content, place.body, place.end, declared.encoding
        names = declared.names
        if content_type.startswith("text/"):
            text = decoding.decode_all(content, body, end, encoding, self._tick)
            kind, size = true_type(text[:BEGINNING]), len(text)
        else:
            text = b""
            kind, size = (UNKNOWN, 0) if self._names_only else self._measured(content, body, end, encoding)
            names = names or fallback_names(section.descriptions, section.locations)
        number = self._add(place, declared, content_type, names, kind, size)
        if encoding == decoding.BASE64 and not text and decoding.base64_doubt(content, body, end):
            self._doubt("base64 that goes on after its padding")
        if not declared.known_encoding:
            self._doubt_encoding(content, body, end, kind)
        if text and (files := embedded_files(text)):
            plain = encoding not in _DECODED
            self._embedded(place, number, files, content if plain else text, body if plain else None)

    def _measured(self, content: Content, body: int, end: int, encoding: str) -> tuple[str, int]:
        """Type and decoded size of a file."""
        kind = true_type(decoding.beginning(content, body, end, encoding, BEGINNING))
        return kind, decoding.decoded_size(content, body, end, encoding, self._tick)

    def _doubt_encoding(self, content: Content, body: int, end: int, kind: str) -> None:
        """Clients take an unknown encoding for none, or guess one."""
        guess = true_type(decoding.beginning(content, body, end, decoding.BASE64, BEGINNING))
        if guess != kind and guess not in (UNKNOWN, EMPTY):
            self._doubt("an unknown Content-Transfer-Encoding")

    def _embedded(self, place: _Place, parent: int, files: list[EmbeddedFile], text: Content, base: int | None) -> None:
        """Adds files within a text that begins at `base` of its content; None: within `text`, which was decoded."""
        if len(files) > MOST_FILES:
            self._problem(Problem.PARTS, f"more than {MOST_FILES} files within a text")
        for file in files[:MOST_FILES]:
            if self._full():
                return
            at = base or 0
            within = None if base is not None else place.told
            spot = _Place(text, at + file.start, at + file.end, parent, place.depth + 1, TEXT, within or place.within)
            spot.body = at + file.body
            names = file_names((Reading(b"", (("name", file.raw_name),)),), self._limits.names)
            shown = Declaration(UNKNOWN, "", file.encoding, True, "attachment", names, (), ())
            self._add(spot, shown, UNKNOWN, names[: self._limits.names], file.true_type, file.size)

    def _multipart(self, place: _Place, declared: Declaration, content_type: str) -> None:
        number = self._add(place, declared, content_type, declared.names, "", place.end - place.body)
        found = self._delimiters(place, declared)
        if found is None:
            return
        if found.bare_return:
            self._doubt("a delimiter line after a bare carriage return")
        if found.too_many:
            self._problem(Problem.PARTS, f"more than {self._limits.parts} parts")
        self._odd_lines.update(found.odd)
        self._around(place, number, place.body, found.first)
        default = FORWARD if content_type == "multipart/digest" else TEXT
        for start, stop in found.parts:
            self.part(place.child(start, stop, number, default))
        if found.close >= 0:
            self._around(place, number, found.close, place.end)

    def _around(self, place: _Place, number: int, start: int, end: int) -> None:
        """Preamble and epilogue: clients that understand no MIME show them."""
        if end - start > _LEAST_EMBEDDED and (files := embedded_files(place.content[start:end])):
            self._embedded(place, number, files, place.content, start)

    def _delimiters(self, place: _Place, declared: Declaration) -> Delimiters | None:
        """Where the parts are; None when no boundary leads to any."""
        content, body, end = place.content, place.body, place.end
        used: list[Delimiters] = []
        for boundary in declared.boundaries:
            found = find_delimiters(content, body, end, boundary, self._limits.parts, self._tick)
            self._boundaries.setdefault(boundary, []).append((content, body, end))
            if found.first >= 0:
                used.append(found)
        if declared.encoding in _DECODED:
            self._doubt_encoded_multipart(place, declared)
        if len(used) > 1 and len({tuple(found.parts) for found in used}) > 1:
            self._doubt("a boundary that can be read in more than one way")
        if not used and looks_like_parts(content, body, end):
            self._doubt("a multipart whose boundary is not the one that its parts have")
        return used[0] if used else None

    def _doubt_encoded_multipart(self, place: _Place, declared: Declaration) -> None:
        """A multipart must not be encoded (RFC 2045 6.4); some clients decode it all the same."""
        plain = decoding.decode_all(place.content, place.body, place.end, declared.encoding, self._tick)
        most = self._limits.parts
        for boundary in declared.boundaries:
            raw = find_delimiters(place.content, place.body, place.end, boundary, most, self._tick)
            other = find_delimiters(plain, 0, len(plain), boundary, most, self._tick)
            if len(other.parts) != len(raw.parts) and other.parts:
                self._doubt("an encoded multipart")

    def _message(self, place: _Place, declared: Declaration, content_type: str) -> None:
        if declared.encoding not in _DECODED:
            number = self._add(place, declared, content_type, declared.names, "", place.end - place.body)
            return self.part(place.child(place.body, place.end, number))
        # RFC 2046 5.2.1 forbids to encode it, and clients decode it all the same
        plain = decoding.decode_all(place.content, place.body, place.end, declared.encoding, self._tick)
        number = self._add(place, declared, content_type, declared.names, "", len(plain))
        return self.part(_Place(plain, 0, len(plain), number, place.depth + 1, TEXT, place.told))

    def compare_boundaries(self) -> None:
        """Doubts boundaries that only some clients tell apart, and delimiters outside of their multipart."""
        known = self._boundaries
        if self._odd_lines:
            lines = {b"--" + boundary + tail for boundary in known for tail in (b"", b"--")}
            if not self._odd_lines <= lines:
                self._doubt("a line that begins like a delimiter and goes on")
        if len(known) > 1 and any(boundary + b"--" in known for boundary in known):
            self._doubt("a boundary that is another one's end")
        for boundary, ranges in known.items():
            for content, _, end in ranges:
                self._doubt_stray(content, boundary, end, ranges)

    def _doubt_stray(self, content: Content, boundary: bytes, end: int, ranges: list[tuple[Content, int, int]]) -> None:
        at = _stray(content, b"--" + boundary, max(0, end - 1))
        if at >= 0 and not any(inside is content and start - 1 <= at <= stop for inside, start, stop in ranges):
            after = at + 3 + len(boundary)
            rest = content[after : after + 200].partition(b"\n")[0].strip()
            if rest in (b"", b"--"):
                self._doubt("a delimiter outside of its multipart")


def _stray(content: Content, delimiter: bytes, start: int) -> int:
    """The offset of the first line break that a delimiter follows, -1 when there is none."""
    if find_delimiter(content, delimiter, start, len(content)) < 0:
        return -1
    return content.find(b"\n" + delimiter, start)
