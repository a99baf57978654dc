"""Working as another account for a moment: files of a store never become root's."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")


@contextlib.contextmanager
def acting_as(account: str | None) -> Iterator[None]:
    """Root has the rights of `account` within; nothing changes for None. For programs with one thread only.

    Raises KeyError when there is no such account.
    """
    if account is None or os.geteuid() != 0:
        yield
        return
    entry = pwd.getpwnam(account)
    groups, mask = os.getgroups(), os.umask(0o077)
    os.setgroups(os.getgrouplist(account, entry.pw_gid))
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.umask(mask)


def stepping(account: str | None, items: Iterator[Item]) -> Iterator[Item]:
    """The items of a generator that works as `account`, while whoever takes them stays what it is."""
    while True:
        with acting_as(account):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
