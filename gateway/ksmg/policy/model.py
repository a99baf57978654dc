"""The values of the data policy, as the statement has them: accounts, containers, rows with their locations, units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Account:
    """One of the accounts that can reach personal data.

    `kind` says where it comes from: `system` is made by the appliance, `package` by a Debian package, `web` exists in
    the web interface only.
    """

    name: str
    kind: str
    purpose: str
    uid: int | None = None
    group: str | None = None
    home: str | None = None
    shell: str | None = None


@dataclass(frozen=True)
class Container:
    """A directory that several rows share and nobody keeps data in."""

    path: PurePosixPath
    owner: str
    group: str
    mode: int
    traverse: tuple[str, ...]


@dataclass(frozen=True)
class Retention:
    """How long a location keeps its data. Each cap that is not set does not limit."""

    limit: str
    bytes: int | None = None
    days: int | None = None
    records: int | None = None
    weeks: int | None = None
    per: str | None = None
    rotate: str | None = None
    evict: str | None = None


@dataclass(frozen=True)
class Location:
    """A place on disk of one row. `at_rest` names, per account, what it may do with the files: list, read, write."""

    path: PurePosixPath
    at: PurePosixPath | None
    type: str
    owner: str
    group: str
    mode: int
    at_rest: Mapping[str, tuple[str, ...]]
    retention: Retention
    purpose: tuple[str, ...] = ()
    permission: str | None = None
    traverse: tuple[str, ...] = ()
    canary: str | None = None

    @property
    def place(self) -> PurePosixPath:
        """The absolute path on the appliance: the statement's location joined with this row's part below it."""
        return self.path if self.at is None else self.path / self.at

    def may(self, account: str, right: str) -> bool:
        """Whether `account` has `right` (list, read or write) on the files here. root has every right."""
        return account == "root" or right in self.at_rest.get(account, ())


@dataclass(frozen=True)
class Row:
    """One data class of the statement."""

    id: str
    title: str
    holds: tuple[str, ...]
    in_process: tuple[str, ...]
    in_transit: tuple[str, ...]
    permission: str | None
    locations: tuple[Location, ...]
    permission_excludes: tuple[str, ...] = ()
    also_in: tuple[PurePosixPath, ...] = ()

    def location(self, place: str | None = None) -> Location:
        """The row's location at `place`, or its first one. Raises KeyError when there is none."""
        for location in self.locations:
            if place is None or str(location.place) == place:
                return location
        raise KeyError(f"row {self.id} has no location {place or ''}".rstrip())


@dataclass(frozen=True)
class Outgoing:
    """Data that leaves the appliance, only after the administrator agreed."""

    id: str
    sends: tuple[str, ...]
    rule: tuple[str, ...]
    cache_records: int | None = None
    evict: str | None = None
    kept: str | None = None


@dataclass(frozen=True)
class Unit:
    """A systemd unit and the rows that it opens. An entry is a row id, or `row@place` for one of the row's places."""

    name: str
    account: str
    write: tuple[str, ...]
    read: tuple[str, ...]


@dataclass(frozen=True)
class DataPolicy:
    """The whole policy. Rows, accounts and units keep the order in which they are declared."""

    accounts: Mapping[str, Account]
    containers: tuple[Container, ...]
    rows: tuple[Row, ...]
    outgoing: tuple[Outgoing, ...]
    units: Mapping[str, Unit]

    def row(self, row_id: str) -> Row:
        """The row of that id. Raises KeyError."""
        for row in self.rows:
            if row.id == row_id:
                return row
        raise KeyError(f"the data policy has no row {row_id}")

    def place(self, row_id: str) -> PurePosixPath:
        """Where the row keeps its data (its first location)."""
        return self.row(row_id).location().place

    def retention(self, row_id: str) -> Retention:
        """The caps of the row's first location."""
        return self.row(row_id).location().retention

    def locations(self) -> Iterator[tuple[Row, Location]]:
        """Every location of every row."""
        for row in self.rows:
            for location in row.locations:
                yield row, location

    def resolve(self, entry: str) -> tuple[Location, ...]:
        """The locations that a unit's entry (`row` or `row@place`) means. Raises KeyError when there are none."""
        row_id, _, place = entry.partition("@")
        row = self.row(row_id)
        return (row.location(place),) if place else row.locations

    def permissions(self) -> frozenset[str]:
        """The web permissions that the rows and their locations name."""
        named = [row.permission for row in self.rows] + [location.permission for _, location in self.locations()]
        return frozenset(permission for permission in named if permission)
