"""Files within plain text, as mail had them before MIME: uuencode, yEnc, BinHex. Some clients still show them as files.

Source: uuencode(5) of POSIX, yEnc draft 1.3, RFC 1741.
"""

import binascii
import re
from dataclasses import dataclass

from ksmg.inspection.decoding import UU, uudecoded
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
        if match[1]:
            head, size = _base64_head(body), len(body) * 3 // 4
        else:
            head, size = uudecoded(body[: BEGINNING * 3])[:BEGINNING], len(body) * 45 // 63
        found.append(EmbeddedFile(match[2].strip(), start, stop, UU, true_type(head), size))
    return found


def _base64_head(body: bytes) -> bytes:
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", body[: BEGINNING * 2])
    return binascii.a2b_base64(kept[: len(kept) // 4 * 4])


def _yenc(text: bytes) -> list[EmbeddedFile]:
    found = []
    for match in _YENC.finditer(text):
        lines = text[match.end() : match.end() + BEGINNING * 3].split(b"\n")[1:]
        coded = b"".join(line.rstrip(b"\r") for line in lines if not line.startswith(b"=y"))
        plain = re.sub(rb"=(.)", lambda escaped: bytes([(escaped[1][0] - 64) % 256]), coded, flags=re.DOTALL)
        head = bytes((byte - 42) % 256 for byte in plain[:BEGINNING])
        found.append(_file(text, match, match[1].strip(), "x-yenc", true_type(head)))
        if len(found) > MOST_FILES:
            break
    return found


def _binhex(text: bytes) -> list[EmbeddedFile]:
    return [_file(text, match, b"", "x-binhex", UNKNOWN) for match in list(_BINHEX.finditer(text))[:MOST_FILES]]


def _file(text: bytes, match: re.Match[bytes], name: bytes, encoding: str, kind: str) -> EmbeddedFile:
    return EmbeddedFile(name, match.start(), len(text), encoding, kind, len(text) - match.end())
