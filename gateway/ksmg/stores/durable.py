"""Writing that survives a power cut: a file is safe once it and the directory that names it are synced."""

import os
import shutil
from pathlib import Path

_CHUNK = 1_048_576


def copy_durably(source: Path, target: Path) -> int:
    """Copies a file to a new one of its owner alone, and syncs file and directory. Returns the size in bytes.

    Raises OSError; nothing is left under the target's name then.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with source.open("rb") as read, os.fdopen(descriptor, "wb") as written:
            shutil.copyfileobj(read, written, _CHUNK)
            written.flush()
            os.fsync(written.fileno())
            size = written.tell()
        sync_directory(target.parent)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return size


def sync_directory(directory: Path) -> None:
    """Makes new, renamed and removed names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
