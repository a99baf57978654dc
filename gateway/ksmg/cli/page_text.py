"""The text of an HTML page, with the target of each link behind it. Takes time in proportion to the page's length.

Not the standard library's parser: a page that is made for it keeps it busy for minutes.
"""

import html
import re
from collections.abc import Iterator

_TAG = re.compile(r"""<(/?)([a-z][a-z0-9:-]{0,30})((?:"[^"]*+"|'[^']*+'|[^"'>])*+)>""", re.IGNORECASE)
_LONGEST_TAG = 4096
"""Characters; a longer one is shown as text."""
_MOST_BROKEN = 1000
"""Tags without an end; a page with more of them is shown as it is from there on."""
_TARGET = re.compile(r"""(?:^|\s)href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_HIDDEN = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style", "template", "title", "head")
}
"""Elements whose content is not shown, each with what ends it."""
_BREAKS = frozenset({"p", "br", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr"})
_SPACE = re.compile(r"\s+")


def page_text(page: str) -> str:
    """The text of a page: lines where blocks begin and end, other white space as one blank."""
    return "".join(_pieces(page))


def _pieces(page: str) -> Iterator[str]:
    at, broken, links = 0, 0, list[str]()
    while at < len(page):
        begin = page.find("<", at) if broken < _MOST_BROKEN else -1
        yield _text(page[at:] if begin < 0 else page[at:begin])
        if begin < 0:
            return
        if page.startswith(("<!", "<?"), begin):
            at = _after_comment(page, begin)
            continue
        tag = _TAG.match(page, begin, begin + _LONGEST_TAG)
        if tag is None:
            yield "<"
            at, broken = begin + 1, broken + 1
            continue
        at = _after_hidden(page, tag)
        yield _shown(tag, links)


def _text(piece: str) -> str:
    return html.unescape(_SPACE.sub(" ", piece))


def _after_comment(page: str, begin: int) -> int:
    close = "-->" if page.startswith("<!--", begin) else ">"
    end = page.find(close, begin + 2)
    return len(page) if end < 0 else end + len(close)


def _after_hidden(page: str, tag: re.Match[str]) -> int:
    """Where the page goes on after a tag: behind the content of an element that is not shown."""
    close = _HIDDEN.get(tag[2].lower())
    if close is None or tag[1]:
        return tag.end()
    end = close.search(page, tag.end())
    return end.start() if end else len(page)


def _shown(tag: re.Match[str], links: list[str]) -> str:
    name = tag[2].lower()
    if name in _BREAKS:
        return "\n"
    if name != "a":
        return ""
    if not tag[1]:
        target = _TARGET.search(tag[3])
        links.append(html.unescape(next(filter(None, target.groups()), "")) if target else "")
        return ""
    target_of_link = links.pop() if links else ""
    return f" <{target_of_link}>" if target_of_link else ""
