"""Charsets: a part's bytes as text that something can be put into, and bytes again, in the same charset if possible."""

import codecs
import re
from collections.abc import Callable

UTF_8 = "utf-8"
_NAME = re.compile(r"[A-Za-z0-9._:+-]{1,40}")
_TEXT = re.compile(
    r"ascii|utf-(?:8|7|16|32)(?:-[bl]e)?|iso8859-\d+|cp\d+\w*|koi8-\w|iso2022_\w+|euc_\w+|shift_jis\w*|gb\w+|big5\w*"
    r"|hz|johab|mac-\w+|tis-620|kz1048|ptcp154|hp-roman8"
)
"""Python's names of the codecs that are charsets: some others decompress, or take their time."""
_NOT_ASCII = re.compile(
    r"utf-?(?:7|16|32)|ucs|unicode|iso-?10646|iso-?2022|hz|ebcdic|(?:cp|ibm)-?(?:037|273|424|500|875|1026|1140)"
)
"""Charsets in which bytes below 128 are not always ASCII."""

Edit = Callable[[str, bool], str | None]
"""Puts something into a text. True asks for ASCII only; None when that cannot be."""


def edit_bytes(raw: bytes, charset: str, edit: Edit, references: bool) -> tuple[bytes, str] | None:
    """The bytes with an edit made in them, and the charset that they are in now.

    A character that the charset lacks becomes a reference (`&#8364;`) if `references` are understood, otherwise the
    text becomes UTF-8. Bytes that are wrong in their charset are kept, as long as the edit is ASCII. None when
    nothing can be put in without doubt.
    """
    name = _codec(charset)
    text = _decoded(raw, name) if name else None
    if text is None:
        return _edit_unknown(raw, charset, edit)
    edited = edit(text, False)
    if edited is None:
        return None
    try:
        return edited.encode(name, "xmlcharrefreplace" if references else "strict"), charset
    except UnicodeEncodeError:
        return edited.encode(UTF_8), UTF_8


def _edit_unknown(raw: bytes, charset: str, edit: Edit) -> tuple[bytes, str] | None:
    """Every byte as a character of its own, so that all are kept."""
    if _NOT_ASCII.match(charset.lower()):
        return None
    edited = edit(raw.decode("latin-1"), True)
    return None if edited is None else (edited.encode("latin-1"), charset)


def _codec(charset: str) -> str:
    """Python's name of a charset; empty when it has none. Without one it is ASCII (RFC 2045, 5.2)."""
    if not charset:
        return "ascii"
    if not _NAME.fullmatch(charset):
        return ""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return ""
    return name if _TEXT.fullmatch(name) else ""


def _decoded(raw: bytes, name: str) -> str | None:
    try:
        return raw.decode(name)
    except ValueError:
        return None
