"""Where something can be put into an HTML document, as browsers see it, however broken it is."""

import functools
import html
import re

_LANDMARK = re.compile(r"<(?:!--|(/?)(body|html|head|script|style|title|textarea|xmp|template)(?=[\s/>]))", re.I)
_TAG_END = re.compile(r"""(?:"[^"]*+"|'[^']*+'|[^"'>])*+>""")
_LONGEST_TAG = 8192
_MOST_LANDMARKS = 10_000
"""Tags and comments that are looked at. Real documents have one or two dozen."""
_COMMENT_END = re.compile(r"--!?>")
_OPAQUE = frozenset({"script", "style", "title", "textarea", "xmp", "template"})
"""Elements whose content is not shown as markup."""


def insert_html(document: str, top: str, bottom: str) -> str:
    """The document with `top` as the first thing in its body and `bottom` as the last."""
    begin, end = body_limits(document)
    return document[:begin] + top + document[begin:end] + bottom + document[end:]


def body_limits(document: str) -> tuple[int, int]:
    """Where the body's content begins and ends.

    Without a body element it is what follows the head or the html tag, or everything. Tags in comments, scripts and
    other elements without markup are none.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    at = 0
    for _ in range(_MOST_LANDMARKS):
        found = _LANDMARK.search(document, at)
        if found is None:
            break
        at, tag = _after(document, found)
        first.setdefault(tag, at)
        last[tag] = found.start()
    begin = next((first[tag] for tag in ("body", "/head", "html") if tag in first), _after_doctype(document))
    ends = (last.get(tag, -1) for tag in ("/body", "/html"))
    return begin, next((end for end in ends if end >= begin), len(document))


def _after(document: str, found: re.Match[str]) -> tuple[int, str]:
    """Where the scan goes on after a landmark, and which tag it was; empty for a comment."""
    if found[2] is None:
        return _after_comment(document, found.end()), ""
    tag, limit = found[2].lower(), found.end() + _LONGEST_TAG
    closed = _TAG_END.match(document, found.end(), limit)
    if closed is None:
        return min(limit, len(document)), ""
    if tag in _OPAQUE and not found[1]:
        close = _closing(tag).search(document, closed.end())
        return (close.start() if close else len(document)), ""
    return closed.end(), found[1] + tag


@functools.cache
def _closing(tag: str) -> re.Pattern[str]:
    return re.compile(rf"</{tag}(?=[\s/>])", re.I)


def _after_comment(document: str, start: int) -> int:
    """Comments end with `-->`, `--!>`, or at once (WHATWG HTML, 13.2.5.43); one without an end goes to the end."""
    if document.startswith((">", "->"), start):
        return document.index(">", start) + 1
    end = _COMMENT_END.search(document, start)
    return end.end() if end else len(document)


def _after_doctype(document: str) -> int:
    doctype = re.match(r"\ufeff?\s*<!doctype[^>]{0,1000}>", document, re.I)
    return doctype.end() if doctype else len(document) - len(document.removeprefix("\ufeff"))


def from_text(text: str) -> str:
    """Plain text as HTML."""
    return html.escape(text).replace("\n", "<br>\r\n")


def to_text(markup: str) -> str:
    """HTML as plain text, roughly: for a text that was only given as HTML."""
    lines = re.sub(r"<br[^>]{0,100}>|</p>|</div>|</tr>", "\n", markup, flags=re.I)
    return html.unescape(re.sub(r"<[^>]{0,2000}>", "", lines)).strip()


def only_ascii(markup: str) -> str:
    """The same markup with references in place of other characters."""
    return markup.encode("ascii", "xmlcharrefreplace").decode("ascii")
