"""TNEF (`winmail.dat`): the attachments that Outlook packs so, and other clients show too.

Source: MS-OXTNEF 2.1.3 (attributes), MS-OXCMAIL; MAPI property 0x3707 is the long file name.
"""

import struct
from collections.abc import Iterator

from ksmg.inspection.budget import Budget

_TITLE, _DATA, _PROPERTIES, _BEGIN = 0x00018010, 0x0006800F, 0x00069005, 0x00069002
_HEADER = struct.Struct("<BII")
_LONG_NAMES = (b"\x1f\0\x07\x37", b"\x1e\0\x07\x37")
"""PidTagAttachLongFilename as Unicode and as 8-bit text."""


def tnef_files(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Name and content of each attachment."""
    name, content, begun = "", b"", False
    for identity, value in _attributes(data, budget):
        if identity == _BEGIN:
            if begun:
                yield name, content
            name, content, begun = "", b"", True
        elif identity == _TITLE:
            name = name or value.rstrip(b"\0").decode("utf-8", "replace")
        elif identity == _DATA:
            content = value
        elif identity == _PROPERTIES:
            name = _long_name(value) or name
    if begun:
        yield name, content


def _attributes(data: bytes, budget: Budget) -> Iterator[tuple[int, bytes]]:
    at = 6
    while at + _HEADER.size <= len(data):
        budget.check_time()
        _, identity, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        yield identity, data[at : at + length]
        at += length + 2


def _long_name(properties: bytes) -> str:
    for mark, codec in zip(_LONG_NAMES, ("utf-16-le", "utf-8"), strict=True):
        at = properties.find(mark)
        if at >= 0 and at + 12 <= len(properties):
            (length,) = struct.unpack_from("<I", properties, at + 8)
            return properties[at + 12 : at + 12 + min(length, 1_000)].decode(codec, "replace").rstrip("\0")
    return ""
