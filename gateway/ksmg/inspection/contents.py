"""What files hold: members of archives, parts of documents, again and again as deep as they go.

This is for the service only: it reads whole files that a stranger sent.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ksmg.inspection import types
from ksmg.inspection.budget import Budget, Unreadable
from ksmg.inspection.libarchive import EncryptedArchive, archive_entries
from ksmg.inspection.ole import CompoundFile
from ksmg.inspection.openable import LIBARCHIVE, NO_READER, RAW, WEAK, holds_files
from ksmg.inspection.pdf import PdfContent
from ksmg.inspection.tnef import tnef_files
from ksmg.inspection.types import BEGINNING, true_type
from ksmg.inspection.walk import walk_bodies
from ksmg.inspection.zips import is_zip, zip_members
from ksmg.mail.readable import readable
from ksmg.mail.structure import Member, Problem

_DISK_IMAGE = 32_774
"""Bytes of a file of no known type that are looked at: a disk image says what it is behind 32 kB."""
_KEPT = {"mimetype", "meta-inf/manifest.xml", "[content_types].xml"}
_KEPT_BYTES = 1_000_000
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ZIP_TYPES = (
    ("word/", f"{_OFFICE}wordprocessingml.document"),
    ("xl/", f"{_OFFICE}spreadsheetml.sheet"),
    ("ppt/", f"{_OFFICE}presentationml.presentation"),
    ("visio/", "application/vnd.ms-visio.drawing.main+xml"),
    ("androidmanifest.xml", "application/vnd.android.package-archive"),
    ("meta-inf/manifest.mf", "application/java-archive"),
)
_SELF_EXTRACTING = (
    (b"7z\xbc\xaf\x27\x1c", types.SEVEN_ZIP),
    (b"Rar!\x1a\x07", types.RAR),
    (b"MSCF\0\0\0\0", types.CAB),
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a file turned out to be."""

    true_type: str
    encrypted: bool = False
    macro: bool = False


class Opener:
    """Opens the files of one message. `members` collects what is found in the file that is being opened."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.members: list[Member] = []

    def open(self, data: bytes, name: str, depth: int = 1) -> Opened:
        """Looks into a file; its members are of `depth`. Raises Exceeded."""
        kind = _kind(data)
        try:
            return self._open(data, kind, name, depth)
        except EncryptedArchive:
            return Opened(kind, encrypted=True)
        except Unreadable as failure:
            if kind not in WEAK:
                self._budget.note(Problem.BROKEN, f"{name}: {failure}" if name else str(failure))
            return Opened(kind)

    def _open(self, data: bytes, kind: str, name: str, depth: int) -> Opened:
        if kind in NO_READER:
            raise Unreadable(f"nobody here can read {kind}")
        if kind in LIBARCHIVE:
            return self._libarchive(data, kind, name, depth)
        reader = self._readers().get(kind)
        if reader is not None:
            return reader(data, depth)
        if is_zip(data):
            return Opened(kind, *self._zip(data, depth)[1:])
        return self._self_extracting(data, kind, name, depth)

    def _readers(self) -> dict[str, Callable[[bytes, int], Opened]]:
        return {
            types.ZIP: lambda data, depth: Opened(*self._zip(data, depth)),
            types.OLE: self._ole,
            types.PDF: self._pdf,
            types.TNEF: self._tnef,
            types.MESSAGE: self._mail,
        }

    def _zip(self, data: bytes, depth: int) -> tuple[str, bool, bool]:
        paths: set[str] = set()
        kept: dict[str, bytes] = {}
        first = len(self.members)
        for member in zip_members(data, self._budget):
            folded = member.path.lower().replace("\\", "/")
            paths.add(folded)
            if member.path.endswith("/") and not member.entry.size:
                continue
            chunks = _keeping(member.chunks, kept, folded) if folded in _KEPT else member.chunks
            special = "inode/symlink" if member.entry.link else ""
            self._member(member.path, member.entry.size, chunks, special, member.entry.encrypted, depth)
        encrypted = b"encryption-data" in kept.get("meta-inf/manifest.xml", b"")
        macro = b"macroenabled" in kept.get("[content_types].xml", b"").lower() or any(map(_is_macro, paths))
        return _zip_type(paths, kept), *self._sum(first, encrypted, macro)

    def _sum(self, first: int, encrypted: bool, macro: bool) -> tuple[bool, bool]:
        found = self.members[first:]
        return encrypted or any(m.encrypted for m in found), macro or any(m.macro for m in found)

    def _libarchive(self, data: bytes, kind: str, name: str, depth: int) -> Opened:
        first = len(self.members)
        readers = LIBARCHIVE[kind]
        if RAW in readers and self._holds_tar(data, readers):
            readers = (*(reader for reader in readers if reader != RAW), "format_tar")
        for entry in archive_entries(data, readers, self._budget):
            path = (name.rpartition(".")[0] or entry.path) if RAW in readers else entry.path
            self._member(path, entry.size, entry.chunks, entry.special, entry.encrypted, depth)
        return Opened(kind, *self._sum(first, False, False))

    def _holds_tar(self, data: bytes, readers: tuple[str, ...]) -> bool:
        """Whether a compressed file is a tar archive: asked first, because zeros can be taken for an empty one."""
        head = b""
        for entry in archive_entries(data, readers, self._budget):
            while len(head) < BEGINNING and (chunk := next(entry.chunks, None)):
                head += chunk
            break
        return true_type(head[:BEGINNING]) == types.TAR

    def _self_extracting(self, data: bytes, kind: str, name: str, depth: int) -> Opened:
        """Archives behind a program. A mark that stands there by chance leads to nothing, and that is no problem."""
        first = len(self.members)
        for mark, inner in _SELF_EXTRACTING if kind == types.EXECUTABLE else ():
            at = data.find(mark)
            if at >= 0:
                try:
                    self._libarchive(data[at:], inner, name, depth)
                except EncryptedArchive:
                    return Opened(kind, encrypted=True)
                except Unreadable:
                    continue
        return Opened(kind, *self._sum(first, False, False))

    def _ole(self, data: bytes, depth: int) -> Opened:
        document = CompoundFile(data, self._budget)
        first = len(self.members)
        for path, content in document.files():
            self._whole(path, content, depth)
        return Opened(document.true_type, *self._sum(first, document.encrypted, document.macro))

    def _pdf(self, data: bytes, depth: int) -> Opened:
        document = PdfContent(data, self._budget)
        first = len(self.members)
        names = dict(enumerate(dict.fromkeys(document.file_names)))
        for number, content in enumerate(document.files):
            self._whole(names.get(number, f"embedded file {number + 1}"), content, depth)
        for number in range(len(document.files), len(names)):
            self._add(Member(_path(names[number]), 0, "", depth=depth))
        for script in document.scripts:
            self._add(Member(script, 0, "text/javascript", depth=depth))
        return Opened(types.PDF, *self._sum(first, document.encrypted, False))

    def _tnef(self, data: bytes, depth: int) -> Opened:
        first = len(self.members)
        for path, content in tnef_files(data, self._budget):
            self._whole(path, content, depth)
        return Opened(types.TNEF, *self._sum(first, False, False))

    def _mail(self, data: bytes, depth: int) -> Opened:
        structure, bodies = walk_bodies(data, len(data), self._budget.limits)
        for problem, detail in structure.problems:
            self._budget.note(problem, detail)
        first = len(self.members)
        for part in structure.attachments:
            if not part.container:
                self._whole(part.name, bodies[part.number].decoded(), depth)
        return Opened(types.MESSAGE, *self._sum(first, False, False))

    def _whole(self, path: str, content: bytes, depth: int) -> None:
        self._budget.count_bytes(len(content))
        self._member(path, len(content), iter((content,)), "", False, depth)

    def _member(self, path: str, size: int, chunks: Iterator[bytes], special: str, encrypted: bool, depth: int) -> None:
        """Adds a member, then those in it."""
        self._budget.count_member()
        shown = _path(path)
        if special or encrypted:
            return self._add(Member(shown, size, special, encrypted, depth=depth))
        place = len(self.members)
        self._add(Member(shown, size, "", depth=depth))
        try:
            opened, length = self._content(shown, chunks, depth)
        except EncryptedArchive:
            opened, length = Opened(types.UNKNOWN, encrypted=True), size
        except Unreadable as failure:
            self._budget.note(Problem.BROKEN, f"{shown}: {failure}")
            return None
        self.members[place] = Member(shown, max(size, length), opened.true_type, opened.encrypted, opened.macro, depth)
        return None

    def _content(self, path: str, chunks: Iterator[bytes], depth: int) -> tuple[Opened, int]:
        """What a member is, and its size. Only what can hold others is kept in memory."""
        head = _head(chunks, b"", BEGINNING)
        kind = true_type(head[:BEGINNING])
        if kind == types.UNKNOWN:
            head = _head(chunks, head, _DISK_IMAGE)
            kind = _kind(head)
        if not holds_files(kind, (path,)):
            return Opened(kind), len(head) + sum(map(len, chunks))
        if depth >= self._budget.limits.nesting:
            self._budget.note(Problem.DEPTH, f"archives within each other beyond {self._budget.limits.nesting}")
            return Opened(kind), len(head) + sum(map(len, chunks))
        data = bytearray(head)
        with self._budget.holding() as hold:
            for chunk in chunks:
                hold(len(chunk))
                data += chunk
            return self.open(bytes(data), path.rpartition("/")[2], depth + 1), len(data)

    def _add(self, member: Member) -> None:
        self.members.append(member)


def _head(chunks: Iterator[bytes], head: bytes, wanted: int) -> bytes:
    while len(head) < wanted and (chunk := next(chunks, None)) is not None:
        head += chunk
    return head


def _kind(data: bytes) -> str:
    kind = true_type(data[:BEGINNING])
    if kind in (types.UNKNOWN, types.EMPTY) or not kind:
        if data.startswith(b"CD001", 32_769):
            return types.ISO
        if data.startswith(b"conectix", len(data) - 512) and len(data) >= 512:
            return "application/x-virtualbox-vhd"
    return kind


def _keeping(chunks: Iterator[bytes], kept: dict[str, bytes], path: str) -> Iterator[bytes]:
    for chunk in chunks:
        if len(kept.get(path, b"")) < _KEPT_BYTES:
            kept[path] = kept.get(path, b"") + chunk
        yield chunk


def _zip_type(paths: set[str], kept: dict[str, bytes]) -> str:
    """A document's type by what every one of its kind holds."""
    mimetype = kept.get("mimetype", b"")[:100].strip()
    if re.fullmatch(rb"[a-z]+/[a-z0-9.+-]+", mimetype):
        return mimetype.decode("ascii")
    for mark, kind in _ZIP_TYPES:
        if mark in paths or (mark.endswith("/") and "[content_types].xml" in paths and _any_below(paths, mark)):
            return kind
    return types.ZIP


def _any_below(paths: set[str], folder: str) -> bool:
    return any(path.startswith(folder) for path in paths)


def _is_macro(path: str) -> bool:
    return path.startswith(("xl/macrosheets/", "basic/", "scripts/")) or path.endswith("vbaproject.bin")


def _path(raw: str) -> str:
    """A member's path for people: one line, its end kept, because the end says what opens it."""
    return readable(raw if len(raw) <= 500 else f"{raw[:250]}…{raw[-250:]}")
