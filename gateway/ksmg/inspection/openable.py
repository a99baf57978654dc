"""Which parts hold files of their own: by true type, or by a name that makes some program open them as an archive.

The filter asks this of every message, so that it is apart from what does the opening.
"""

import re
from collections.abc import Iterable

from ksmg.inspection import types
from ksmg.mail.structure import Part

RAW = "format_raw"
"""libarchive's reader of compressed files that are no archives."""
LIBARCHIVE: dict[str, tuple[str, ...]] = {
    types.RAR: ("format_rar", "format_rar5"),
    types.SEVEN_ZIP: ("format_7zip",),
    types.CAB: ("format_cab",),
    types.ISO: ("format_iso9660",),
    types.TAR: ("format_tar",),
    types.GZIP: ("filter_gzip", RAW),
    types.BZIP2: ("filter_bzip2", RAW),
    types.XZ: ("filter_xz", RAW),
    types.ZSTD: ("filter_zstd", RAW),
    "application/x-compress": ("filter_compress", RAW),
    "application/x-lz4": ("filter_lz4", RAW),
    "application/x-lzip": ("filter_lzip", RAW),
    "application/x-lzma": ("filter_lzma", RAW),
    "application/x-lzh-compressed": ("format_lha",),
    "application/x-xar": ("format_xar",),
    "application/x-cpio": ("format_cpio",),
    "application/x-archive": ("format_ar",),
    "application/x-rpm": ("filter_rpm", "filter_gzip", "filter_xz", "filter_zstd", "format_cpio"),
}
"""Types that libarchive reads, with the readers that each needs and no others."""
NO_READER = frozenset(
    {
        types.ARJ, "application/x-ace-compressed", "application/x-ms-wim", "application/x-installshield",
        "application/x-virtualbox-vhd", "application/x-virtualbox-vhdx", "application/x-vmdk",
    }
)  # fmt: skip
"""Archives and disk images that nobody here reads; some programs open them at a click."""
WEAK = frozenset({"application/x-lzma", "application/x-cpio", "application/x-compress"})
"""Types by so few bytes that a file which cannot be read as one is taken for something else."""
_OPENED = frozenset({types.ZIP, types.OLE, types.PDF, types.TNEF, types.MESSAGE, *LIBARCHIVE, *NO_READER})
_OPENED_NAME = re.compile(
    r"\.(?:zip|jar|apk|war|ear|docx|docm|dotx|dotm|xlsx|xlsm|xlsb|xltx|xltm|xlam|pptx|pptm|potx|potm|ppsx|ppsm|ppam|vsdx|"
    r"odt|ods|odp|odg|xps|epub|iso|img|vhd|vhdx|udf|7z|rar|cab|tar|tgz|gz|bz2|xz|zst|eml|msg|pdf)$",
    re.IGNORECASE,
)


def holds_files(true_type: str, names: Iterable[str]) -> bool:
    """Whether a file of this type or with such a name can hold others."""
    if true_type in _OPENED or true_type == types.EXECUTABLE:
        return True
    return true_type != types.EMPTY and any(map(_OPENED_NAME.search, names))


def opens(part: Part) -> bool:
    """Whether a part is to be opened: one that can hold files, or is of no type that its beginning shows."""
    if part.container or not part.size:
        return False
    if part.content_type.startswith("text/") and not part.names and part.true_type.startswith("text/"):
        return False
    return part.true_type == types.UNKNOWN or holds_files(part.true_type, part.names)
