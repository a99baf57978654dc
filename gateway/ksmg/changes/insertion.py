"""Where the texts of a rule go: into each alternative of the message's own text, or into a part of their own.

Into a part of their own they go when there is no text, and whenever the text must not or cannot be changed: it is
signed or encrypted (S/MIME, OpenPGP), a report or an invitation that programs read, in an unknown encoding, or too
large. What is wrapped stays byte for byte as it was, so that signatures can be verified.
"""

import re
from collections.abc import Iterator

from ksmg.changes.charset import edit_bytes
from ksmg.changes.encoding import decode, encode
from ksmg.changes.rewriting import Splice, multipart, new_boundary, retyped, text_part
from ksmg.changes.source import Field, Source, parameters
from ksmg.changes.texts import Texts
from ksmg.mail.structure import Part

LARGEST_TEXT = 2_097_152
"""Bytes of a text part that is changed; a larger one stays as it is. It takes ten times as much memory."""
DEEPEST = 20
"""Multiparts within each other in which a text is looked for."""
_SEALED = frozenset({
    "multipart/signed",
    "multipart/encrypted",
    "multipart/report",
    "application/pkcs7-mime",
    "application/x-pkcs7-mime",
    "text/calendar",
})  # fmt: skip
"""Types that are never changed inside."""
_INLINE_PGP = re.compile(rb"(?m)^-----BEGIN PGP [A-Z ]*MESSAGE-----")


class Insertion:
    """The places for texts in one message. `removed` are parts whose content goes, so that no text goes there."""

    def __init__(self, source: Source, texts: Texts, removed: frozenset[int]) -> None:
        self._source = source
        self._texts = texts
        self._removed = removed
        self.splices: list[Splice] = []
        self.root_fields: list[Field] | None = None
        """Content fields that the message itself has now; None: those it had."""
        self.wrapped = False
        """Whether the message as a whole became a part of a new one."""

    def make(self) -> None:
        """Finds the places."""
        if self._source.parts:
            self._into(self._source.parts[0], DEEPEST)
        else:
            self.wrap_message()

    def _into(self, part: Part, depth: int) -> None:
        """Puts the texts into a part, one way or the other."""
        children = self._source.children(part)
        if not self._open(part) or depth == 0 or (part.content_type.startswith("multipart/") and not children):
            self._wrap(part)
        elif part.content_type == "multipart/alternative":
            self._into_alternatives(part, children, depth)
        elif part.content_type.startswith("multipart/"):
            self._into_multipart(part, children, depth)
        elif not self._edit(part):
            self._wrap(part)

    def _into_alternatives(self, part: Part, children: list[Part], depth: int) -> None:
        carriers = [child for child in children if self._carries(child, depth - 1)]
        for child in carriers:
            self._into(child, depth - 1)
        if not carriers:
            self._wrap(part)

    def _into_multipart(self, part: Part, children: list[Part], depth: int) -> None:
        """Into the first part, which is what clients show first. Only the root of a related one is shown at all."""
        if self._carries(children[0], depth - 1):
            self._into(children[0], depth - 1)
        elif part.content_type == "multipart/related" or not self._beside(children):
            self._wrap(part)

    def _carries(self, part: Part, depth: int) -> bool:
        """Whether a text can be put into the part itself rather than beside it."""
        if not self._open(part) or depth == 0:
            return False
        if part.content_type in ("text/plain", "text/html"):
            return True
        children = self._source.children(part)
        if not part.content_type.startswith("multipart/") or not children:
            return False
        if part.content_type == "multipart/alternative":
            return any(self._carries(child, depth - 1) for child in children)
        return self._carries(children[0], depth - 1)

    def _open(self, part: Part) -> bool:
        """Whether the part may be changed inside."""
        attached = part.attachment and not part.content_type.startswith("multipart/")
        closed = part.content_type in _SEALED or part.number in self._removed or attached
        return not closed and self._source.located(part)

    def _edit(self, part: Part) -> bool:
        """Puts the texts into a text part. False: that cannot be."""
        source, is_html = self._source, part.content_type == "text/html"
        if part.content_type not in ("text/plain", "text/html") or part.end - part.body > LARGEST_TEXT:
            return False
        raw = bytes(source.content[part.body : part.end])
        content = decode(raw, part.encoding)
        if content is None or (b"-----BEGIN PGP " in content and _INLINE_PGP.search(content)):
            return False
        fields = source.fields(part.start, part.body)
        declared = parameters(next((f.value for f in fields if f.name.lower() == b"content-type"), b""))
        flowed = declared.get("format", b"").lower() == b"flowed"

        def edit(text: str, ascii_only: bool) -> str | None:
            if is_html:
                return self._texts.in_html(text, ascii_only)
            return self._texts.in_plain(flowed, text, ascii_only)

        edited = edit_bytes(content, part.charset, edit, references=is_html)
        if edited is None:
            return False
        encoding, body = encode(edited[0], part.encoding, not raw.isascii(), source.delimiters(part))
        self._put(part, fields, (edited[1], encoding), body)
        return True

    def _put(self, part: Part, fields: list[Field], labels: tuple[str, str], body: bytes) -> None:
        """A new body, with other labels (charset and encoding) where they changed."""
        self.splices.append(Splice(part.body, part.end, body))
        if labels == (part.charset, part.encoding):
            return
        new = retyped(fields, part, *labels)
        if part.number == 0:
            self.root_fields = [field for field in new if field.name.lower().startswith(b"content-")]
        else:
            self.splices.append(Splice(part.start, part.body, b"".join(field.raw for field in new) + b"\r\n"))

    def _beside(self, children: list[Part]) -> bool:
        """Adds parts with the texts before the first and after the last child. False: their delimiter is unknown."""
        first, last = children[0], children[-1]
        line = self._source.delimiter(first)
        if not line or not self._source.located(first) or not self._source.located(last):
            return False
        for text, markup, top in self._sides():
            part = text_part(text, markup, self._source.delimiters(first))
            if top:
                self.splices.append(Splice(first.start, first.start, part + b"\r\n" + line + b"\r\n"))
            else:
                self.splices.append(Splice(last.end, last.end, b"\r\n" + line + b"\r\n" + part.removesuffix(b"\r\n")))
        return True

    def _wrap(self, part: Part) -> None:
        """Puts a multipart with the texts around a part, which stays as it was."""
        if part.number == 0 or not self._source.located(part):
            self.wrap_message()
            return
        boundary = new_boundary()
        before, after = self._around(boundary, self._source.delimiters(part))
        header = b"Content-Type:" + multipart("mixed", boundary) + b"\r\n\r\n"
        self.splices.append(Splice(part.start, part.start, header + before))
        self.splices.append(Splice(part.end, part.end, after))

    def wrap_message(self) -> None:
        """Puts a multipart with the texts around the message as a whole."""
        source, boundary = self._source, new_boundary()
        before, after = self._around(boundary, ())
        own = [field for field in source.fields(0, source.body) if field.name.lower().startswith(b"content-")]
        header = b"".join(field.raw for field in own) + b"\r\n"
        self.splices.append(Splice(source.body, source.body, before + header))
        self.splices.append(Splice(source.size, source.size, after + b"\r\n"))
        eight_bit = any(
            not source.content[at : at + 65_536].isascii() for at in range(source.body, source.size, 65_536)
        )
        self.root_fields = [Field(b"Content-Type", multipart("mixed", boundary))]
        if eight_bit:
            self.root_fields.append(Field(b"Content-Transfer-Encoding", b" 8bit"))
        self.wrapped = True

    def _around(self, boundary: bytes, delimiters: tuple[bytes, ...]) -> tuple[bytes, bytes]:
        """What stands before and after the part that is wrapped."""
        line = b"--" + boundary
        before, after = line + b"\r\n", b""
        for text, markup, top in self._sides():
            part = text_part(text, markup, delimiters).removesuffix(b"\r\n")
            if top:
                before = line + b"\r\n" + part + b"\r\n" + before
            else:
                after = b"\r\n" + line + b"\r\n" + part
        return before, after + b"\r\n" + line + b"--"

    def _sides(self) -> Iterator[tuple[str, str, bool]]:
        """Text, markup (if one was given as HTML) and whether it belongs at the top, of each side that has a text."""
        texts = self._texts
        for text, markup, top in ((texts.top, texts.top_html, True), (texts.bottom, texts.bottom_html, False)):
            if text:
                yield text, markup if texts.with_html else "", top
