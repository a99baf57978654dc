"""The caps of the data policy, and what becomes of them on a disk that is too small for all of them together.

On each file system the caps shrink in the same proportion, until their sum and a reserve fit on it: so what the
appliance keeps cannot fill a file system, however small it is.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ksmg.diagnostics.trace import COMPONENTS
from ksmg.policy import DataPolicy, Location, Row
from ksmg.retention.filesystems import MountTable, capacity, mount_table
from ksmg.settings import Settings

_DAY = 86_400.0
_RECORD = 1000
"""Bytes that a record takes in a log that counts records."""
_BASE_SHARE, _BASE_BYTES = 50, 150_000_000
"""Every file system keeps a fiftieth and these bytes free: for the system's own log files and for its metadata."""
_QUEUE_SHARE, _QUEUE_BYTES = 10, 2_000_000_000
"""Where the mail queue is, a tenth and these bytes more: for the queue, signature updates and the system."""
_LEAST_SHARE = 2
"""However small a file system is, the reserve takes no more than this part of it."""


@dataclass(frozen=True)
class Cap:
    """How much or how long something may be kept; what is None does not limit."""

    bytes: int | None = None
    records: int | None = None
    seconds: float | None = None

    def shrunk(self, factor: float) -> "Cap":
        """The same for a smaller disk. Time does not shrink."""
        if factor >= 1:
            return self
        return Cap(_part(self.bytes, factor), _part(self.records, factor), self.seconds)


def declared_cap(row: Row, location: Location, settings: Settings) -> Cap:
    """The cap that the policy gives a place; where users may choose, theirs."""
    retention = location.retention
    if retention.limit != "settable":
        days = retention.days if retention.weeks is None else retention.weeks * 7
        return Cap(retention.bytes, retention.records, None if days is None else days * _DAY)
    chosen = {unit: _setting(settings, f"{row.id}.{unit}", getattr(retention, unit)) for unit in _UNITS}
    days = chosen["days"]
    return Cap(chosen["bytes"], chosen["records"], None if days is None else days * _DAY)


def streams(policy: DataPolicy, location: Location) -> tuple[str, ...]:
    """The streams that each have a cap of their own in a place; none when the place has one cap."""
    if location.retention.per != "stream":
        return ()
    place = policy.row("traces").locations.index(location)
    return tuple(name for name, kind in COMPONENTS.items() if kind == place)


def effective_caps(
    policy: DataPolicy, settings: Settings, mounts: MountTable, holds: Callable[[PurePosixPath], int] = capacity
) -> Mapping[PurePosixPath, Cap]:
    """Each place's cap in proportion to its disk; with streams, that of each of them.

    `holds` gives the bytes that a place's file system can hold; it is asked once for each place.
    """
    declared = {location.place: declared_cap(row, location, settings) for row, location in policy.locations()}
    factors = {
        place: _factor(room_for_caps(holds(place), _has_queue(policy, mounts, place)), demand)
        for place, demand in _demands(policy, declared, mounts)
    }
    return {place: cap.shrunk(factors.get(place, 1.0)) for place, cap in declared.items()}


def effective_cap(policy: DataPolicy, settings: Settings, place: PurePosixPath) -> Cap:
    """The cap of one place on this appliance, as it is mounted now. Raises OSError."""
    mounts = mount_table()
    device = mounts.device(place)
    return effective_caps(
        policy, settings, mounts, lambda asked: capacity(place) if mounts.device(asked) == device else 0
    )[place]


def room_for_caps(holds: int, has_queue: bool) -> int:
    """What a file system has for the places with caps, of the bytes that it can hold."""
    reserve = holds // _BASE_SHARE + _BASE_BYTES
    if has_queue:
        reserve += holds // _QUEUE_SHARE + _QUEUE_BYTES
    return holds - min(reserve, holds // _LEAST_SHARE)


def _demands(
    policy: DataPolicy, declared: Mapping[PurePosixPath, Cap], mounts: MountTable
) -> Iterator[tuple[PurePosixPath, int]]:
    """Each place that has a cap, with the bytes that all caps on its file system are together."""
    sums: dict[str, int] = {}
    for _, location in policy.locations():
        cap, device = declared[location.place], mounts.device(location.place)
        wanted = (cap.bytes or 0) + (cap.records or 0) * _RECORD
        sums[device] = sums.get(device, 0) + wanted * max(len(streams(policy, location)), 1)
    for place, cap in declared.items():
        if cap.bytes is not None or cap.records is not None:
            yield place, sums[mounts.device(place)]


def _has_queue(policy: DataPolicy, mounts: MountTable, place: PurePosixPath) -> bool:
    queues = {mounts.device(at.place) for _, at in policy.locations() if at.retention.limit == "delivered"}
    return mounts.device(place) in queues


def _factor(room: int, demand: int) -> float:
    return min(room / demand, 1.0) if demand else 1.0


_UNITS = ("bytes", "days", "records")


def _setting(settings: Settings, key: str, declared: int | None) -> int | None:
    return None if declared is None else settings.number(key, declared)


def _part(number: int | None, factor: float) -> int | None:
    return None if number is None else max(int(number * factor), 1)
