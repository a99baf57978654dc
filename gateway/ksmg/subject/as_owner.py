"""Stores that root looks into: as the account that they belong to, so that no file in them becomes root's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ksmg.subject.finding import Erasure, Finding, Holder, Outcome
from ksmg.subject.matcher import Matcher
from ksmg.system.account import acting_as_owner

Item = TypeVar("Item")


@dataclass(frozen=True)
class AsOwner:
    """A holder that works as the owner of its place."""

    holder: Holder

    @property
    def row(self) -> str:
        """The policy's row."""
        return self.holder.row

    @property
    def place(self) -> str:
        """Where it is."""
        return self.holder.place

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """What the holder finds."""
        return _stepping(Path(self.place), iter(self.holder.find(matcher)))

    def erase(self, run: Erasure) -> Outcome:
        """What the holder erases."""
        with acting_as_owner(Path(self.place)):
            return self.holder.erase(run)


def _stepping(place: Path, items: Iterator[Item]) -> Iterator[Item]:
    """The items of a generator that works as an owner, while whoever takes them stays what it is."""
    while True:
        with acting_as_owner(place):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
