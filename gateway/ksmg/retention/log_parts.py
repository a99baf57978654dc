"""The parts of a log file: the one that is written to, and finished ones beside it with a number, the oldest lowest."""

from pathlib import Path


def log_parts(active: Path) -> list[Path]:
    """The finished parts of a log file, oldest first."""
    found = active.parent.glob(f"{active.name}.*")
    return sorted((part for part in found if part.suffix[1:].isdigit()), key=part_number)


def part_number(part: Path) -> int:
    """The number of a finished part."""
    return int(part.suffix[1:])
