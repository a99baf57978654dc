"""The directory that groups are looked up in."""

from typing import Protocol


class Directory(Protocol):
    """Knows which addresses are in which groups. Addresses are in their normal form, see `rules.patterns`."""

    def members(self, group: str) -> frozenset[str] | None:
        """The addresses in a group; None when there is no such group."""

    def is_member(self, address: str, group: str) -> bool:
        """Whether an address is in a group; nobody is in one that does not exist. Never waits."""


class NoDirectory:
    """No directory: it knows no group, and nobody is in one."""

    def members(self, _group: str) -> frozenset[str] | None:
        """None."""
        return None

    def is_member(self, _address: str, _group: str) -> bool:
        """False."""
        return False
