"""A PDF file (ISO 32000-1): numbered objects, a table of where they are, and the tags that screen readers follow.

Written here because Debian's libraries for it bring 18 to 44 packages onto the appliance, X11 among them, for one page.
"""

import hashlib
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
"""Four bytes above 127 tell programs that it is no text (7.5.2)."""


class Objects:
    """The objects of a file. A number is given before the object is written, because they refer to each other."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []

    def reserve(self) -> int:
        """The number of an object that is put later."""
        self._bodies.append(b"null")
        return len(self._bodies)

    def put(self, number: int, body: str) -> None:
        """Gives a reserved object its content."""
        self._bodies[number - 1] = body.encode("ascii")

    def add(self, body: str) -> int:
        """A new object; returns its number."""
        number = self.reserve()
        self.put(number, body)
        return number

    def add_stream(self, content: bytes) -> int:
        """A compressed stream of bytes; returns its number."""
        packed = zlib.compress(content, 9)
        number = self.reserve()
        head = f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode("ascii")
        self._bodies[number - 1] = head + packed + b"\nendstream"
        return number

    def file(self, root: int, info: int) -> bytes:
        """The whole file. Its identifier follows from its content: the same page is the same file."""
        body, offsets = bytearray(_HEADER), []
        for number, content in enumerate(self._bodies, 1):
            offsets.append(len(body))
            body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
        start, identifier = len(body), hashlib.sha256(body).hexdigest()[:32]
        body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
        body += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        trailer = f"/Size {len(offsets) + 1} /Root {root} 0 R /Info {info} 0 R /ID [<{identifier}> <{identifier}>]"
        return bytes(body) + f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode("ascii")


@dataclass
class Element:
    """A part of the document as screen readers see it (14.7.2): a tag, and parts or marked content below it."""

    tag: str
    attributes: str = ""
    below: list["Element | Marked"] = field(default_factory=list)

    def part(self, tag: str, attributes: str = "") -> "Element":
        """A new part below this one."""
        made = Element(tag, attributes)
        self.below.append(made)
        return made


@dataclass(frozen=True)
class Marked:
    """A piece of a sheet's content that belongs to an element."""

    sheet: int
    identifier: int


@dataclass(frozen=True)
class Bookmark:
    """An entry of the outline: where its heading is on which sheet."""

    level: int
    text: str
    sheet: int
    height: float


def text_string(text: str) -> str:
    """A text that is not drawn, such as a title, in any script (7.9.2.2)."""
    return f"<{(chr(0xFEFF) + text).encode('utf-16-be').hex().upper()}>"


def date_string(moment: float) -> str:
    """A moment (seconds since 1970) as PDF writes it (7.9.4)."""
    return f"(D:{time.strftime('%Y%m%d%H%M%S', time.gmtime(moment))}Z)"


def add_structure(objects: Objects, root: Element, sheets: Sequence[int]) -> int:
    """Adds the tags of a document whose sheets have these numbers; returns the number of their root."""
    tree = objects.reserve()
    parents: dict[Marked, int] = {}
    top = _add_element(objects, root, tree, sheets, parents)
    by_sheet: list[list[int]] = [[] for _ in sheets]
    for marked in sorted(parents, key=lambda found: (found.sheet, found.identifier)):
        by_sheet[marked.sheet].append(parents[marked])
    entries = " ".join(f"{sheet} [{' '.join(f'{n} 0 R' for n in found)}]" for sheet, found in enumerate(by_sheet))
    numbers = objects.add(f"<< /Nums [{entries}] >>")
    objects.put(tree, f"<< /Type /StructTreeRoot /K {top} 0 R /ParentTree {numbers} 0 R >>")
    return tree


def _add_element(
    objects: Objects, element: Element, parent: int, sheets: Sequence[int], parents: dict[Marked, int]
) -> int:
    number = objects.reserve()
    below = []
    for child in element.below:
        if isinstance(child, Element):
            below.append(f"{_add_element(objects, child, number, sheets, parents)} 0 R")
        else:
            parents[child] = number
            below.append(f"<< /Type /MCR /Pg {sheets[child.sheet]} 0 R /MCID {child.identifier} >>")
    kind = f"/Type /StructElem /S /{element.tag} /P {parent} 0 R {element.attributes}".rstrip()
    objects.put(number, f"<< {kind} /K [{' '.join(below)}] >>")
    return number


def add_outline(objects: Objects, bookmarks: Sequence[Bookmark], sheets: Sequence[int]) -> int:
    """Adds the outline that viewers show beside the page; returns its number."""
    root = objects.reserve()
    tops = list(_branches(bookmarks))
    numbers = [objects.reserve() for _ in tops]
    for place, (top, below) in enumerate(tops):
        children = [objects.reserve() for _ in below]
        for at, child in enumerate(below):
            objects.put(children[at], _bookmark(child, numbers[place], sheets, _neighbours(children, at)))
        family = _neighbours(numbers, place)
        family += f" /First {children[0]} 0 R /Last {children[-1]} 0 R /Count -{len(children)}" if children else ""
        objects.put(numbers[place], _bookmark(top, root, sheets, family))
    ends = f"/First {numbers[0]} 0 R /Last {numbers[-1]} 0 R /Count {len(numbers)}" if numbers else ""
    objects.put(root, f"<< /Type /Outlines {ends} >>")
    return root


def _branches(bookmarks: Sequence[Bookmark]) -> Iterator[tuple[Bookmark, list[Bookmark]]]:
    """Each bookmark of the upper level with those below it."""
    for place, top in enumerate(bookmarks):
        if top.level == bookmarks[0].level:
            after = bookmarks[place + 1 :]
            end = next((n for n, other in enumerate(after) if other.level <= top.level), len(after))
            yield top, list(after[:end])


def _bookmark(mark: Bookmark, parent: int, sheets: Sequence[int], family: str) -> str:
    target = f"[{sheets[mark.sheet]} 0 R /XYZ 0 {mark.height:.1f} 0]"
    return f"<< /Title {text_string(mark.text)} /Parent {parent} 0 R /Dest {target}{family} >>"


def _neighbours(numbers: Sequence[int], place: int) -> str:
    before = f" /Prev {numbers[place - 1]} 0 R" if place else ""
    return before + (f" /Next {numbers[place + 1]} 0 R" if place + 1 < len(numbers) else "")
