"""Files of settings and keys that somebody replaced or removed: overwritten, whatever program did it.

Programs put a new file in place of an old one, whose blocks then keep a private key that nobody can name any more. So
each file here has a second, hidden name beside it, with the same owner and the same access. When that is the only name
left, the file was replaced or removed: it is overwritten through it.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ksmg.policy import DataPolicy
from ksmg.stores.durable import erase_file

SECOND_NAME = ".held-"
"""How the names begin that files are held by."""


def watched(policy: DataPolicy) -> Iterator[Path]:
    """The files of all places that are kept for as long as a setting wants them. Raises OSError."""
    for _, location in policy.locations():
        place = Path(location.place)
        if location.retention.limit == "setting":
            found = place.rglob("*") if location.type == "directory" else [place]
            yield from (path for path in found if path.is_file() and not path.is_symlink())


def erase_replaced(policy: DataPolicy, in_image: Callable[[Path], bool]) -> list[Path]:
    """Overwrites what was replaced or removed since the last time, and holds what is there now. Raises OSError.

    `in_image` says of a file that it comes from the system's image; a second name would copy it out of there.
    """
    erased = []
    for second in list(_second_names(policy)):
        if second.stat().st_nlink == 1:
            erase_file(second)
            erased.append(second)
    for file in list(watched(policy)):
        facts = file.stat()
        if facts.st_nlink == 1 and not file.name.startswith(SECOND_NAME) and not in_image(file):
            with contextlib.suppress(FileNotFoundError):  # replaced at this moment; the next run finds the new one
                os.link(file, file.with_name(f"{SECOND_NAME}{facts.st_ino}"))
    return erased


def _second_names(policy: DataPolicy) -> Iterator[Path]:
    for _, location in policy.locations():
        if location.retention.limit == "setting":
            place = Path(location.place)
            yield from (
                place.rglob(f"{SECOND_NAME}*") if location.type == "directory" else place.parent.glob(f"{SECOND_NAME}*")
            )
