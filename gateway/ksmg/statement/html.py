"""The page in HTML: one file without scripts that loads nothing, for screens, paper and screen readers."""

import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from ksmg.statement.blocks import Block, Bullets, Code, Heading, Page, Pairs, Paragraph, Table, unbroken

_COMMAND = re.compile(r"`([^`]*)`")


def html(page: Page) -> bytes:
    """The page as an HTML file."""
    return "\n".join((*_lines(page), "")).encode()


def _lines(page: Page) -> Iterator[str]:
    yield f'<!DOCTYPE html>\n<html lang="{page.language}">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<title>{escape(page.title)} {escape(page.subtitle)}</title>"
    yield f"<style>\n{_style()}</style>\n</head>\n<body>"
    yield f"<header>\n<h1>{_text(page.title)}</h1>\n<p>{_text(page.subtitle)}</p>\n</header>"
    yield from _contents(page)
    yield "<main>"
    yield from map(_block, page.blocks)
    yield f"</main>\n<footer><p>{_text(page.foot)}</p></footer>\n</body>\n</html>"


def _style() -> str:
    return files("ksmg.statement").joinpath("page.css").read_text(encoding="utf-8")


def _contents(page: Page) -> Iterator[str]:
    """The headings of the second level, with those below them."""
    yield f'<nav aria-labelledby="contents">\n<h2 id="contents">{_text(page.contents)}</h2>\n<ul>'
    depth = 2
    for heading in (block for block in page.blocks if isinstance(block, Heading)):
        yield from ["<li>\n<ul>"] if heading.level > depth else []
        yield from ["</ul>\n</li>"] if heading.level < depth else []
        yield f'<li><a href="#{heading.anchor}">{_text(heading.text)}</a></li>'
        depth = heading.level
    yield "</ul>\n</nav>" if depth == 2 else "</ul>\n</li>\n</ul>\n</nav>"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f'<h{block.level} id="{block.anchor}">{_text(block.text)}</h{block.level}>'
        case Paragraph():
            return f"<p>{_text(block.text)}</p>"
        case Bullets():
            return "\n".join(("<ul>", *(f"<li>{_text(item)}</li>" for item in block.items), "</ul>"))
        case Pairs():
            pairs = (f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in block.items)
            return "\n".join(("<dl>", *pairs, "</dl>"))
        case Code():
            return f"<pre><code>{escape(block.text)}</code></pre>"
        case Table():
            return "\n".join(_table(block))


def _table(table: Table) -> Iterator[str]:
    yield f"<table>\n<caption>{_text(table.caption)}</caption>\n<colgroup>"
    yield from (f'<col style="width: {width}%">' for width in table.widths)
    yield "</colgroup>\n<thead>\n<tr>"
    yield from (f'<th scope="col">{_text(cell)}</th>' for cell in table.header)
    yield "</tr>\n</thead>\n<tbody>"
    for head, *cells in table.rows:
        cells_shown = (f"<td>{_cell(cell)}</td>" for cell in cells)
        yield f'<tr><th scope="row">{_cell(head)}</th>{"".join(cells_shown)}</tr>'
    yield "</tbody>\n</table>"


def _cell(text: str) -> str:
    """Several lines; a long path may be broken after a slash."""
    first, *others = map(_text, text.split("\n"))
    shown = first.replace("/", "/<wbr>") if first.startswith("/") else first
    return "".join((shown, *(f"<br><span>{line}</span>" for line in others)))


def _text(text: str) -> str:
    """Text in which commands look like commands, and an amount stays with its unit."""
    return _COMMAND.sub(r"<code>\1</code>", unbroken(escape(text)))
