"""What archives and documents hold, and how hostile ones end."""

import base64
import bz2
import gzip
import io
import lzma
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from ksmg.inspection import types
from ksmg.inspection.examination import examine
from ksmg.inspection.limits import Limits
from ksmg.mail.structure import Member, Part, Problem, Structure

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PROGRAM = b"MZ\x90\0\x03\0\0\0\x04" + bytes(100)
CORPUS = Path(__file__).parents[1] / "fuzz/corpus/files"
LIMITS = Limits(unpacked=20_000_000, nested=10_000_000)
SECONDS = 5.0
"""Processor time that any of these may take, on a busy machine; alone they take a tenth of it."""


def message(data: bytes, name: str = "a.bin") -> bytes:
    body = base64.encodebytes(data).replace(b"\n", b"\r\n")
    return (
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="%s"\r\n\r\n' % name.encode()
    ) + body


def look(data: bytes, limits: Limits = LIMITS, name: str = "a.bin") -> Structure:
    raw = message(data, name)
    started = time.process_time()
    found = examine(raw, len(raw), limits)
    assert time.process_time() - started < SECONDS
    return found


def part(data: bytes, name: str = "a.bin") -> Part:
    found = look(data, name=name)
    assert found.problems == ()
    return found.parts[0]


def problems(data: bytes, limits: Limits = LIMITS) -> set[Problem]:
    return {problem for problem, _ in look(data, limits).problems}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(**special: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, kind in {"../a.exe": tarfile.REGTYPE, **special}.items():
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.size = len(PROGRAM) if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(PROGRAM))
    return target.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_shows_its_files(method: int) -> None:
    found = part(zipped({"x/a.txt": PROGRAM}, method))
    assert found.true_type == "application/zip"
    assert found.members == (Member("x/a.txt", len(PROGRAM), "application/x-dosexec"),)


def test_an_archive_in_an_archive_is_opened() -> None:
    found = part(zipped({"inner.zip": zipped({"a.exe": PROGRAM})}))
    assert [(member.path, member.depth) for member in found.members] == [("inner.zip", 1), ("a.exe", 2)]


def test_an_archive_in_an_archive_without_compression_is_no_problem() -> None:
    inner = zipped({"a.exe": PROGRAM}, zipfile.ZIP_STORED)
    found = part(zipped({"inner.zip": inner, "b.zip": inner}, zipfile.ZIP_STORED))
    assert [member.path for member in found.members] == ["inner.zip", "a.exe", "b.zip", "a.exe"]


def test_archives_in_archives_end_at_the_limit() -> None:
    data = PROGRAM
    for _ in range(20):
        data = zipped({"a.zip": data})
    assert problems(data) == {Problem.DEPTH}


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"[Content_Types].xml": b"", "word/document.xml": b""}, "officedocument.wordprocessingml.document"),
        ({"[Content_Types].xml": b"", "xl/workbook.xml": b""}, "officedocument.spreadsheetml.sheet"),
        ({"mimetype": b"application/vnd.oasis.opendocument.text"}, "application/vnd.oasis.opendocument.text"),
        ({"META-INF/MANIFEST.MF": b""}, "application/java-archive"),
    ],
)
def test_a_document_is_known_by_its_files(files: dict[str, bytes], kind: str) -> None:
    assert part(zipped(files)).true_type.endswith(kind)


@pytest.mark.parametrize(
    "files",
    [
        {"[Content_Types].xml": b"", "word/vbaProject.bin": b"x"},
        {"[Content_Types].xml": b"application/vnd.ms-word.document.macroEnabled.main+xml", "word/a.xml": b""},
        {"[Content_Types].xml": b"", "xl/macrosheets/sheet1.xml": b"<x/>"},
        {"mimetype": b"application/vnd.oasis.opendocument.text", "Basic/Standard/a.xml": b"<x/>"},
    ],
)
def test_macros_in_a_document_are_seen(files: dict[str, bytes]) -> None:
    assert part(zipped(files)).macro


def encrypted_zip() -> bytes:
    data = bytearray(zipped({"a.exe": PROGRAM}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def test_an_encrypted_zip_is_seen_and_listed() -> None:
    found = part(encrypted_zip())
    assert found.encrypted
    assert found.members == (Member("a.exe", len(PROGRAM), "", encrypted=True),)


def test_an_encrypted_archive_in_an_archive_is_seen() -> None:
    assert part(zipped({"inner.zip": encrypted_zip()})).encrypted


@pytest.mark.parametrize(
    "data",
    [
        b"Rar!\x1a\x07\x01\0" + b"\0" * 4 + b"\x21\x04\0\0\x01\x0f" + bytes(32),
        b"Rar!\x1a\x07\0" + struct.pack("<HBHHHI", 0, 0x73, 0x80, 13, 0, 0) + bytes(32),
    ],
)
def test_a_rar_with_an_encrypted_list_is_no_clean_one(data: bytes) -> None:
    found = look(data)
    assert found.parts[0].encrypted or found.problems


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_shows_paths_and_devices(pack: Callable[[bytes], bytes]) -> None:
    found = part(pack(tarred(dev=tarfile.CHRTYPE, link=tarfile.SYMTYPE)))
    assert [(member.path, member.true_type) for member in found.members] == [
        ("../a.exe", "application/x-dosexec"), ("dev", "inode/chardevice"), ("link", "inode/symlink"),
    ]  # fmt: skip


def test_a_compressed_file_is_opened() -> None:
    assert part(gzip.compress(PROGRAM), "a.exe.gz").members == (Member("a.exe", 109, "application/x-dosexec"),)


def test_a_zip_behind_a_program_is_opened() -> None:
    found = part(PROGRAM + zipped({"a.exe": PROGRAM}))
    assert (found.true_type, [member.path for member in found.members]) == ("application/x-dosexec", ["a.exe"])


def test_a_virus_behind_the_engines_limit_is_a_problem() -> None:
    data = zipped({"a.txt": bytes(LIMITS.unpacked) + EICAR})
    assert problems(data) == {Problem.EXPANDED}


def test_an_expanding_archive_is_a_problem() -> None:
    data = gzip.compress(bytes(LIMITS.unpacked + 1), 1)
    assert problems(data) == {Problem.EXPANDED}


def overlapping(count: int, packed: bytes, size: int) -> bytes:
    """Entries that share one deflated content (the idea of David Fifield's bomb)."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), size, 1, 0) + b"a" + packed
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), size, 1, 0, 0, 0, 0, 0, 0
    ) + b"a"  # fmt: skip
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count % 65_536, count % 65_536, len(central) * count, len(local), 0)
    return local + central * count + end


def test_a_large_file_of_no_known_type_is_no_problem() -> None:
    assert part(zipped({"a.dat": bytes(15_000_000)})).members == (Member("a.dat", 15_000_000, types.UNKNOWN),)


def test_a_hundred_thousand_files_are_a_problem() -> None:
    assert problems(overlapping(100_000, packed=b"\3\0", size=0)) == {Problem.MEMBERS}


def test_an_overlapping_bomb_ends_at_the_limit() -> None:
    packed = zlib.compress(bytes(1_000_000), wbits=-15)
    assert problems(overlapping(1000, packed, 1_000_000)) == {Problem.EXPANDED, Problem.AMBIGUOUS}


def altered(change: Callable[[bytearray], None]) -> bytes:
    data = bytearray(zipped({"a.txt": b"hello", "b.txt": b"world"}, zipfile.ZIP_STORED))
    change(data)
    return bytes(data)


def rename_in_directory(data: bytearray) -> None:
    data[data.index(b"PK\1\2") + 46] = ord("z")


def forget_second(data: bytearray) -> None:
    directory = data.index(b"PK\1\2")
    size = data.index(b"PK\1\2", directory + 4) - directory
    end = data.index(b"PK\5\6")
    struct.pack_into("<2H2I", data, end + 8, 1, 1, size, directory)
    del data[directory + size : end]


def lie_about_size(data: bytearray) -> None:
    for mark, offset in ((b"PK\3\4", 18), (b"PK\1\2", 20)):
        struct.pack_into("<I", data, data.index(mark) + offset + 4, 3)


@pytest.mark.parametrize("change", [rename_in_directory, forget_second, lie_about_size])
def test_a_zip_that_readers_see_differently_is_a_problem(change: Callable[[bytearray], None]) -> None:
    assert problems(altered(change)) == {Problem.AMBIGUOUS}


def test_both_names_of_a_file_are_shown() -> None:
    names = {member.path for member in look(altered(rename_in_directory)).parts[0].members}
    assert names == {"z.txt", "a.txt", "b.txt"}


def test_a_file_that_the_directory_does_not_list_is_shown() -> None:
    assert [member.path for member in look(altered(forget_second)).parts[0].members] == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    "data", [b"Rar!\x1a\x07\0" + b"x" * 50, b"7z\xbc\xaf\x27\x1c" + b"x" * 50, b"PK\3\4" + b"x" * 50]
)
def test_a_broken_archive_is_a_problem(data: bytes) -> None:
    assert problems(data) == {Problem.BROKEN}


@pytest.mark.parametrize("name", [b"/Encrypt", b"/#45ncrypt", b"/Encr#79pt"])
def test_an_encrypted_pdf_is_seen(name: bytes) -> None:
    assert part(b"%PDF-1.7\ntrailer <</Root 1 0 R " + name + b" 5 0 R>>\n%%EOF").encrypted


def test_files_and_scripts_in_a_pdf_are_shown() -> None:
    packed = zlib.compress(PROGRAM)
    found = part(
        b"%PDF-1.7\n1 0 obj <</Type/Filespec/F(a.exe)/EF<</F 2 0 R>>>> endobj\n"
        b"2 0 obj <</Type/EmbeddedFile/Filter/FlateDecode>> stream\n" + packed + b"\nendstream endobj\n"
        b"3 0 obj <</S/JavaScript/JS(app.alert)>> endobj\n"
    )
    assert next((m.path, m.true_type) for m in found.members) == ("a.exe", "application/x-dosexec")
    assert "JavaScript" in [member.path for member in found.members]


@pytest.mark.parametrize(
    ("stream", "problem"), [(zlib.compress(bytes(17_000_000)), Problem.EXPANDED), (b"xx", Problem.BROKEN)]
)
def test_a_pdf_that_is_not_looked_at_as_a_whole_is_a_problem(stream: bytes, problem: Problem) -> None:
    data = b"%PDF-1.7\n2 0 obj <</Type/ObjStm/Filter/FlateDecode>> stream\n" + stream + b"\nendstream endobj\n"
    assert problems(data) == {problem}


def test_a_message_in_a_file_is_opened() -> None:
    inner = b"From: a@x.test\r\nTo: b@x.test\r\nSubject: x\r\n" + message(PROGRAM, "a.exe")
    assert [member.path for member in part(inner, "x.eml").members] == ["a.exe"]


def test_a_hundred_random_files_are_no_archives() -> None:
    rest = zlib.compress(bytes(range(256)) * 100)
    assert all(look(bytes([first]) + rest).problems in ((), look(b"\0" + rest).problems) for first in range(0x60, 0x80))


def sample(name: str) -> bytes:
    """A file of the fuzzer's corpus."""
    return (CORPUS / name).read_bytes()


def test_a_word_document_with_macros_is_seen() -> None:
    found = part(sample("doc"))
    assert (found.true_type, found.macro, found.encrypted) == ("application/msword", True, False)


def test_an_encrypted_office_document_is_seen() -> None:
    data, name = sample("doc"), "EncryptedPackage".encode("utf-16-le")
    at = data.index("WordDocument".encode("utf-16-le"))
    assert part(data[:at] + name.ljust(64, b"\0") + struct.pack("<H", len(name) + 2) + data[at + 66 :]).encrypted


def test_files_in_a_winmail_dat_are_shown() -> None:
    found = part(sample("tnef"))
    assert [(member.path, member.true_type) for member in found.members] == [("a.exe", "application/x-dosexec")]


def test_a_package_in_a_document_is_shown() -> None:
    native = struct.pack("<IH", 0, 2) + b"a.exe\0C:\\a.exe\0" + b"\0\0\3\0" + struct.pack("<I", 6) + b"a.exe\0"
    native += struct.pack("<I", len(PROGRAM)) + PROGRAM
    found = part(compound(native))
    assert [(member.path, member.true_type) for member in found.members] == [("a.exe", "application/x-dosexec")]


def compound(native: bytes) -> bytes:
    """The sample document with an Ole10Native stream in place of its VBA folder, in a sector of its own."""
    data = bytearray(sample("doc")[:2048])
    name = "\x01Ole10Native".encode("utf-16-le")
    at = data.index("VBA\0".encode("utf-16-le"))
    data[at : at + 128] = struct.pack(
        "<64sHBB3I16s20xIQ", name, len(name) + 2, 2, 1, 2**32 - 1, 2**32 - 1, 2**32 - 1, bytes(16), 2, len(native)
    )
    struct.pack_into("<I", data, 56, 0)  # every stream is in sectors of its own
    return bytes(data[:1536]) + native.ljust(512, b"\0")
