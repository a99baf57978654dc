"""The texts that are put into a message, ready for a part of plain text and for one of HTML."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ksmg.changes.html import from_text, insert_html, only_ascii, to_text
from ksmg.rules.treatment import Inserted

_LINE_END = re.compile(r"\r\n?|\n|\u2028|\u2029")
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_STUFFED = re.compile(r"(?m)^(?=[ >]|From )")
_TRAILING = re.compile(r"(?m)[ \t]+$")
_BLOCK = '<div style="display:block !important">{}</div>\r\n'


@dataclass(frozen=True)
class Texts:
    """What is put at the top and at the bottom, lines separated by LF; empty: nothing."""

    top: str = ""
    bottom: str = ""
    top_html: str = ""
    bottom_html: str = ""
    with_html: bool = False
    """Whether one of them was given as HTML, so that a part of its own has both forms."""

    def __bool__(self) -> bool:
        return bool(self.top or self.bottom)

    def in_plain(self, flowed: bool, text: str, ascii_only: bool) -> str | None:
        """A plain text with the texts in it. `flowed`: its lines flow (RFC 3676), ours are fixed ones."""
        if ascii_only and not (self.top + self.bottom).isascii():
            return None
        mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
        end = line_end(text)
        top, bottom = (_plain(one, flowed, end) for one in (self.top, self.bottom))
        before = top + end + end if top else ""
        closed = text if text.endswith("\n") or not text else text + end
        after = (end + bottom + end) if bottom else ""
        return mark + before + (closed + after if after else text)

    def in_html(self, document: str, ascii_only: bool) -> str | None:
        """An HTML document with the texts in it."""
        top, bottom = (
            _BLOCK.format(only_ascii(one) if ascii_only else one) if one else ""
            for one in (self.top_html, self.bottom_html)
        )
        return insert_html(document, top, bottom)


def line_end(text: str) -> str:
    """The line end that a text has; CRLF when it has none."""
    return "\n" if "\n" in text and "\r\n" not in text else "\r\n"


def make_texts(inserts: Iterable[Inserted]) -> Texts:
    """The texts, each once, in order."""
    wanted = list(dict.fromkeys(inserts))
    top, bottom = ([one for one in wanted if one.at_top is side] for side in (True, False))
    return Texts(
        top="\n\n".join(map(_text, top)),
        bottom="\n\n".join(map(_text, bottom)),
        top_html="\r\n".join(map(_html, top)),
        bottom_html="\r\n".join(map(_html, bottom)),
        with_html=any(one.html for one in wanted),
    )


def clean(text: str) -> str:
    """Text without control characters, lines separated by LF, none of them at its end."""
    return _UNSAFE.sub("?", _LINE_END.sub("\n", text)).rstrip("\n")


def _text(one: Inserted) -> str:
    return clean(one.text or to_text(one.html))


def _html(one: Inserted) -> str:
    return clean(one.html).replace("\n", "\r\n") if one.html else from_text(clean(one.text))


def _plain(text: str, flowed: bool, end: str) -> str:
    if flowed:
        text = _STUFFED.sub(" ", _TRAILING.sub("", text))
    return text.replace("\n", end)
