"""How large the parts of the log files are on this disk, as the environment of rsyslog's service.

A part is a hundredth of the cap that its log has on this disk.
"""

from collections.abc import Iterator
from pathlib import Path

from ksmg.policy import DataPolicy
from ksmg.retention.caps import effective_caps
from ksmg.retention.filesystems import mount_table
from ksmg.settings import Settings

COMMAND = "/usr/libexec/ksmg/rotate-log"
_PARTS_PER_CAP = 100
_LEAST = 10_000


def part_size(cap: int) -> int:
    """Bytes of a part of a log with this cap."""
    return max(cap // _PARTS_PER_CAP, min(_LEAST, cap // 10), 1)


def log_caps(policy: DataPolicy, settings: Settings) -> Iterator[tuple[Path, int]]:
    """Each log file that has a cap in bytes, with the one that it has on this disk. Raises OSError."""
    caps = effective_caps(policy, settings, mount_table())
    for _, location in policy.locations():
        cap = caps[location.place].bytes
        if location.type == "log" and cap is not None:
            yield Path(location.place), cap


def environment(logs: Iterator[tuple[Path, int]]) -> str:
    """The variables that the role `logging` uses in rsyslog's configuration."""
    lines = []
    for log, cap in logs:
        name, unit = log.name.upper().replace("-", "_"), part_size(cap)
        lines += [f"KSMG_UNIT_{name}={unit}\n", f"KSMG_ROTATE_{name}={COMMAND} {log} {cap} {unit}\n"]
    return "".join(lines)
