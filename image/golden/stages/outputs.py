"""The files for people: qcow2 beside the raw disk."""

from __future__ import annotations

from pathlib import Path

from golden import content
from golden.sandbox import bind, in_tree
from golden.stage import Build, code

CURE = "Usually no space is left in the cache; the log has the whole output."


class Qcow2:
    """``disk.qcow2``: compressed, with the target's virtual size."""

    name = "qcow2"

    def inputs(self, build: Build) -> dict[str, str]:
        """The disk and its virtual size."""
        return {
            "disk": build.results["disk"].key,
            "target": content.of_value(build.target.virtual_size),
            **code("outputs"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Convert and grow; the partition table is put right by the first boot."""
        tree = build.tools
        mounts = [bind(build.results["disk"].path, tree / "srv/disk"), bind(draft, tree / "srv/out")]
        for command in convert(build.target.virtual_size):
            build.console.run(in_tree(tree, mounts, command), CURE)
        return f"{(draft / 'disk.qcow2').stat().st_size / 1e6:.0f} MB compressed"


def convert(virtual_size: int) -> list[list[str]]:
    """qemu-img commands."""
    out = "/srv/out/disk.qcow2"
    options = ["-c", "-m", "4", "-W", "-O", "qcow2", "-o", "compression_type=zstd"]
    return [
        ["qemu-img", "convert", *options, "/srv/disk/disk.raw", out],
        ["qemu-img", "resize", "-q", out, str(virtual_size)],
    ]
