"""Erasing in all places, and looking again afterwards."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ksmg.stores.erasure import Discarded, discard_free_space
from ksmg.subject.finding import Erasure, Finding, Holder, Outcome, Scope
from ksmg.subject.matcher import Matcher
from ksmg.subject.pseudonyms import Pseudonyms


def everything(places: Iterable[Holder], matcher: Matcher) -> Iterator[tuple[Holder, Finding]]:
    """All that is found, place by place."""
    for holder in places:
        for finding in holder.find(matcher):
            yield holder, finding


def counted(places: Iterable[Holder], matcher: Matcher) -> dict[str, int]:
    """How much is found in each place."""
    return dict(Counter(holder.place for holder, _ in everything(places, matcher)))


def erase(places: list[Holder], matcher: Matcher, scope: Scope) -> tuple[list[Outcome], dict[str, Discarded]]:
    """Erases what may be erased, in files and in free blocks; also what became of those, by directory.

    Blocks that are free already are discarded first as well: what files that grow meanwhile get is clean then. The
    pseudonyms' key lives as long as this.
    """
    directories = _file_systems(places)
    before = [_discard(directory) for directory in directories]
    pseudonyms = Pseudonyms(matcher)
    try:
        outcomes = [holder.erase(Erasure(matcher, pseudonyms, scope)) for holder in places]
    finally:
        pseudonyms.forget()
    discarded = [earlier.then(_discard(directory)) for earlier, directory in zip(before, directories, strict=True)]
    return outcomes, dict(zip(map(str, directories), discarded, strict=True))


def _file_systems(places: Iterable[Holder]) -> list[Path]:
    """A directory of every file system that has one of the places: deleted files are in its free blocks."""
    found: dict[int, Path] = {}
    for holder in places:
        directory = Path(holder.place)
        while not directory.is_dir():
            directory = directory.parent
        found.setdefault(directory.stat().st_dev, directory)
    return list(found.values())


def _discard(directory: Path) -> Discarded:
    try:
        return discard_free_space(directory)
    except OSError as error:  # the receipt says so
        return Discarded(0, error.strerror or str(error))
