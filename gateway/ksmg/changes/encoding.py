"""Content-Transfer-Encodings, both ways: as the part has it if what is in it allows that.

Sources: RFC 2045 2.7, 2.8 and 6; RFC 5322 2.1.1 (lines of at most 998 bytes).
"""

import base64
import binascii
from collections.abc import Iterable

from ksmg.changes.fields import HARD_LIMIT
from ksmg.changes.source import IDENTITY

BASE64, QUOTED = "base64", "quoted-printable"
_BASE64_LINE = 57
_SPACE = b" \t\r\n"


def decode(raw: bytes, encoding: str) -> bytes | None:
    """What a body holds; None when it cannot be told for sure."""
    if encoding in IDENTITY:
        return raw
    if encoding == QUOTED:
        return binascii.a2b_qp(raw)
    if encoding == BASE64:
        try:
            return base64.b64decode(raw.translate(None, _SPACE), validate=True)
        except binascii.Error:
            return None
    return None


def encode(content: bytes, encoding: str, eight_bit: bool, delimiters: Iterable[bytes]) -> tuple[str, bytes]:
    """The encoding that the content can have, `encoding` if possible, and the content in it.

    `eight_bit` says whether the part had bytes beyond ASCII before. No line begins with one of the delimiters.
    """
    if encoding in IDENTITY and _fits(content, eight_bit or encoding in ("8bit", "binary"), delimiters):
        return encoding, content
    if encoding == BASE64 or b"\0" in content:
        return BASE64, base64_lines(content)
    return QUOTED, quoted_lines(content)


def _fits(content: bytes, eight_bit: bool, delimiters: Iterable[bytes]) -> bool:
    """Whether content needs no encoding."""
    if not (eight_bit or content.isascii()) or b"\0" in content:
        return False
    if not _whole_lines(content) or max(map(len, content.split(b"\r\n"))) > HARD_LIMIT:
        return False
    lines = b"\n" + content
    return not any(b"\n" + delimiter in lines for delimiter in delimiters)


def _whole_lines(content: bytes) -> bool:
    """Whether every CR and LF is part of a line end."""
    ends = content.count(b"\r\n")
    return content.count(b"\r") == ends == content.count(b"\n")


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76 characters."""
    pieces = (content[start : start + _BASE64_LINE] for start in range(0, len(content), _BASE64_LINE))
    return b"".join(base64.b64encode(piece) + b"\r\n" for piece in pieces)


def quoted_lines(content: bytes) -> bytes:
    """Quoted-printable. CRLF stays a line end; no line looks like a delimiter or like the beginning of a mailbox."""
    if b"\r\n" in content and _whole_lines(content):
        quoted = binascii.b2a_qp(content)
    else:
        lines = (binascii.b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n") for line in content.split(b"\r\n"))
        quoted = b"\r\n".join(lines)
    lines_of_it = (b"\r\n" + quoted).replace(b"\r\n--", b"\r\n=2D-").replace(b"\r\nFrom ", b"\r\n=46rom ")
    return lines_of_it[2:]
