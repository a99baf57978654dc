"""A page as a sequence of blocks that every form of the statement can show."""

import re
from dataclasses import dataclass

_AMOUNT = re.compile(r"(\d) (?=[kMGT]?B\b)")


@dataclass(frozen=True)
class Heading:
    """A heading; level 2 divides the page, level 3 its parts. `anchor` is its name within the page."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list without an order."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    """Names with their values."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Code:
    """A command as it is typed."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table. Cells may have several lines; `widths` are the columns' shares of 100. The first cell heads its row."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]


Block = Heading | Paragraph | Bullets | Pairs | Code | Table


@dataclass(frozen=True)
class Page:
    """A page: its language, title and blocks, what is said at its foot, and when it was made (seconds since 1970)."""

    language: str
    title: str
    subtitle: str
    foot: str
    contents: str
    """What the list of its headings is called."""
    sheet: str
    """How its sheets of paper are counted, with {page} and {pages}."""
    made: float
    blocks: tuple[Block, ...]


def unbroken(text: str) -> str:
    """The text with each amount tied to its unit, so that no line ends between them."""
    return _AMOUNT.sub("\\1\u00a0", text)
