"""Reads the GUID partition table of a disk file (UEFI specification, section 5.3)."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
# Discoverable Partitions Specification, x86-64
TYPES = {
    "esp": uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    "root": uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
    "root-verity": uuid.UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"),
}


@dataclass(frozen=True)
class Partition:
    """One entry of the table; start and size in bytes."""

    type: uuid.UUID
    id: uuid.UUID
    label: str
    start: int
    size: int


def read(disk: Path) -> list[Partition]:
    """All partitions in the order of the table. Raises ValueError where there is no table."""
    with disk.open("rb") as handle:
        handle.seek(SECTOR)
        header = handle.read(SECTOR)
        if header[:8] != b"EFI PART":
            raise ValueError(f"{disk} has no GUID partition table")
        first, count, size = struct.unpack_from("<QII", header, 72)
        handle.seek(first * SECTOR)
        rows = handle.read(count * size)
    entries = (rows[at : at + size] for at in range(0, len(rows), size))
    return [_entry(row) for row in entries if row[:16] != bytes(16)]


def partition(disk: Path, kind: str) -> Partition:
    """The first partition of a kind in ``TYPES``. Raises ValueError where there is none."""
    for found in read(disk):
        if found.type == TYPES[kind]:
            return found
    raise ValueError(f"{disk} has no {kind} partition")


def _entry(row: bytes) -> Partition:
    first, last = struct.unpack_from("<QQ", row, 32)
    label = row[56:128].decode("utf-16-le").rstrip("\0")
    return Partition(
        uuid.UUID(bytes_le=row[:16]), uuid.UUID(bytes_le=row[16:32]), label, first * SECTOR, (last - first + 1) * SECTOR
    )
