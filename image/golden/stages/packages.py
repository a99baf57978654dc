"""The appliance's root file system with all its Debian packages, not configured yet."""

from __future__ import annotations

from pathlib import Path

from golden import debian_tree
from golden.stage import Build


class Packages:
    """Every package of the inventory's list with its dependencies."""

    name = "packages"

    def inputs(self, build: Build) -> dict[str, str]:
        """The package list and the state of the archive."""
        return debian_tree.inputs(build, build.target.packages)

    def make(self, build: Build, draft: Path) -> str:
        """Install the packages into ``draft/root``."""
        count = debian_tree.make(build, draft / "root", build.target.packages)
        return f"{count} packages of the appliance"
