"""True types: what a file is by its beginning, whatever it calls itself.

Source: the formats' own specifications and file(1)'s description of them. Types are media types; programs of all kinds
have a type of their own, so that rules can name them.
"""

import re

BEGINNING = 512
"""Bytes of a file's beginning that decide."""

ZIP, OLE, PDF, TEXT, HTML, UNKNOWN = (
    "application/zip",
    "application/x-ole-storage",
    "application/pdf",
    "text/plain",
    "text/html",
    "application/octet-stream",
)
RAR, SEVEN_ZIP, GZIP, BZIP2, XZ, ZSTD, TAR, CAB, ISO = (
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/x-tar",
    "application/vnd.ms-cab-compressed",
    "application/x-iso9660-image",
)
TNEF, EXECUTABLE, RTF, MESSAGE = "application/ms-tnef", "application/x-dosexec", "application/rtf", "message/rfc822"
EMPTY, ARJ = "application/x-empty", "application/x-arj"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"MZ", EXECUTABLE),
    (0, b"ZM", EXECUTABLE),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"PK\x07\x08", ZIP),
    (0, b"PK00PK", ZIP),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (0, b"%PDF-", PDF),
    (0, b"{\\rt", RTF),
    (0, b"Rar!\x1a\x07", RAR),
    (0, b"RE~^", RAR),
    (0, b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (0, b"\x1f\x8b", GZIP),
    (0, b"\x1f\x9d", "application/x-compress"),
    (0, b"\x1f\xa0", "application/x-compress"),
    (0, b"BZh", BZIP2),
    (0, b"\xfd7zXZ\0", XZ),
    (0, b"\x28\xb5\x2f\xfd", ZSTD),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"LZIP", "application/x-lzip"),
    (0, b"]\0\0", "application/x-lzma"),
    (257, b"ustar", TAR),
    (0, b"MSCF", CAB),
    (0, b"ISc(", "application/x-installshield"),
    (0, b"MSWIM\0\0\0", "application/x-ms-wim"),
    (2, b"-lh", "application/x-lzh-compressed"),
    (2, b"-lz", "application/x-lzh-compressed"),
    (0, b"\x60\xea", ARJ),
    (7, b"**ACE**", "application/x-ace-compressed"),
    (0, b"xar!", "application/x-xar"),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"070701", "application/x-cpio"),
    (0, b"070702", "application/x-cpio"),
    (0, b"070707", "application/x-cpio"),
    (0, b"\xc7\x71", "application/x-cpio"),
    (0, b"\xed\xab\xee\xdb", "application/x-rpm"),
    (0, b"conectix", "application/x-virtualbox-vhd"),
    (0, b"vhdxfile", "application/x-virtualbox-vhdx"),
    (0, b"KDMV", "application/x-vmdk"),
    (0, b"ITSF", "application/vnd.ms-htmlhelp"),
    (0, b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    (0, b"[InternetShortcut]", "application/x-mswinurl"),
    (0, b"\x78\x9f\x3e\x22", TNEF),
    (0, b"FWS", "application/vnd.adobe.flash.movie"),
    (0, b"CWS", "application/vnd.adobe.flash.movie"),
    (0, b"ZWS", "application/vnd.adobe.flash.movie"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "application/onenote"),
    (0, b"!BDN", "application/vnd.ms-outlook-pst"),
    (4, b"Standard Jet DB", "application/vnd.ms-access"),
    (4, b"Standard ACE DB", "application/vnd.ms-access"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"dex\n", "application/x-dex"),
    (0, b"\0asm", "application/wasm"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (40, b" EMF", "image/emf"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyp", "video/mp4"),
    (0, b"%!PS", "application/postscript"),
    (0, b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "application/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"MThd", "audio/midi"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (0, b"wOF2", "font/woff2"),
    (0, b"-----BEGIN PGP MESSAGE", "application/pgp-encrypted"),
    (0, b"-----BEGIN PGP SIGNATURE", "application/pgp-signature"),
    (0, b"BEGIN:VCALENDAR", "text/calendar"),
    (0, b"BEGIN:VCARD", "text/vcard"),
    (0, b"#!", "text/x-script"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/x-wav", b"AVI ": "video/x-msvideo", b"ACON": "image/x-ani"}
_BY_FIRST: dict[int, list[tuple[bytes, str]]] = {}
_ELSEWHERE = [(offset, magic, kind) for offset, magic, kind in _MAGIC if offset]
for _offset, _magic, _kind in _MAGIC:
    if not _offset:
        _BY_FIRST.setdefault(_magic[0], []).append((_magic, _kind))

_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|hta:|table|div|p\b|a\s|meta|style|iframe|br)", re.IGNORECASE
)
_PROLOGUES = ((b"<?xml", b">"), (b"<!--", b"-->"))
_HTA = re.compile(rb"<hta:application", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml|\s*<[a-z:]+[^<>]{0,200}xmlns", re.IGNORECASE)
_SVG = re.compile(rb"<svg\b", re.IGNORECASE)
_SCRIPTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*<\?php", re.IGNORECASE), "application/x-httpd-php"),
    (re.compile(rb"\s*@echo\s+(?:off|on)\b", re.IGNORECASE), "application/x-bat"),
    (re.compile(rb"\s*Windows Registry Editor|REGEDIT4"), "text/x-ms-regedit"),
    (re.compile(rb"\s*<job\b|\s*<package>\s*<job\b", re.IGNORECASE), "application/x-windows-script-file"),
)
_MAIL = re.compile(
    rb"(?:(?:From |Return-Path:|Received:|X-[\w-]+:|Message-ID:|Date:|MIME-Version:|Subject:|From:|To:|Delivered-To:)"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*){3}",
    re.IGNORECASE,
)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MARKS = (b"\xef\xbb\xbf",)
_WIDE_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def true_type(beginning: bytes) -> str:
    """The media type of a file that begins so; `application/octet-stream` when nothing is known of it."""
    if not beginning:
        return EMPTY
    for magic, kind in _BY_FIRST.get(beginning[0], ()):
        if beginning.startswith(magic):
            return _confirmed(kind, beginning)
    for offset, magic, kind in _ELSEWHERE:
        if beginning.startswith(magic, offset):
            return kind
    if beginning.startswith(b"RIFF"):
        return _RIFF.get(beginning[8:12], "application/x-riff")
    return _text_type(beginning)


def _confirmed(kind: str, beginning: bytes) -> str:
    """Where two bytes are little evidence: text that happens to begin like that is text."""
    if kind in (EXECUTABLE, "image/bmp") and len(beginning) > 2 and not _BINARY.search(beginning[:BEGINNING]):
        return _text_type(beginning)
    if kind == ARJ and not 0 < int.from_bytes(beginning[2:4], "little") <= 2600:
        return _text_type(beginning)
    if kind == "application/java-vm" and beginning[4:8] < b"\0\0\0\x20":
        return "application/x-mach-binary"  # a universal binary has few architectures, Java classes a version of 45 on
    return kind


def _text_type(beginning: bytes) -> str:
    text = beginning[:BEGINNING]
    if text[:2] in _WIDE_MARKS:
        text = text[2 : len(text) - len(text) % 2].decode(_WIDE_MARKS[text[:2]], "ignore").encode()
    elif text.startswith(_MARKS):
        text = text[3:]
    if b"%PDF-" in text:  # viewers accept it within the first kilobyte
        return PDF
    if text.lstrip()[:1] == b"<" and _HTML.match(_after_prologue(text)):
        return "application/hta" if _HTA.search(text) else HTML
    if _BINARY.search(text):
        return UNKNOWN
    if text.lstrip()[:1] in b"<@WR" and (kind := _markup_or_script(text)):
        return kind
    return MESSAGE if b":" in text[:40] and _MAIL.match(text) else TEXT


def _after_prologue(text: bytes) -> bytes:
    """Without an XML declaration and comments at the beginning."""
    text = text.lstrip()
    while opening := next(((start, end) for start, end in _PROLOGUES if text.startswith(start)), None):
        text = text.partition(opening[1])[2].lstrip()
    return text


def _markup_or_script(text: bytes) -> str:
    kind = next((kind for pattern, kind in _SCRIPTS if pattern.match(text)), "")
    if kind:
        return kind
    if _SVG.search(text):
        return "image/svg+xml"
    if _HTA.search(text):
        return "application/hta"
    return "text/xml" if _XML.match(text) else ""
