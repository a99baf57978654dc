"""The archive that a person gets: everything that was found, to be read by people and machines.

A zip file: `index.html` and `index.json` say what is in it, `messages/` has whole messages as they were received,
`records/` events and other records as JSON and as a table (CSV), `lines/` lines of logs and files as text. `SHA256SUMS`
has the digest of everything, for `sha256sum --check`. Only a complete archive ever has a name.
"""

import contextlib
import csv
import hashlib
import html
import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from ksmg.subject.finding import Finding, Holder, Kind
from ksmg.subject.matcher import Matcher
from ksmg.subject.places import NOT_SEARCHED

_COPIED_AT_ONCE = 262_144
_IN_MEMORY = 16_000_000
"""Bytes of a table that waits until its records are written; more are in a file without a name."""
_WHOLE = (Kind.MESSAGE, Kind.MENTION, Kind.QUEUED)
_LINES = (Kind.LINE, Kind.TRACE, Kind.CONFIGURATION)
_COLUMNS = ("row", "place", "kind", "time", "id", "text")


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """A file of root alone that gets its name when all of it is on disk. Raises OSError; there is none then."""
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if target.exists():
            raise FileExistsError(f"{target} exists already")
        descriptor = os.open(target.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.link(f"/proc/self/fd/{file.fileno()}", target.name, dst_dir_fd=directory, follow_symlinks=True)
            os.fsync(directory)
    finally:
        os.close(directory)


def write_archive(file: BinaryIO, places: Iterable[Holder], matcher: Matcher, facts: dict[str, Any]) -> dict[str, int]:
    """Writes the archive; returns how much was found in each place. `facts` are those of the index."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        archive = _Archive(packed)
        for number, holder in enumerate(places):
            archive.add_all(holder, matcher, number)
        archive.finish(facts)
    return {name: count for (_, name), count in archive.counts.items()}


class _Archive:
    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self._digests: dict[str, str] = {}
        self.counts: dict[tuple[str, str], int] = {}

    def add_all(self, holder: Holder, matcher: Matcher, number: int) -> None:
        """Everything of one place: messages each in a file, the others together."""
        stem = f"{number:02}-{holder.row or 'system'}-{Path(holder.place).name}"
        found = iter(holder.find(matcher))
        first = next(found, None)
        if first is None:
            return
        counted = self._counted((holder.row, holder.place), first, found)
        if first.kind in _LINES:
            self._write(f"lines/{stem}.txt", lambda out: _write_lines(out, counted))
        else:
            self._add_records(stem, counted)

    def _counted(self, where: tuple[str, str], first: Finding, others: Iterator[Finding]) -> Iterator[Finding]:
        self.counts[where] = 1
        yield first
        for finding in others:
            self.counts[where] += 1
            yield finding

    def _add_records(self, stem: str, found: Iterator[Finding]) -> None:
        """Records while they come, their table after them; a message's file before its record, if it is still there."""
        with (
            tempfile.SpooledTemporaryFile(_IN_MEMORY) as records,
            tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as table,
        ):
            rows = csv.writer(table)
            rows.writerow((*_COLUMNS, "file"))
            for finding in found:
                name = self._add_message(stem, finding) if finding.kind in _WHOLE else ""
                document = finding.document
                rows.writerow((*(_harmless(document[column]) for column in _COLUMNS), name))
                records.write(json.dumps({**document, "file": name}, ensure_ascii=False).encode() + b"\n")
            for kind, file in (("jsonl", records), ("csv", table)):
                file.seek(0)
                self._write(f"records/{stem}.{kind}", _copier(file))

    def _add_message(self, stem: str, finding: Finding) -> str:
        name = f"messages/{stem}-{finding.id}.eml"
        try:
            opened = finding.original() if finding.original else None
        except FileNotFoundError:  # evicted meanwhile
            opened = None
        if opened is None:
            return ""
        with opened as original:
            self._write(name, _copier(original))
        return name

    def finish(self, facts: dict[str, Any]) -> None:
        """What is in it, and the digests."""
        counts = [{"row": row, "place": place, "found": count} for (row, place), count in self.counts.items()]
        index = {**facts, "not_searched": NOT_SEARCHED, "found": counts, "files": sorted(self._digests)}
        self._write("index.json", _copier(io.BytesIO(json.dumps(index, indent=2, ensure_ascii=False).encode())))
        self._write("index.html", _copier(io.BytesIO(_page(index).encode())))
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._digests.items()))
        self._packed.writestr("SHA256SUMS", sums)

    def _write(self, name: str, write: Callable[[Callable[[bytes], Any]], None]) -> None:
        digest = hashlib.sha256()
        entry = zipfile.ZipInfo(name, time.localtime()[:6])
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self._packed.open(entry, "w", force_zip64=True) as member:

            def put(data: bytes) -> None:
                digest.update(data)
                member.write(data)

            write(put)
        self._digests[name] = digest.hexdigest()


def _copier(source: IO[Any]) -> Callable[[Callable[[bytes], Any]], None]:
    def copy(put: Callable[[bytes], Any]) -> None:
        while piece := source.read(_COPIED_AT_ONCE):
            put(piece if isinstance(piece, bytes) else piece.encode())

    return copy


def _write_lines(put: Callable[[bytes], Any], found: Iterable[Finding]) -> None:
    place = ""
    for finding in found:
        if finding.place != place:
            place = finding.place
            put(f"# {place}\n".encode())
        put(finding.text.encode("utf-8", "replace") + b"\n")


def _harmless(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _page(index: dict[str, Any]) -> str:
    """The index as a page."""
    rows = "".join(
        f"<tr><td>{html.escape(one['row'])}</td><td>{html.escape(one['place'])}</td><td>{one['found']}</td></tr>"
        for one in index["found"]
    )
    files = "".join(f'<li><a href="{html.escape(name)}">{html.escape(name)}</a></li>' for name in index["files"])
    missing = "".join(f"<li>{html.escape(one)}</li>" for one in index["not_searched"])
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Personal data of {html.escape(index["address"])}</title></head>
<body><h1>Personal data of {html.escape(index["address"])}</h1>
<p>Kept by the mail gateway {html.escape(index["appliance"])}, copied on {html.escape(index["time"])} by
{html.escape(index["by"])}. Messages and lines also hold data of others.</p>
<table><tr><th>Kind of data</th><th>Place</th><th>Found</th></tr>{rows}</table>
<h2>Files</h2><ul>{files}</ul>
<h2>Not searched</h2><ul>{missing}</ul></body></html>
"""
