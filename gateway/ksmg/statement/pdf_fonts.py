"""The widths of characters in fonts that every PDF viewer has (ISO 32000-1, 9.6.2.2), and wrapping by them.

The numbers are those of Adobe's font metrics for Helvetica, in thousandths of the size, in the order of Windows-1252
from the space on. Nothing has to be embedded: that character set has all letters of the statement's languages.
"""

import enum
from collections.abc import Iterator

_SUBSTITUTES = str.maketrans({"\u202f": "\u00a0", "\u2011": "-"})
"""Characters that the set does not have."""
_FIRST = 32


def _widths(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


_REGULAR = _widths("""
    278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278
    584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944
    667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500
    278 556 500 722 500 500 500 334 260 334 584 350 556 350 222 556 333 1000 556 556 333 1000 667 333 1000 350 611
    350 350 222 222 333 333 350 556 1000 333 1000 500 333 944 350 500 667 278 333 556 556 556 556 260 556 333 737
    370 556 584 333 737 333 400 584 333 333 333 556 537 278 333 333 365 556 834 834 834 611 667 667 667 667 667 667
    1000 722 667 667 667 667 278 278 278 278 722 722 778 778 778 778 778 584 778 722 722 722 722 667 667 611 556 556
    556 556 556 556 889 500 556 556 556 556 278 278 278 278 556 556 556 556 556 556 556 584 611 556 556 556 556 500
    556 500
""")
_BOLD = _widths("""
    278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333 333
    584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944
    667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556
    333 611 556 778 556 556 500 389 280 389 584 350 556 350 278 556 500 1000 556 556 333 1000 667 333 1000 350 611
    350 350 278 278 500 500 350 556 1000 333 1000 556 333 944 350 500 667 278 333 556 556 556 556 280 556 333 737
    370 556 584 333 737 333 400 584 333 333 333 611 556 278 333 333 365 556 834 834 834 611 722 722 722 722 722 722
    1000 722 667 667 667 667 278 278 278 278 722 722 778 778 778 778 778 584 778 722 722 722 722 667 667 611 556 556
    556 556 556 556 889 556 556 556 556 556 278 278 278 278 611 611 611 611 611 611 611 584 611 611 611 611 611 556
    611 556
""")
_FIXED = (600,) * len(_REGULAR)


class Font(enum.Enum):
    """The fonts; the value is PDF's name."""

    REGULAR = "Helvetica"
    """For text."""
    BOLD = "Helvetica-Bold"
    """For what stands out."""
    FIXED = "Courier"
    """For commands."""

    def width(self, text: str, size: float) -> float:
        """How wide a text is, in points."""
        widths = _TABLES[self]
        return sum(widths[code - _FIRST] for code in encoded(text)) * size / 1000

    def wrapped(self, text: str, size: float, width: float) -> Iterator[str]:
        """The text in lines of at most this width. Words that are too long, such as paths, are broken."""
        line = ""
        for word in text.split(" "):
            longer = f"{line} {word}" if line else word
            if self.width(longer, size) <= width:
                line = longer
                continue
            if line:
                yield line
            *whole, line = self._pieces(word, size, width)
            yield from whole
        yield line

    def _pieces(self, word: str, size: float, width: float) -> list[str]:
        """A word in pieces that fit, each but the last one ended by a slash where there is one."""
        pieces = []
        while self.width(word, size) > width and len(word) > 1:
            most = max((n for n in range(1, len(word)) if self.width(word[:n], size) <= width), default=1)
            end = word.rfind("/", 1, most) + 1 or most
            pieces.append(word[:end])
            word = word[end:]
        return [*pieces, word]


_TABLES = {Font.REGULAR: _REGULAR, Font.BOLD: _BOLD, Font.FIXED: _FIXED}


def encoded(text: str) -> bytes:
    """The text in Windows-1252; what that does not have is a question mark, and control characters are blanks."""
    plain = "".join(" " if character < " " else character for character in text.translate(_SUBSTITUTES))
    return plain.encode("cp1252", "replace").replace(b"\x7f", b" ")
