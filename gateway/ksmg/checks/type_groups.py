"""Groups of true types, so that a rule can forbid executables without a list of formats."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Protocol

MACROS, ENCRYPTED = "office-macros", "encrypted"
GROUPS: dict[str, frozenset[str]] = {
    "executables": frozenset({
        "application/x-dosexec", "application/x-msdownload", "application/vnd.microsoft.portable-executable",
        "application/x-executable", "application/x-sharedlib", "application/x-pie-executable", "application/x-object",
        "application/x-mach-binary", "application/java-vm", "application/java-archive", "application/x-dex",
        "application/vnd.android.package-archive", "application/wasm", "application/x-msi", "application/x-rpm",
        "application/vnd.debian.binary-package", "application/x-installshield", "application/x-ms-shortcut",
        "application/vnd.adobe.flash.movie",
    }),
    "scripts": frozenset({
        "text/x-script", "text/x-shellscript", "application/x-bat", "application/x-windows-script-file",
        "application/x-httpd-php", "text/javascript", "application/javascript", "text/vbscript",
        "application/x-powershell", "application/hta", "text/x-ms-regedit", "application/vnd.ms-htmlhelp",
    }),
    "archives": frozenset({
        "application/zip", "application/vnd.rar", "application/x-rar", "application/x-7z-compressed",
        "application/gzip", "application/x-bzip2", "application/x-xz", "application/zstd", "application/x-tar",
        "application/vnd.ms-cab-compressed", "application/x-ms-wim", "application/x-lzh-compressed",
        "application/x-arj", "application/x-ace-compressed", "application/x-xar", "application/x-archive",
        "application/x-cpio", "application/x-compress", "application/x-lz4", "application/x-lzip",
        "application/x-lzma", "application/java-archive",
    }),
    "disk-images": frozenset({
        "application/x-iso9660-image", "application/x-udf-image", "application/x-virtualbox-vhd",
        "application/x-virtualbox-vhdx", "application/x-vmdk", "application/x-qemu-disk", "application/x-ms-wim",
        "application/x-apple-diskimage",
    }),
    "shortcuts": frozenset({"application/x-ms-shortcut", "application/x-mswinurl", "application/onenote"}),
    "audio": frozenset({"audio/*", "application/ogg"}),
    "video": frozenset({"video/*", "application/vnd.adobe.flash.movie"}),
    "images": frozenset({"image/*"}),
    MACROS: frozenset(),
    ENCRYPTED: frozenset(),
}  # fmt: skip
"""Name -> media types, `*` stands for any. Macros and encryption are no types: files have them."""


class TrueFile(Protocol):
    """A part or a member of an archive."""

    @property
    def true_type(self) -> str:
        """Its type by its content."""

    @property
    def encrypted(self) -> bool:
        """Whether nobody could look into it."""

    @property
    def macro(self) -> bool:
        """Whether it has macros."""


class ForbiddenTypes:
    """The types of one rule, ready to be compared."""

    def __init__(self, names: Iterable[str]) -> None:
        names = frozenset(names)
        types = {kind for name in names for kind in GROUPS.get(name, {name})}
        self._exact = frozenset(kind for kind in types if "*" not in kind)
        self._masks = tuple(sorted(types - self._exact))
        self._macros = MACROS in names
        self._encrypted = ENCRYPTED in names

    def forbid(self, file: TrueFile) -> bool:
        """Whether a file is of one of them."""
        if file.true_type in self._exact or any(fnmatchcase(file.true_type, mask) for mask in self._masks):
            return True
        return (self._macros and file.macro) or (self._encrypted and file.encrypted)
