"""The page in PDF: A4, with an outline, numbered sheets, and tags for screen readers."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from ksmg.statement.blocks import Block, Bullets, Code, Heading, Page, Pairs, Paragraph, Table, unbroken
from ksmg.statement.pdf_file import Element
from ksmg.statement.pdf_fonts import Font
from ksmg.statement.pdf_sheets import LEFT, MARK, RIGHT, SOFT, Ink, Sheets

_TITLE, _SUBTITLE = Ink(Font.BOLD, 22), Ink(Font.REGULAR, 12, SOFT)
_HEADINGS = {2: Ink(Font.BOLD, 14, MARK), 3: Ink(Font.BOLD, 10.5)}
_BEFORE = {2: 20.0, 3: 13.0}
_KEEP = {2: 110.0, 3: 180.0}
"""Room that a heading wants on its sheet, so that what it heads begins there."""
_TEXT, _SMALL, _CAPTION = Ink(Font.REGULAR, 9.5), Ink(Font.REGULAR, 8), Ink(Font.REGULAR, 7.5, SOFT)
_FULL = RIGHT - LEFT
_NAMES = 105.0
_GAP, _PADDING = 8.0, 3.0
_MOST = 400.0
"""A row that is taller than this may be parted over sheets."""
_COMMAND = re.compile(r"`([^`]*)`")


def pdf(page: Page) -> bytes:
    """The page as a PDF file."""
    sheets = Sheets()
    _flow(sheets, page.title, _TITLE, sheets.root.part("H1"))
    _flow(sheets, page.subtitle, _SUBTITLE, sheets.root.part("P"))
    sheets.height -= 8
    sheets.rule(2, sheets.height, MARK)
    for block in page.blocks:
        sheets.height -= 7
        _block(sheets, block)
    return sheets.file(f"{page.title} {page.subtitle}", page.language, page.made, page.foot, page.sheet)


def _block(sheets: Sheets, block: Block) -> None:
    match block:
        case Heading():
            _heading(sheets, block)
        case Paragraph():
            _flow(sheets, block.text, _TEXT, sheets.root.part("P"))
        case Bullets():
            whole = sheets.root.part("L")
            for item in block.items:
                _item(sheets, whole, ("•", item), (12, _TEXT))
        case Pairs():
            whole = sheets.root.part("L")
            for pair in block.items:
                _item(sheets, whole, pair, (_NAMES, _SMALL))
        case Code():
            _code(sheets, block)
        case Table():
            _table(sheets, block)


def _heading(sheets: Sheets, heading: Heading) -> None:
    if sheets.room < _KEEP[heading.level]:
        sheets.turn()
    else:
        sheets.height -= _BEFORE[heading.level] - 7
    sheets.bookmark(heading.level, heading.text)
    _flow(sheets, heading.text, _HEADINGS[heading.level], sheets.root.part(f"H{heading.level}"))


def _flow(sheets: Sheets, text: str, ink: Ink, element: Element, at: float = LEFT) -> None:
    """Text over the width that is left, and over sheets."""
    for line in ink.font.wrapped(_plain(text), ink.size, RIGHT - at):
        if sheets.room < ink.leading:
            sheets.turn()
        sheets.lines([line], ink, at, sheets.height, element)
        sheets.height -= ink.leading


def _item(sheets: Sheets, whole: Element, pair: tuple[str, str], form: tuple[float, Ink]) -> None:
    (name, text), (indent, ink) = pair, form
    label = list(ink.font.wrapped(_plain(name), ink.size, indent - _GAP))
    if sheets.room < ink.leading * max(len(label), 2):
        sheets.turn()
    item, top = whole.part("LI"), sheets.height
    sheets.lines(label, replace(ink, colour=SOFT), LEFT, top, item.part("Lbl"))
    _flow(sheets, text, ink, item.part("LBody"), LEFT + indent)
    below_label = top - ink.leading * len(label)
    sheets.height = min(sheets.height, below_label) - 2 if sheets.height < top else sheets.height - 2


def _code(sheets: Sheets, code: Code) -> None:
    ink = Ink(Font.FIXED, 8)
    lines = list(ink.font.wrapped(code.text, ink.size, _FULL - 2 * _GAP))
    depth = ink.leading * len(lines) + 2 * _GAP
    if sheets.room < depth:
        sheets.turn()
    sheets.tint(sheets.height, depth)
    sheets.lines(lines, ink, LEFT + _GAP, sheets.height - _GAP, sheets.root.part("Code"))
    sheets.height -= depth


def _table(sheets: Sheets, table: Table) -> None:
    element = sheets.root.part("Table")
    if sheets.room < _CAPTION.leading + 2 * _SMALL.leading + _height(table, table.rows[0]):
        sheets.turn()
    _flow(sheets, table.caption, _CAPTION, element.part("Caption"))
    sheets.height -= _PADDING
    _header(sheets, table, element.part("TR"))
    for row in table.rows:
        _row(sheets, table, row, element.part("TR"))


def _height(table: Table, row: Sequence[str]) -> float:
    """The room that a row wants at its beginning."""
    cells = (_cell(text, width, 0) for text, (_, width) in zip(row, _columns(table), strict=True))
    return min(_SMALL.leading * max(map(len, cells)), _MOST) + 2 * _PADDING


def _header(sheets: Sheets, table: Table, row: Element | None) -> None:
    """The first row; on the next sheets it is repeated for the eye only."""
    ink = replace(_SMALL, font=Font.BOLD)
    columns = _columns(table)
    cells = [
        list(ink.font.wrapped(text, ink.size, width)) for text, (_, width) in zip(table.header, columns, strict=False)
    ]
    for lines, (at, _) in zip(cells, columns, strict=True):
        part = row.part("TH", "/A << /O /Table /Scope /Column >>") if row else None
        sheets.lines(lines, ink, at, sheets.height, part)
    sheets.height -= ink.leading * max(map(len, cells)) + _PADDING
    sheets.rule(1, sheets.height, "0.11 0.12 0.14")


def _row(sheets: Sheets, table: Table, row: Sequence[str], element: Element) -> None:
    """A row; it goes to the next sheet whole, or, when it is very tall, in parts."""
    columns = _columns(table)
    waiting = [_cell(text, width, place) for place, (text, (_, width)) in enumerate(zip(row, columns, strict=True))]
    parts = [element.part("TH", "/A << /O /Table /Scope /Row >>"), *(element.part("TD") for _ in row[1:])]
    while any(waiting):
        tallest = max(map(len, waiting))
        if sheets.room < min(_SMALL.leading * tallest, _MOST) + 2 * _PADDING:
            sheets.turn()
            _header(sheets, table, None)
        fits = int((sheets.room - 2 * _PADDING) / _SMALL.leading)
        top = sheets.height - _PADDING
        for lines, part, (at, _) in zip(waiting, parts, columns, strict=True):
            _draw_cell(sheets, lines[:fits], at, top, part)
        waiting = [lines[fits:] for lines in waiting]
        sheets.height = top - _SMALL.leading * min(tallest, fits) - _PADDING
        sheets.rule(0.5, sheets.height)


def _draw_cell(sheets: Sheets, lines: Sequence[tuple[str, Ink]], at: float, top: float, part: Element) -> None:
    for ink, same in groupby(enumerate(lines), key=lambda numbered: numbered[1][1]):
        numbered = list(same)
        sheets.lines([text for _, (text, _) in numbered], ink, at, top - numbered[0][0] * ink.leading, part)


def _columns(table: Table) -> list[tuple[float, float]]:
    """Where each column begins, and how wide its text may be."""
    starts = accumulate((_FULL * width / 100 for width in table.widths), initial=LEFT)
    return [(start, _FULL * width / 100 - _GAP) for start, width in zip(starts, table.widths, strict=False)]


def _cell(text: str, width: float, column: int) -> list[tuple[str, Ink]]:
    """A cell in lines. The first line of a row's first cell heads the row."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        ink = replace(_SMALL, font=Font.BOLD) if column == number == 0 else _SMALL
        lines += [(piece, ink) for piece in ink.font.wrapped(_plain(line), ink.size, width)]
    return lines


def _plain(text: str) -> str:
    """Text without the marks of commands, an amount together with its unit."""
    return _COMMAND.sub("‘\\1’", unbroken(text))
