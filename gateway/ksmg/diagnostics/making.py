"""Makes an archive: collects, compresses, encrypts and keeps it in one stream, at the lowest priority."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from ksmg.diagnostics.archives import Archive, Archives, archive_location
from ksmg.diagnostics.bundle import Bundle
from ksmg.diagnostics.collection import Wanted, collect
from ksmg.diagnostics.sealing import Seal, SealingFailure, sealed
from ksmg.policy import DataPolicy
from ksmg.retention.caps import effective_cap
from ksmg.settings import Settings
from ksmg.stores.durable import erase_file

_EXPANSION = 1.4
"""Bytes in the archive for each that is packed, at worst: base64 of what cannot be compressed."""
_LEAST = 1_000_000
_END = b"-----END CMS-----\n"


class NotPermitted(Exception):
    """Whoever asked has not got a permission that is needed. The text is a sentence for people."""


class NoRoom(Exception):
    """There is no room for an archive. The text is a sentence for people."""


def permissions(policy: DataPolicy, wanted: Wanted) -> tuple[str, ...]:
    """The permissions that it takes: root has all of them, a web user those of a role."""
    rows = ("traces", "backup", "spam_quarantine", "mta_queue") if wanted.messages else ("traces",)
    return tuple(dict.fromkeys(found for row in rows if (found := policy.row(row).permission)))


def make_archive(
    policy: DataPolicy,
    settings: Settings,
    wanted: Wanted,
    seal: Seal,
    may: Callable[[str], bool],
    deleted: Callable[[Archive], None],
) -> Archive:
    """Makes an archive; `may` says whether whoever asks has a permission, `deleted` hears of those that made room.

    Raises NotPermitted, NoRoom, SealingFailure or OSError (BlockingIOError while another one is being made).
    """
    missing = [permission for permission in permissions(policy, wanted) if not may(permission)]
    if missing:
        raise NotPermitted(f"This needs the permission {' and '.join(missing)}.")
    archives = open_archives(policy, settings)
    with _alone(Path(archive_location(policy).place)):
        _take_lowest_priority()
        room = int(archives.room(int(wanted.largest * _EXPANSION)) / _EXPANSION)
        if room < _LEAST:
            raise NoRoom("There is no room on the disk for a diagnostic archive.")
        for evicted in archives.evict(int(room * _EXPANSION)):
            deleted(evicted)
        written, path = archives.new()
        try:
            _write(policy, settings, wanted, seal, written, room)
        except BaseException:
            erase_file(written)
            raise
        return archives.finish(written, path)


def open_archives(policy: DataPolicy, settings: Settings) -> Archives:
    """The archives, under the cap that this disk can bear."""
    location = archive_location(policy)
    cap = effective_cap(policy, settings, location.place).bytes
    if cap is None:
        raise ValueError("the data policy gives diagnostic archives no cap")
    return Archives(location, cap)


def _write(policy: DataPolicy, settings: Settings, wanted: Wanted, seal: Seal, path: Path, room: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        with sealed(seal, target) as pipe:
            collect(policy, settings, wanted, Bundle(pipe, room, wanted.seconds))
        if os.pread(descriptor, len(_END), os.fstat(descriptor).st_size - len(_END)) != _END:
            raise SealingFailure("The archive could not be written to its end.")
        os.fsync(descriptor)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Only one archive is made at a time. Raises BlockingIOError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _take_lowest_priority() -> None:
    """So that mail does not notice: processor and disk only when nobody else wants them. It stays so."""
    os.nice(19)
    subprocess.run(["ionice", "--class", "3", "--pid", str(os.getpid())], capture_output=True, check=False)
