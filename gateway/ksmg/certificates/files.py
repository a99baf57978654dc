"""Key and certificate files: written at once or not at all, with owner and mode from the start."""

import contextlib
import grp
import os
import pwd
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ksmg.policy import Location


@dataclass(frozen=True)
class Ownership:
    """Owner, group and mode of a file."""

    owner: str
    group: str
    mode: int

    @classmethod
    def of(cls, location: Location) -> Self:
        """That of the files in a location of the data policy: the directory's, without search permission."""
        return cls(location.owner, location.group, location.mode & 0o666)

    def ids(self) -> tuple[int, int]:
        """The owner's and the group's number. Raises KeyError when there is none of that name."""
        return pwd.getpwnam(self.owner).pw_uid, grp.getgrnam(self.group).gr_gid


def write_file(path: Path, content: bytes, ownership: Ownership) -> None:
    """Puts a file in place of whatever has its name. Raises OSError or KeyError, and leaves what was there.

    The new file inherits the directory's default ACL; the mode is its mask.
    """
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ownership.mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(file.fileno(), *ownership.ids())
            os.fchmod(file.fileno(), ownership.mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def restore_ownership(path: Path, ownership: Ownership) -> None:
    """Gives an existing file its owner, group and mode back; does nothing when they are right."""
    status = path.stat()
    if (status.st_uid, status.st_gid) != ownership.ids():
        os.chown(path, *ownership.ids())
    if status.st_mode & 0o7777 != ownership.mode:
        path.chmod(ownership.mode)
