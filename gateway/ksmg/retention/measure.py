"""What is kept at this moment in each place of the data policy, beside its cap. Status, audit and statement use it."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from ksmg.audit.contents import POSTFIX_PARTS
from ksmg.diagnostics.trace_file import PARTS_PER_CAP
from ksmg.policy import DataPolicy, Location, Row
from ksmg.retention.caps import Cap, declared_cap, effective_caps, streams
from ksmg.retention.filesystems import mount_table
from ksmg.retention.log_parts import log_parts
from ksmg.retention.units import part_size
from ksmg.settings import Settings
from ksmg.stores.locations import (
    open_backup,
    open_message_events,
    open_spam_quarantine,
    open_system_events,
)
from ksmg.stores.message_store import MessageStore
from ksmg.stores.message_store_writer import SEGMENTS_PER_STORE
from ksmg.system.account import acting_as_owner

__all__ = ["Cap", "Holding", "measure"]
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_STREAM = ".log"
_MESSAGE_STORES = ("backup", "spam_quarantine", "kata_quarantine")


@dataclass(frozen=True)
class Holding:
    """What one place keeps, or one stream of it.

    `bytes` and `records` as the cap counts them; `records` is None where nothing is counted. `oldest` is the time of
    the oldest entry, seconds since 1970; None when there is none. `effective` is the cap in proportion to the disk.
    """

    row: str
    place: PurePosixPath
    stream: str | None
    bytes: int
    records: int | None
    cap: Cap
    effective: Cap
    oldest: float | None
    exists: bool
    unit: int = 0
    """Bytes of the unit in which it takes and evicts; 0 without a cap in bytes."""


@dataclass(frozen=True)
class Extent:
    """How much there is, and since when."""

    bytes: int
    records: int | None
    oldest: float | None


def measure(policy: DataPolicy, settings: Settings) -> tuple[Holding, ...]:
    """Every place of every row, in the policy's order; as root. Raises OSError or sqlite3.Error."""
    effective = effective_caps(policy, settings, mount_table())
    return tuple(
        Holding(
            row=row.id,
            place=location.place,
            stream=stream,
            bytes=extent.bytes,
            records=extent.records,
            cap=declared_cap(row, location, settings),
            effective=effective[location.place],
            oldest=extent.oldest,
            exists=Path(location.place).exists(),
            unit=_unit(row, location, effective[location.place].bytes),
        )
        for row, location in policy.locations()
        for stream, extent in _extents(policy, settings, row, location)
    )


def _unit(row: Row, location: Location, cap: int | None) -> int:
    if cap is None:
        return 0
    if location.type == "log":
        return part_size(cap)
    return cap // (SEGMENTS_PER_STORE if row.id in _MESSAGE_STORES else PARTS_PER_CAP)


def _extents(
    policy: DataPolicy, settings: Settings, row: Row, location: Location
) -> Iterator[tuple[str | None, Extent]]:
    place = Path(location.place)
    if not place.exists():
        yield None, Extent(0, None, None)
    elif location.retention.per == "stream":
        names = streams(policy, location)
        found = {file.name.partition(_STREAM)[0] for file in place.glob(f"*{_STREAM}*")}
        yield from ((name, _log(place / f"{name}{_STREAM}")) for name in (*names, *sorted(found - {*names})))
    elif location.type == "log":
        yield None, _log(place)
    elif row.id in _STORES and location == row.locations[0]:
        with acting_as_owner(place):
            yield None, _STORES[row.id](policy, settings)
    elif location.retention.limit == "delivered":
        yield None, _files(path for path in place.rglob("*") if path.relative_to(place).parts[0] not in POSTFIX_PARTS)
    else:
        yield None, _files([place] if location.type == "file" else place.rglob("*"))


def _log(active: Path) -> Extent:
    """A log file and the parts before it."""
    files = [*log_parts(active), active]
    total = sum(map(_size, files))
    return Extent(total, None, next(filter(None, map(_first_time, files)), None))


def _first_time(file: Path) -> float | None:
    """The time of a log file's first line; of the file, when that has none."""
    with contextlib.suppress(FileNotFoundError):  # rotated away at this moment
        with file.open("rb") as lines:
            begin = lines.read(64)
        found = _STAMP.search(begin)
        if found:
            return datetime.fromisoformat(found[0].decode()).timestamp()
        return file.stat().st_mtime if begin else None
    return None


def _files(candidates: Iterable[Path]) -> Extent:
    """Plain files, each once, whatever names it has; each is a record."""
    sizes, times, seen = [], [], set[int]()
    for path in candidates:
        with contextlib.suppress(FileNotFoundError):  # such as a message that was delivered at this moment
            if path.is_file() and not path.is_symlink():
                facts = path.stat()
                if facts.st_ino in seen:
                    continue
                seen.add(facts.st_ino)
                sizes.append(facts.st_size)
                times.append(facts.st_mtime)
    return Extent(sum(sizes), len(sizes), min(times, default=None))


def _size(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def _message_store(store: MessageStore) -> Extent:
    kept, messages = store.size()
    return Extent(kept, messages, store.oldest())


def _message_events(policy: DataPolicy, settings: Settings) -> Extent:
    log = open_message_events(policy, settings)
    events, oldest = log.extent()
    return Extent(log.size(), events, oldest)


def _system_events(policy: DataPolicy, settings: Settings) -> Extent:
    log, files = open_system_events(policy, settings), _files(Path(policy.place("system_events")).rglob("*"))
    return Extent(files.bytes, log.count(), log.oldest())


_STORES: dict[str, Callable[[DataPolicy, Settings], Extent]] = {
    "backup": lambda policy, _: _message_store(open_backup(policy)),
    "spam_quarantine": lambda policy, settings: _message_store(open_spam_quarantine(policy, settings)),
    "message_events": _message_events,
    "system_events": _system_events,
}
