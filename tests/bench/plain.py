"""A plain Debian 13 disk image with the appliance's kernel: the yardstick for the time of a boot.

ext4, Debian's own initial RAM disk, systemd-boot, SSH, DHCP; no other service.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from golden import sandbox
from golden.mirror import Mirror
from golden.stages import tree
from golden.target import Target

PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "systemd", "systemd-sysv", "systemd-resolved", "udev",
    "dbus", "libpam-systemd", "openssh-server", "iproute2", "login", "e2fsprogs", "kmod",
)  # fmt: skip
DEFINITIONS = {
    "00-esp.conf": "[Partition]\nType=esp\nFormat=vfat\nCopyFiles=/srv/esp:/\nSizeMinBytes=512M\nSizeMaxBytes=512M\n",
    "10-root.conf": "[Partition]\nType=root\nLabel=plain\nFormat=ext4\nCopyFiles=/srv/root:/\nSizeMinBytes=2G\n",
}
NETWORK = "[Match]\nType=ether\n[Network]\nDHCP=yes\n"
OPTIONS = "root=PARTLABEL=plain rw console=tty0 console=ttyS0 quiet"
ENTRY = f"title Debian\nlinux /vmlinuz\ninitrd /initrd.img\noptions {OPTIONS}\n"
BOOT_LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"


def packages(root: Path, target: Target, mirror: Mirror, debs: Path) -> None:
    """The root file system with its packages."""
    arguments = tree.command(root, target.suite, PACKAGES, mirror.sources(target.suite), debs)
    subprocess.run(
        sandbox.enter([], arguments, network=True), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def configure(root: Path) -> None:
    """Name, network, and nothing else."""
    (root / "etc/hostname").write_text("plain\n")
    (root / "etc/fstab").write_text("")
    (root / "etc/systemd/network/20-dhcp.network").write_text(NETWORK)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "systemd-networkd.service").symlink_to("/usr/lib/systemd/system/systemd-networkd.service")


def disk(root: Path, tools: Path, folder: Path) -> Path:
    """The raw disk file."""
    esp, definitions = folder / "esp", folder / "repart.d"
    for name in ("EFI/BOOT", "loader/entries"):
        (esp / name).mkdir(parents=True)
    definitions.mkdir()
    for name, text in DEFINITIONS.items():
        (definitions / name).write_text(text)
    (esp / "loader/loader.conf").write_text("timeout 0\n")
    (esp / "loader/entries/debian.conf").write_text(ENTRY)
    (esp / "EFI/BOOT/BOOTX64.EFI").write_bytes((tools / BOOT_LOADER.lstrip("/")).read_bytes())
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd.img", "initrd.img-*")):
        (source,) = (root / "boot").glob(pattern)
        (esp / name).write_bytes(source.read_bytes())
    mounts = [
        sandbox.bind(path, tools / f"srv/{name}") for path, name in ((esp, "esp"), (root, "root"), (folder, "out"))
    ]
    repart = [
        "systemd-repart",
        "--empty=create",
        "--size=auto",
        "--offline=yes",
        "--dry-run=no",
        "--definitions=/srv/out/repart.d",
    ]
    subprocess.run(sandbox.in_tree(tools, mounts, [*repart, "/srv/out/plain.raw"]), check=True, capture_output=True)
    return folder / "plain.raw"
