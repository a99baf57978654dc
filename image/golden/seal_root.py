"""Makes a baked root file system fit for many machines: ``python -m golden.seal_root ROOT SPEC`` in its namespace.

Takes out all that is one machine's own (keys, ids, logs, caches), lays down what the image's partitions need, and
moves /var to where the initial RAM disk copies it from at first boot.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# What one machine must not share with another, or what only took part in the build. Patterns below the root.
IDENTITY = (
    "etc/ssh/ssh_host_*",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/timers/*",
    "var/lib/chrony/*",
    "etc/hostid",
    "etc/ssl/private/*",
    "etc/iscsi/initiatorname.iscsi",
)
LEFTOVERS = (
    "var/log/*",
    "tmp/*",
    "tmp/.[!.]*",
    "var/tmp/*",
    "root/.ansible",
    "root/.bash_history",
    "root/.cache",
    "run/*",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/*",
    "var/cache/man/*",
    "var/lib/apt/lists/*",
    "var/backups/*",
    "var/lib/dpkg/*-old",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/.pwd.lock",
    "usr/sbin/policy-rc.d",
    "etc/resolv.conf",
    "boot/initrd.img*",
)
FSTAB = "# The data partitions are checked and mounted by the initial RAM disk, before any daemon can miss them.\n"
FACTORY = Path("usr/share/factory/var")
SYSTEM = Path(__file__).resolve().parents[1] / "system"
"""Files that only an image has: it knows its disk, and a host that the roles set up does not."""
PACKAGE_FACTS = ("var/lib/dpkg", "var/lib/ucf", "var/cache/debconf")
"""What describes the system as it was built: it stays with the system, and the first boot has nothing to copy."""
PACKAGE_FACTS_PLACE = Path("usr/share/package-facts")
UNIT_LINKS = {
    **{
        f"etc/systemd/system/multi-user.target.wants/{unit}": f"/etc/systemd/system/{unit}"
        for unit in ("boot.mount", "image-late-devices.service")
    },
    # the initial RAM disk has found, checked and mounted every partition; the others look for what an image never has
    **{
        f"etc/systemd/system-generators/systemd-{name}-generator": "/dev/null"
        for name in (
            "cryptsetup",
            "gpt-auto",
            "hibernate-resume",
            "integritysetup",
            "rc-local",
            "system-update",
            "sysv",
            "tpm2",
            "veritysetup",
        )
    },
    "etc/systemd/system/systemd-remount-fs.service": "/dev/null",
    "etc/systemd/system/systemd-repart.service": "/dev/null",
}


def seal(root: Path, spec: dict[str, Any]) -> None:
    """All of it, in order; identity goes last so that nothing before can bring it back."""
    name_image(root, spec["id"], spec["version"])
    mount_points(root, spec["partitions"])
    (root / "etc/fstab").write_text(FSTAB)
    shutil.copytree(SYSTEM, root, dirs_exist_ok=True, copy_function=shutil.copy)
    link_units(root)
    remove(root, LEFTOVERS)
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    remove(root, IDENTITY)
    (root / "etc/machine-id").write_text("")
    mark_updated(root)
    keep_package_facts(root)
    set_var_aside(root)


def name_image(root: Path, image: str, version: str) -> None:
    """IMAGE_ID and IMAGE_VERSION of os-release(5)."""
    path = root / "usr/lib/os-release"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("IMAGE_")]
    path.write_text("\n".join([*kept, f"IMAGE_ID={image}", f"IMAGE_VERSION={version}"]) + "\n")


def mount_points(root: Path, partitions: Iterable[dict[str, Any]]) -> None:
    """Empty directories that file systems are mounted on."""
    for place in ("/efi", *(row["mount"] for row in partitions)):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)


def remove(root: Path, patterns: Iterable[str]) -> None:
    """Delete what matches; a pattern without a match is no error."""
    for pattern in patterns:
        # a literal path goes without glob, which does not see a link that leads nowhere
        found = root.glob(pattern) if set(pattern) & set("*[") else [root / pattern]
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def link_units(root: Path) -> None:
    """Enable and mask the units and generators that an image decides on."""
    for place, goal in UNIT_LINKS.items():
        link = root / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(goal)


def keep_package_facts(root: Path) -> None:
    """Move the package databases from /var to /usr, with links in their places."""
    for name in PACKAGE_FACTS:
        kept = root / PACKAGE_FACTS_PLACE / Path(name).name
        kept.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--archive", str(root / name), str(kept)], check=True)
        shutil.rmtree(root / name)
        (root / name).symlink_to(Path("/") / PACKAGE_FACTS_PLACE / Path(name).name)


def mark_updated(root: Path) -> None:
    """Tell ConditionNeedsUpdate= that /etc and /var fit this /usr: the first boot need not rebuild what was baked."""
    stamp = (root / "usr").stat().st_mtime_ns
    for place in ("etc", "var"):
        path = root / place / ".updated"
        path.write_text(f"# /usr of this image\nTIMESTAMP_NSEC={stamp}\n")
        os.utime(path, ns=(stamp, stamp))


def set_var_aside(root: Path) -> None:
    """Move the content of /var to the factory copy, with owners, modes, ACLs and extended attributes."""
    factory = root / FACTORY
    factory.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", str(root / "var"), str(factory)], check=True)
    shutil.rmtree(root / "var")
    (root / "var").mkdir()


if __name__ == "__main__":
    seal(Path(sys.argv[1]), json.loads(sys.argv[2]))
