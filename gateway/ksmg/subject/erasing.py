"""Erasing in all places, and looking again afterwards."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ksmg.stores.erasure import Discarded, discard_free_space
from ksmg.subject.finding import Erasure, Finding, Holder, Outcome, Scope
from ksmg.subject.matcher import Matcher
from ksmg.subject.pseudonyms import Pseudonyms
from ksmg.subject.receipt import Facts


def everything(places: Iterable[Holder], matcher: Matcher) -> Iterator[tuple[Holder, Finding]]:
    """All that is found, place by place."""
    for holder in places:
        for finding in holder.find(matcher):
            yield holder, finding


def counted(places: Iterable[Holder], matcher: Matcher) -> dict[str, int]:
    """How much is found in each place."""
    return dict(Counter(holder.place for holder, _ in everything(places, matcher)))


def erase(places: list[Holder], matcher: Matcher, scope: Scope) -> list[Outcome]:
    """Erases what may be erased. The pseudonyms' key lives as long as this."""
    pseudonyms = Pseudonyms(matcher)
    try:
        return [holder.erase(Erasure(matcher, pseudonyms, scope)) for holder in places]
    finally:
        pseudonyms.forget()


def discard(places: Iterable[Holder]) -> dict[str, Discarded]:
    """Gives the free blocks of every file system with such a place back to its device: deleted files are in them."""
    directories: dict[int, str] = {}
    for holder in places:
        directory = Path(holder.place)
        while not directory.is_dir():
            directory = directory.parent
        directories.setdefault(directory.stat().st_dev, str(directory))
    return {directory: _discarded(directory) for directory in directories.values()}


def _discarded(directory: str) -> Discarded:
    try:
        return discard_free_space(Path(directory))
    except OSError as error:  # the receipt says so
        return Discarded(0, error.strerror or str(error))


def facts(
    appliance: str, by: str, began: float, found: dict[str, int], places: list[Holder], matcher: Matcher
) -> Facts:
    """What the receipt says, after the erasure."""
    discarded = discard(places)
    left = counted(places, matcher)
    return Facts(appliance, by, began, time.time(), found, left, discarded)
