"""The disk as a whole: its partitions, its hash tree, what boots it, and where the data partitions go."""

from __future__ import annotations

import json
import subprocess

import pytest
from golden import gpt
from golden.sandbox import bind, in_tree

from image.conftest import Image

DISK = "/srv/disk/disk.raw"  # where the tools tree sees the file
ROOT_HASH_IN_ID = 32  # hexadecimal digits of the root hash that each partition's id holds


@pytest.fixture(scope="module")
def root_hash(image: Image) -> str:
    return str(json.loads((image.disk.parent / "root.json").read_text())["root_hash"])


def test_partitions_stand_in_order(image: Image) -> None:
    kinds = {value: key for key, value in gpt.TYPES.items()}
    assert [kinds[row.type] for row in gpt.read(image.disk)] == ["esp", "root", "root-verity"]


def test_partitions_are_found_by_the_root_hash(image: Image, root_hash: str) -> None:
    ids = [gpt.partition(image.disk, kind).id.hex for kind in ("root", "root-verity")]
    assert ids == [root_hash[:ROOT_HASH_IN_ID], root_hash[ROOT_HASH_IN_ID:]]


def test_every_block_matches_the_hash_tree(image: Image, root_hash: str) -> None:
    data, tree = gpt.partition(image.disk, "root"), gpt.partition(image.disk, "root-verity")
    devices = "; ".join(
        f"{name}=$(losetup --find --show --read-only --offset {part.start} --sizelimit {part.size} {DISK})"
        for name, part in (("data", data), ("tree", tree))
    )
    script = f'{devices}; trap "losetup -d $data; losetup -d $tree" EXIT; veritysetup verify $data $tree {root_hash}'
    command = in_tree(image.tools, [bind(image.disk.parent, image.tools / "srv/disk")], ["sh", "-euc", script])
    subprocess.run(command, check=True, capture_output=True)


def test_the_boot_loader_and_one_system_are_there(image: Image) -> None:
    listing = boot_files(image)
    assert {"::/EFI/BOOT/BOOTX64.EFI", "::/EFI/systemd/systemd-bootx64.efi"} <= set(listing)
    assert len([name for name in listing if name.startswith("::/EFI/Linux/")]) == 1


def test_the_kernel_is_signed(image: Image) -> None:
    (kernel,) = [name for name in boot_files(image) if name.startswith("::/EFI/Linux/")]
    offset = gpt.partition(image.disk, "esp").start
    script = f"mcopy -i {DISK}@@{offset} '{kernel}' /tmp/k.efi; sbverify --cert /srv/signing/certificate.pem /tmp/k.efi"
    certificate = image.disk.parents[3] / "signing"
    mounts = [bind(image.disk.parent, image.tools / "srv/disk"), bind(certificate, image.tools / "srv/signing")]
    done = subprocess.run(
        in_tree(image.tools, mounts, ["sh", "-euc", script]), check=True, capture_output=True, text=True
    )
    assert "Signature verification OK" in done.stdout + done.stderr


def boot_files(image: Image) -> list[str]:
    """Paths of the files on the boot partition, as mtools writes them."""
    offset = gpt.partition(image.disk, "esp").start
    command = ["mdir", "-/", "-b", "-i", f"{DISK}@@{offset}", "::"]
    mounts = [bind(image.disk.parent, image.tools / "srv/disk")]
    out = subprocess.run(in_tree(image.tools, mounts, command), check=True, capture_output=True, text=True).stdout
    return [line for line in out.splitlines() if not line.endswith("/")]
