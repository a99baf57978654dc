"""Sheets of paper that are filled from the top: lines of text, rules, and a foot on each when all are full."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ksmg.statement.pdf_file import (
    Bookmark,
    Element,
    Marked,
    Objects,
    add_outline,
    add_structure,
    date_string,
    text_string,
)
from ksmg.statement.pdf_fonts import Font, encoded

WIDTH, HEIGHT = 595.28, 841.89
"""A4, in points."""
LEFT, RIGHT, TOP, BOTTOM = 48.0, WIDTH - 48, HEIGHT - 48, 62.0
_FOOT = 36.0
_FONTS = {font: f"F{number}" for number, font in enumerate(Font)}
_ESCAPED = str.maketrans({"\\": r"\\", "(": r"\(", ")": r"\)"})


@dataclass(frozen=True)
class Ink:
    """How text looks: its font, its size in points, and its grey or blue."""

    font: Font
    size: float
    colour: str = "0.11 0.12 0.14"

    @property
    def leading(self) -> float:
        """From one line to the next."""
        return self.size * 1.35


SOFT = "0.34 0.38 0.42"
MARK = "0.04 0.31 0.54"


@dataclass
class _Sheet:
    content: list[bytes] = field(default_factory=list)
    marked: int = 0


class Sheets:
    """The sheets so far. `height` is where the next thing goes on the last one."""

    def __init__(self) -> None:
        self.root = Element("Document")
        self._sheets: list[_Sheet] = []
        self._bookmarks: list[Bookmark] = []
        self.turn()

    def turn(self) -> None:
        """Begins a new sheet."""
        self._sheets.append(_Sheet())
        self.height = TOP

    @property
    def room(self) -> float:
        """Points that are left on the sheet."""
        return self.height - BOTTOM

    def bookmark(self, level: int, text: str) -> None:
        """Puts this place into the outline."""
        self._bookmarks.append(Bookmark(level, text, len(self._sheets) - 1, self.height + 6))

    def lines(self, lines: Sequence[str], ink: Ink, at: float, top: float, element: Element | None) -> None:
        """Draws lines below `top`, as part of an element; without one they mean nothing to screen readers."""
        drawn = [
            _line(text, ink, at, top - (place + 1) * ink.leading + ink.size * 0.35) for place, text in enumerate(lines)
        ]
        self._draw(b"\n".join(drawn), element)

    def rule(self, weight: float, height: float, colour: str = "0.78 0.81 0.84") -> None:
        """A line across the sheet."""
        command = f"q {colour} RG {weight} w {LEFT:.2f} {height:.2f} m {RIGHT:.2f} {height:.2f} l S Q"
        self._draw(command.encode("ascii"), None)

    def tint(self, top: float, depth: float) -> None:
        """A pale ground across the sheet."""
        command = f"q 0.95 0.96 0.98 rg {LEFT:.2f} {top - depth:.2f} {RIGHT - LEFT:.2f} {depth:.2f} re f Q"
        self._draw(command.encode("ascii"), None)

    def file(self, title: str, language: str, made: float, foot: str, sheet: str) -> bytes:
        """The file. `sheet` has the places {page} and {pages}."""
        self._feet(foot, sheet)
        objects = Objects()
        tree = objects.reserve()
        numbers = [objects.reserve() for _ in self._sheets]
        fonts = " ".join(f"/{_FONTS[font]} {_add_font(objects, font)} 0 R" for font in Font)
        for place, (number, filled) in enumerate(zip(numbers, self._sheets, strict=True)):
            content = objects.add_stream(b"\n".join(filled.content))
            page = (
                f"/Type /Page /Parent {tree} 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources << /Font << {fonts} >> >>"
            )
            objects.put(number, f"<< {page} /Contents {content} 0 R /StructParents {place} /Tabs /S >>")
        objects.put(tree, f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(numbers)} >>")
        structure = add_structure(objects, self.root, numbers)
        outline = add_outline(objects, self._bookmarks, numbers)
        root = objects.add(
            f"<< /Type /Catalog /Pages {tree} 0 R /StructTreeRoot {structure} 0 R /MarkInfo << /Marked true >> "
            f"/Outlines {outline} 0 R /PageMode /UseOutlines /Lang ({language}) "
            f"/ViewerPreferences << /DisplayDocTitle true >> >>"
        )
        return objects.file(root, objects.add(_information(title, made)))

    def _feet(self, foot: str, sheet: str) -> None:
        ink = Ink(Font.REGULAR, 7.5, SOFT)
        for place, filled in enumerate(self._sheets):
            counted = sheet.format(page=place + 1, pages=len(self._sheets))
            right = RIGHT - ink.font.width(counted, ink.size)
            filled.content.append(_artifact(_line(foot, ink, LEFT, _FOOT) + b"\n" + _line(counted, ink, right, _FOOT)))

    def _draw(self, command: bytes, element: Element | None) -> None:
        filled = self._sheets[-1]
        if element is None:
            filled.content.append(_artifact(command))
            return
        element.below.append(Marked(len(self._sheets) - 1, filled.marked))
        filled.content.append(
            b"/%s << /MCID %d >> BDC\n%s\nEMC" % (element.tag.encode("ascii"), filled.marked, command)
        )
        filled.marked += 1


def _line(text: str, ink: Ink, at: float, base: float) -> bytes:
    head = f"BT {ink.colour} rg /{_FONTS[ink.font]} {ink.size} Tf {at:.2f} {base:.2f} Td ("
    return head.encode("ascii") + encoded(text.translate(_ESCAPED)) + b") Tj ET"


def _artifact(command: bytes) -> bytes:
    return b"/Artifact BMC\n%s\nEMC" % command


def _add_font(objects: Objects, font: Font) -> int:
    return objects.add(f"<< /Type /Font /Subtype /Type1 /BaseFont /{font.value} /Encoding /WinAnsiEncoding >>")


def _information(title: str, made: float) -> str:
    when = date_string(made)
    return f"<< /Title {text_string(title)} /Creator (ksmg) /Producer (ksmg) /CreationDate {when} /ModDate {when} >>"
