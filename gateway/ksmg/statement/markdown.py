"""The page in Markdown with tables (GitHub Flavored Markdown)."""

import re
from collections.abc import Iterator

from ksmg.statement.blocks import Block, Bullets, Code, Heading, Page, Pairs, Paragraph, Table

_SPECIAL = re.compile(r"([\\*_<>\[\]|#~])|`([^`]*)`")


def markdown(page: Page) -> bytes:
    """The page as a Markdown file."""
    pieces = [
        f"# {_text(page.title)}",
        f"_{_text(page.subtitle)}_",
        *map(_block, page.blocks),
        f"---\n\n{_text(page.foot)}",
    ]
    return ("\n\n".join(pieces) + "\n").encode()


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_text(block.text)}"
        case Paragraph():
            return _text(block.text)
        case Bullets():
            return "\n".join(f"- {_text(item)}" for item in block.items)
        case Pairs():
            return "\n".join(f"- **{_text(name)}**: {_text(value)}" for name, value in block.items)
        case Code():
            return f"```sh\n{block.text}\n```"
        case Table():
            return "\n".join(_table(block))


def _table(table: Table) -> Iterator[str]:
    yield _row(table.header)
    yield f"|{' --- |' * len(table.header)}"
    yield from map(_row, table.rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_text(cell).replace(chr(10), '<br>') for cell in cells)} |"


def _text(text: str) -> str:
    """Text whose marks mean nothing, except those of commands."""
    return _SPECIAL.sub(lambda found: f"\\{found[1]}" if found[1] else found[0], text)
