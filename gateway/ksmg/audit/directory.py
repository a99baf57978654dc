"""The machine's accounts and groups: passwd(5), group(5) and the password fields of shadow(5) and gshadow(5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A line of passwd."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True)
class Group:
    """A line of group."""

    name: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Directory:
    """Everybody on this machine. `passwords` and `group_passwords` are the fields that say how somebody signs in."""

    accounts: tuple[Account, ...]
    groups: tuple[Group, ...]
    passwords: Mapping[str, str]
    group_passwords: Mapping[str, str]

    @cached_property
    def by_uid(self) -> dict[int, str]:
        """Names of accounts; of those that share a uid, the first."""
        return {account.uid: account.name for account in reversed(self.accounts)}

    @cached_property
    def by_gid(self) -> dict[int, str]:
        """Names of groups."""
        return {group.gid: group.name for group in reversed(self.groups)}

    def user(self, uid: int) -> str:
        """An account's name, or its number."""
        return self.by_uid.get(uid, str(uid))

    def group(self, gid: int) -> str:
        """A group's name, or its number."""
        return self.by_gid.get(gid, str(gid))

    def gid(self, name: str) -> int | None:
        """A group's number."""
        return next((group.gid for group in self.groups if group.name == name), None)

    def account(self, name: str) -> Account | None:
        """An account by its name."""
        return next((account for account in self.accounts if account.name == name), None)

    def groups_of(self, account: Account) -> frozenset[int]:
        """All groups of an account, its own among them."""
        return frozenset({account.gid, *(group.gid for group in self.groups if account.name in group.members)})


def read_directory(etc: Path = Path("/etc")) -> Directory:
    """Everybody on this machine. Raises OSError; lines that are none are left out."""
    return Directory(
        accounts=tuple(
            Account(row[0], int(row[2]), int(row[3]), row[5], row[6])
            for row in _rows(etc / "passwd", 7)
            if row[2].isdigit() and row[3].isdigit()
        ),
        groups=tuple(
            Group(row[0], int(row[2]), tuple(filter(None, row[3].split(","))))
            for row in _rows(etc / "group", 4)
            if row[2].isdigit()
        ),
        passwords={row[0]: row[1] for row in _rows(etc / "shadow", 2)},
        group_passwords={row[0]: row[1] for row in _rows(etc / "gshadow", 2)},
    )


def _rows(path: Path, fields: int) -> Iterable[list[str]]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [row for row in (line.split(":") for line in lines) if len(row) >= fields]
