"""What is wrong with what a place keeps: too much, too old, in the wrong place, or a copy that should not exist."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ksmg.policy import DataPolicy, Location
from ksmg.retention.log_parts import log_parts
from ksmg.retention.measure import Holding
from ksmg.retention.slack import above_cap
from ksmg.stores.eraser import evicted_files

_DAY, _HOUR = 86_400.0, 3_600.0
_AGE_SLACK = 1.0 / 6
"""A twelfth of the age is the period of a segment, and it goes when all of it is too old; a week of five is less."""
_KINDS = {"directory": stat.S_ISDIR, "log": stat.S_ISREG, "file": stat.S_ISREG}


def findings(policy: DataPolicy, holding: Holding, now: float) -> list[str]:
    """A sentence for each thing that is wrong; empty when the place is as the policy has it. Raises OSError."""
    location = next(at for _, at in policy.locations() if at.place == holding.place)
    return [*_amount(holding), *_age(holding, location, now), *_place(location), *_copies(location, now)]


def _amount(holding: Holding) -> Iterator[str]:
    if above_cap(holding):
        cap = holding.effective
        kept = f"{holding.bytes} bytes, {holding.records} records"
        yield f"it keeps {kept}; at most {cap.bytes} bytes, {cap.records} records may be."


def _age(holding: Holding, location: Location, now: float) -> Iterator[str]:
    oldest, longest = holding.oldest, holding.cap.seconds
    if oldest is None:
        return
    if longest is not None and now - oldest > longest * (1 + _AGE_SLACK) + _DAY / 24:
        yield f"its oldest entry is {(now - oldest) / _DAY:.1f} days old; {longest / _DAY:.0f} days may be."
    if location.retention.limit == "restart" and oldest < _boot_time():
        yield "it has a file from before the machine was started."


def _place(location: Location) -> Iterator[str]:
    try:
        mode = Path(location.place).lstat().st_mode
    except FileNotFoundError:
        if location.type != "file":
            yield f"there is no {location.type} there."
        return
    if not _KINDS[location.type](mode):
        yield f"it is not a {location.type}."
    elif location.retention.limit == "integration":
        yield "no directory is in use, but its cache is there."


def _copies(location: Location, now: float) -> Iterator[str]:
    """Files that only exist for a moment, and copies that nobody makes any more."""
    place = Path(location.place)
    if location.type == "log":
        known = {path.name for path in (place, *log_parts(place))}
        for path in place.parent.glob(f"{place.name}[.-]*"):
            if path.name not in known:
                yield f"{path.name} is a copy that should not exist."
    elif place.is_dir():
        for file in evicted_files(place):
            if now - file.stat().st_mtime > _HOUR:
                yield f"{file.name} was evicted, and is not erased."


def _boot_time() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
