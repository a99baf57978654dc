"""Reads on in a log file where an earlier run ended, across rotations.

Old parts lie beside the file, under longer names.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_READ_AT_ONCE = 4_194_304


@dataclass(frozen=True)
class Position:
    """Where reading ended: the file that it was, and the byte in it."""

    inode: int = 0
    offset: int = 0


def end_of(file: Path) -> Position:
    """The file's end, for who does not want to know what was before."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        return Position()
    return Position(facts.st_ino, facts.st_size)


def read_on(file: Path, position: Position) -> Iterator[tuple[bytes, Position]]:
    """Whole lines since then, in blocks, each with the position behind it.

    What was in a part that is not there any more is lost. Raises OSError.
    """
    for part in _parts(file, position.inode):
        try:
            opened = part.open("rb")
        except FileNotFoundError:  # evicted at this moment
            continue
        with opened:
            inode = os.fstat(opened.fileno()).st_ino
            offset = position.offset if inode == position.inode else 0
            yield from _blocks(opened.fileno(), inode, 0 if offset > os.fstat(opened.fileno()).st_size else offset)


def _parts(file: Path, inode: int) -> list[Path]:
    """The part with this inode, those that are newer, and the file itself."""
    found = []
    for path in file.parent.glob(f"{file.name}*"):
        with contextlib.suppress(FileNotFoundError):  # rotated at this moment: the next run finds it
            facts = path.stat()
            found.append((path == file, facts.st_mtime, facts.st_ino, path))
    found.sort()
    begin = next((place for place, (_, _, number, _) in enumerate(found) if number == inode), None)
    if begin is None:  # the part is gone, or this is the first run
        begin = 0 if not inode else max(len(found) - 1, 0)
    return [path for *_, path in found[begin:]]


def _blocks(descriptor: int, inode: int, offset: int) -> Iterator[tuple[bytes, Position]]:
    while block := os.pread(descriptor, _READ_AT_ONCE, offset):
        whole = block.rfind(b"\n") + 1
        if not whole and len(block) < _READ_AT_ONCE:
            return  # the rest of the line is still to come
        offset += whole or len(block)
        yield block[:whole], Position(inode, offset)
