"""Pieces of a new body: what stands where in place of what, and new parts as bytes."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ksmg.changes.encoding import encode
from ksmg.changes.source import Field, Source, with_charset
from ksmg.mail.structure import Part

_CHUNK = 65_536


@dataclass(frozen=True)
class Splice:
    """Bytes that stand in place of those from `start` to `end`; both the same: put in there."""

    start: int
    end: int
    new: bytes


def spliced(source: Source, start: int, splices: Iterable[Splice]) -> Iterator[bytes]:
    """The message from `start` on with its splices, in pieces. Splices do not overlap."""
    at = start
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        yield from _copied(source, at, splice.start)
        yield splice.new
        at = splice.end
    yield from _copied(source, at, source.size)


def _copied(source: Source, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _CHUNK):
        yield bytes(source.content[at : min(at + _CHUNK, end)])


def new_boundary() -> bytes:
    """A boundary that no sender can know. With `=_` in it no encoded line can hold it."""
    return b"=_ksmg_" + secrets.token_hex(12).encode("ascii")


def multipart(subtype: str, boundary: bytes) -> bytes:
    """A Content-Type value."""
    return b" multipart/" + subtype.encode("ascii") + b'; boundary="' + boundary + b'"'


def text_part(text: str, markup: str, delimiters: Sequence[bytes]) -> bytes:
    """A part with a text of our own, header and body; with `markup` it has both forms (multipart/alternative)."""
    plain = _leaf("plain", text.replace("\n", "\r\n") + "\r\n", delimiters)
    if not markup:
        return plain
    boundary = new_boundary()
    pieces = [plain, _leaf("html", f"<html><body>\r\n{markup}</body></html>\r\n", delimiters)]
    return b"Content-Type:" + multipart("alternative", boundary) + b"\r\n\r\n" + joined(pieces, boundary)


def joined(parts: Iterable[bytes], boundary: bytes) -> bytes:
    """The body of a multipart."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def _leaf(subtype: str, text: str, delimiters: Sequence[bytes]) -> bytes:
    fields, body = leaf(subtype, text, delimiters)
    return b"".join(field.raw for field in fields) + b"\r\n" + body


def leaf(subtype: str, text: str, delimiters: Sequence[bytes]) -> tuple[list[Field], bytes]:
    """The Content-* fields and the body of a text of our own."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    encoding, body = encode(text.encode("utf-8"), "7bit", False, delimiters)
    return [
        Field(b"Content-Type", f' text/{subtype}; charset="{charset}"'.encode("ascii")),
        Field(b"Content-Transfer-Encoding", b" " + encoding.encode("ascii")),
        Field(b"Content-Disposition", b" inline"),
    ], body


def retyped(fields: Sequence[Field], part: Part, charset: str, encoding: str) -> list[Field]:
    """A part's fields with another charset and transfer encoding; of fields that are doubled the first stays."""
    value = next((field.value for field in fields if field.name.lower() == b"content-type"), b"")
    new = {
        b"content-type": Field(b"Content-Type", with_charset(value, part.content_type, charset)),
        b"content-transfer-encoding": Field(b"Content-Transfer-Encoding", b" " + encoding.encode("ascii")),
    }
    kept = [new.pop(name) if name in new else field for field in fields if (name := field.name.lower()) in new
            or name not in _REPLACED]  # fmt: skip
    return kept + list(new.values())


_REPLACED = (b"content-type", b"content-transfer-encoding", b"content-md5")
