"""Files within plain text, as mail had them before MIME: uuencode, yEnc, BinHex. Some clients still show them as files.

Source: uuencode(5) of POSIX, yEnc draft 1.3, RFC 1741.
"""

import re
from dataclasses import dataclass
from itertools import islice

from ksmg.inspection.decoding import BASE64, BINHEX, UU, YENC, beginning
from ksmg.inspection.types import BEGINNING, UNKNOWN, true_type

_UU = re.compile(rb"(?:^|\n)begin(-base64)?(?:[ \t]+[0-7]{3,4}[ \t]+| {2})(\S[^\r\n]*)")
_UU_END = re.compile(rb"\n(?:end|====)[ \t]*(?:\r?\n|\Z)")
_YENC = re.compile(rb"(?:^|\n)=ybegin [^\r\n]*?name=([^\r\n]*)")
_BINHEX = re.compile(rb"(?:^|\n)\(This file must be converted with BinHex")
_MARKS = (b"begin ", b"begin-base64", b"begin\t", b"=ybegin ", b"with BinHex")
MOST_FILES = 100
"""Files within one text."""


@dataclass(frozen=True)
class EmbeddedFile:
    """A file within a text. Offsets within that text."""

    raw_name: bytes
    start: int
    body: int
    """Of its first encoded line."""
    end: int
    encoding: str
    true_type: str
    size: int


def embedded_files(text: bytes) -> list[EmbeddedFile]:
    """Files within a decoded text, at most `MOST_FILES` and one."""
    if not any(mark in text for mark in _MARKS):
        return []
    return [*_uuencoded(text), *_yenc(text), *_binhex(text)][: MOST_FILES + 1]


def _uuencoded(text: bytes) -> list[EmbeddedFile]:
    found: list[EmbeddedFile] = []
    at = 0
    while len(found) <= MOST_FILES and (match := _UU.search(text, at)):
        closing = _UU_END.search(text, match.end())
        at = stop = closing.end() if closing else len(text)
        body = text[match.end() : closing.start() if closing else len(text)]
        start = match.start() + (text[match.start()] == 10)
        encoding, size = (BASE64, len(body) * 3 // 4) if match[1] else (UU, len(body) * 45 // 63)
        head = beginning(body, 0, len(body), encoding, BEGINNING)
        found.append(EmbeddedFile(match[2].strip(), start, match.end(), stop, encoding, true_type(head), size))
    return found


def _yenc(text: bytes) -> list[EmbeddedFile]:
    found = []
    for match in _YENC.finditer(text):
        head = beginning(text, match.end(), len(text), YENC, BEGINNING)
        found.append(_file(text, match, match[1].strip(), YENC, true_type(head)))
        if len(found) > MOST_FILES:
            break
    return found


def _binhex(text: bytes) -> list[EmbeddedFile]:
    return [_file(text, match, b"", BINHEX, UNKNOWN) for match in islice(_BINHEX.finditer(text), MOST_FILES + 1)]


def _file(text: bytes, match: re.Match[bytes], name: bytes, encoding: str, kind: str) -> EmbeddedFile:
    return EmbeddedFile(name, match.start(), match.end(), len(text), encoding, kind, len(text) - match.end())
