"""What the statement says of one appliance at one moment, before any language: values that nothing computes again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ksmg.policy import Account, Location, Outgoing, Row
from ksmg.retention.measure import Holding


@dataclass(frozen=True)
class Identity:
    """Which appliance it is."""

    hostname: str
    version: str
    """Of the package ksmg."""
    system: str
    """The operating system, by its own name."""
    image: str | None
    """Name and version of the image that it was started from; None when it was set up on an installed system."""


@dataclass(frozen=True)
class Proof:
    """A complete run of the access verifier: when it ended, what it tried, and the differences from the policy."""

    time: datetime
    accounts: int
    units: int
    seconds: float
    differences: int
    rows: Mapping[str, int]
    """Differences by row."""


@dataclass(frozen=True)
class Place:
    """A location, and what it holds now: one holding, or one for each stream."""

    location: Location
    holdings: tuple[Holding, ...]


@dataclass(frozen=True)
class StatedRow:
    """A row of the policy with its places."""

    row: Row
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Sent:
    """Data that could leave the appliance, and what sends it: nothing, or a unit that runs or does not."""

    outgoing: Outgoing
    unit: str | None
    active: bool


@dataclass(frozen=True)
class Statement:
    """The whole of it."""

    identity: Identity
    time: datetime
    """With its time zone."""
    zone: str
    accounts: tuple[Account, ...]
    rows: tuple[StatedRow, ...]
    proof: Proof | None
    """The last one; None when access was never proven on this appliance."""
    outgoing: tuple[Sent, ...]
    dumps_on: bool

    def moment(self, seconds: float) -> datetime:
        """A moment (seconds since 1970) in the statement's time zone."""
        return datetime.fromtimestamp(seconds, self.time.tzinfo)

    def differences(self, row_id: str) -> int | None:
        """What the last proof found of a row; None when the row was not in it."""
        return None if self.proof is None else self.proof.rows.get(row_id)
