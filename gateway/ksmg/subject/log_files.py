"""Log files as holders: found line by line, and pseudonymised in place.

A pseudonym has the length of what it replaces and is written over it where it is: no copy is made, the log daemon goes
on appending, and eviction counts what it counted. Of the gateway's own lines the subject and the names of files go too.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ksmg.retention.log_parts import log_parts
from ksmg.stores.durable import erase_file
from ksmg.subject.finding import Erasure, Finding, Kind, Outcome
from ksmg.subject.line_source import Piece, every, pieces, write_over
from ksmg.subject.matcher import Matcher, Span

_LONGEST_SHOWN = 8192
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.+-]+Z?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d")
_OF_THE_MESSAGE = re.compile(rb' (?:subject|attachments|marks)=(\[[^\]\n]*|"(?:[^"\\\n]|\\.)*|[^ \n]+)')
"""What the gateway writes of a message beside its addresses, see `filter.recorder.message_line`."""
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)')


class LogHolder:
    """One log file with its finished parts."""

    def __init__(self, row: str, active: Path, ground: str = "") -> None:
        """`ground`: why its lines are kept; empty when they are pseudonymised."""
        self.row = row
        self.place = str(active)
        self._active = active
        self._ground = ground

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The lines that name the person, oldest part first."""
        for file, line in self._lines(matcher):
            yield _finding(self.row, file, Kind.LINE, line)

    def erase(self, run: Erasure) -> Outcome:
        """Pseudonymises the lines, or counts them when there is a ground to keep them."""
        outcome = Outcome(self.row, self.place)
        if self._ground:
            outcome.kept = sum(1 for _ in self.find(run.matcher))
            outcome.grounds = [self._ground] if outcome.kept else []
            return outcome
        for _, descriptor in every(self._files, os.O_RDWR):
            outcome.pseudonymised += _cover(descriptor, run)
        return outcome

    def _files(self) -> list[Path]:
        return [*log_parts(self._active), self._active]

    def _lines(self, matcher: Matcher) -> Iterator[tuple[Path, Piece]]:
        for file, descriptor in every(self._files):
            for line in suspicious_lines(descriptor, matcher):
                if matcher.spans(line.data):
                    yield file, line


class TraceHolder:
    """One stream of traces. It has the content of messages, in pieces that name nobody: it goes as a whole."""

    def __init__(self, row: str, active: Path) -> None:
        self.row = row
        self.place = str(active)
        self._active = active

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The lines that name the person."""
        for file, descriptor in every(self._files):
            for line in suspicious_lines(descriptor, matcher):
                if matcher.spans(line.data):
                    yield _finding(self.row, file, Kind.TRACE, line)

    def erase(self, run: Erasure) -> Outcome:
        """Erases the stream when the person is in it."""
        found = sum(1 for _ in self.find(run.matcher))
        if not found:
            return Outcome(self.row, self.place)
        for file in self._files():
            erase_file(file)
        ground = "the stream was erased as a whole, because pieces of messages in it do not say whose they are"
        return Outcome(self.row, self.place, erased=found, grounds=[ground])

    def _files(self) -> list[Path]:
        return [*log_parts(self._active), self._active]


def suspicious_lines(descriptor: int, matcher: Matcher) -> Iterator[Piece]:
    """The lines of a file in which the person may be."""
    for piece in pieces(descriptor):
        if matcher.suspects(piece.data):
            yield from (line for line in piece.lines() if matcher.suspects(line.data))


def line_spans(line: bytes, matcher: Matcher) -> list[Span]:
    """What is to be covered in a line: nothing when it does not name the person."""
    spans = matcher.spans(line)
    if spans and b"event=message " in line:
        for value in _OF_THE_MESSAGE.finditer(line):
            spans += _texts_of(value)
    return spans


def _texts_of(value: "re.Match[bytes]") -> Iterator[Span]:
    """The texts in a value: without their quotation marks, each of a list."""
    if value[1][:1] not in b'["':
        yield Span(*value.span(1))
    for quoted in _QUOTED.finditer(value[1]):
        yield Span(value.start(1) + quoted.start(1), value.start(1) + quoted.end(1))


def _cover(descriptor: int, run: Erasure) -> int:
    """Writes pseudonyms over everything of the person in a file; returns how many lines it was in."""
    changed = 0
    for line in suspicious_lines(descriptor, run.matcher):
        spans = line_spans(line.data, run.matcher)
        for span in spans:
            write_over(descriptor, line.offset + span.start, run.pseudonyms.cover(line.data[span.start : span.end]))
        changed += bool(spans)
    if changed:
        os.fdatasync(descriptor)
    return changed


def _finding(row: str, file: Path, kind: Kind, line: Piece) -> Finding:
    stamp = _STAMP.match(line.data)
    text = line.data[:_LONGEST_SHOWN].decode("utf-8", "backslashreplace").rstrip("\n")
    return Finding(row, str(file), kind, text, stamp[0].decode() if stamp else None, str(line.offset))
