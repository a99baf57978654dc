"""Masks of file names, such as `*.exe`, compared with what a name becomes on the recipient's computer."""

import fnmatch
import re
import unicodedata
from collections.abc import Iterable

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
"""Control characters, and those that change the direction of text: `exe.cod` shown backwards is `doc.exe`."""
_SEPARATORS = re.compile(r"[\\/:]")


def plain_name(name: str) -> str:
    """A name as file systems take it: compatible characters alike, nothing invisible, no spaces or dots at the end."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKC", name))
    return visible.casefold().strip().rstrip(". ")


class FileMasks:
    """Masks with `*`, `?` and `[...]`. One without a directory is compared with the last piece of a path."""

    def __init__(self, masks: Iterable[str]) -> None:
        plain = sorted(unicodedata.normalize("NFKC", mask).casefold() for mask in masks)
        self._pattern = re.compile("|".join(fnmatch.translate(mask) for mask in plain)) if plain else None

    def match(self, name: str) -> bool:
        """Whether a mask fits a name: as it is, as file systems take it, or the last piece of either."""
        return self._pattern is not None and any(self._pattern.match(form) for form in _forms(name))


def _forms(name: str) -> set[str]:
    plain = plain_name(name)
    stream = plain.partition(":")[0].rstrip(". ")  # Windows: `x.exe:stream` is a part of the file `x.exe`
    whole = {name.casefold(), plain, stream}
    return whole | {_SEPARATORS.split(form)[-1] for form in whole} | {re.split(r"[\\/]", stream)[-1]}
