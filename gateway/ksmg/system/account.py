"""Changing from root to the account that owns a store, so that no file in it ever belongs to root."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path


class WrongAccount(Exception):
    """The command was run by an account that may not do this. The text is a sentence for people."""


def become(name: str) -> None:
    """Makes this process run as `name` for good; does nothing when it already does. Raises WrongAccount."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        raise WrongAccount(f"There is no account {name}: this machine is not set up as an appliance.") from None
    if os.geteuid() == account.pw_uid:
        return
    if os.geteuid() != 0:
        raise WrongAccount(f"Only root and {name} may do this.")
    os.initgroups(name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    os.umask(0o077)


def caller() -> str:
    """Who gave this command: the account before sudo, when there was one."""
    uid = os.environ.get("SUDO_UID", "")
    try:
        return pwd.getpwuid(int(uid) if uid.isdigit() and os.getuid() == 0 else os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@contextlib.contextmanager
def acting_as_owner(path: Path) -> Iterator[None]:
    """While it lasts, what root does is done as the owner of a directory, so that files there never become root's.

    Other accounts stay what they are. For commands with one thread. Raises OSError.
    """
    owner = path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    umask = os.umask(0o077)
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.umask(umask)
