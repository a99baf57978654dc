"""POSIX access lists as the kernel keeps them in extended attributes: acl(5), linux/posix_acl_xattr.h."""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"
_VERSION = 2
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


@dataclass(frozen=True)
class AccessList:
    """The entries that name somebody, as permission bits (4 read, 2 write, 1 execute), and everybody else's bits.

    Bits of named entries are those that are in force: what the mask takes away is left out.
    """

    users: Mapping[int, int]
    groups: Mapping[int, int]
    other: int


EMPTY = AccessList({}, {}, 0)


def parse(value: bytes) -> AccessList:
    """The list out of an attribute's value. Raises ValueError when it is none."""
    if len(value) < _HEADER.size or _HEADER.unpack_from(value)[0] != _VERSION or (len(value) - 4) % _ENTRY.size:
        raise ValueError("this is no POSIX access list")
    entries = list(_ENTRY.iter_unpack(value[_HEADER.size :]))
    mask = next((bits for tag, bits, _ in entries if tag == _MASK), 7)
    return AccessList(
        users={number: bits & mask for tag, bits, number in entries if tag == _USER},
        groups={number: bits & mask for tag, bits, number in entries if tag == _GROUP},
        other=next((bits for tag, bits, _ in entries if tag == _OTHER), 0),
    )


def read(path: str, attribute: str = ACCESS) -> AccessList:
    """A file's list; empty when it has none, or cannot have any. Raises OSError when it cannot be looked at."""
    try:
        return parse(os.getxattr(path, attribute, follow_symlinks=False))
    except OSError as error:
        if error.errno in (61, 95):  # ENODATA, EOPNOTSUPP
            return EMPTY
        raise


def bits(text: str) -> int:
    """`rx` as a number."""
    return sum({"r": 4, "w": 2, "x": 1}[letter] for letter in text)


def letters(number: int) -> str:
    """A number as `r-x`."""
    return "".join(letter if number & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
