"""The tree of build tools: Debian's own, so that the build machine needs none of them."""

from __future__ import annotations

from pathlib import Path

from golden import debian_tree
from golden.stage import Build


class Tools:
    """systemd-repart, ukify, mkfs.erofs, qemu-img, debhelper … in a root file system of the image's release."""

    name = "tools"

    def inputs(self, build: Build) -> dict[str, str]:
        """The list of tools and the state of the archive."""
        return debian_tree.inputs(build, build.target.tools)

    def make(self, build: Build, draft: Path) -> str:
        """Install the tools into ``draft/root``."""
        count = debian_tree.make(build, draft / "root", build.target.tools)
        return f"{count} packages of build tools"
