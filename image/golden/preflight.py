"""Everything that can be known to be wrong before anything is built, found at once and said in sentences."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import check_site

from golden.problem import Problem
from golden.target import REPOSITORY

NEEDED_SPACE = 12_000_000_000  # bytes that a cold build takes in the cache, with three kept results of each stage
NEEDED_OUTPUT = 3_000_000_000  # bytes in out/
NEEDED_PROGRAMS = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "apt-get": "apt"}


def check(site: Path, cache: Path, output: Path) -> dict[str, Any]:
    """Stop with every problem of this machine and this site, or return the variables of the site's one node."""
    problems = [
        *privilege(),
        *programs(),
        *space(cache, NEEDED_SPACE, "KSMG_CACHE"),
        *space(output, NEEDED_OUTPUT, "OUT"),
    ]
    if not problems:
        problems += site_problems(site)
    if problems:
        raise Problem("\n".join(sentence for sentence, _ in problems), "\n".join(cure for _, cure in problems if cure))
    nodes = check_site.variables(site)
    if len(nodes) != 1:
        raise Problem(
            f"The inventory {site.name} has {len(nodes)} gateways, and an image is made for one.",
            "Give each node an inventory of its own.",
        )
    return next(iter(nodes.values()))


def privilege() -> list[tuple[str, str]]:
    """Root file systems can't be made without root."""
    if os.geteuid() == 0:
        return []
    return [("The image is built as root, and this is not root.", "Run it again with sudo.")]


def programs() -> list[tuple[str, str]]:
    """What has to be on the build machine; `make` installs it."""
    missing = sorted({package for name, package in NEEDED_PROGRAMS.items() if not shutil.which(name)})
    if not missing:
        return []
    return [
        (
            f"Missing on this machine: {', '.join(missing)}.",
            "Run it through `make image`, which installs what it needs.",
        )
    ]


def space(folder: Path, needed: int, variable: str) -> list[tuple[str, str]]:
    """Room for the build at the nearest folder that exists; ``variable`` is what names the folder."""
    place = next(parent for parent in [folder, *folder.resolve().parents] if parent.exists())
    free = shutil.disk_usage(place).free
    known = sum(1 for _ in (folder / "stages").glob("*/*/record.json")) if (folder / "stages").exists() else 0
    if known >= len(("tools", "packages", "platform")):
        needed //= 3
    if free >= needed:
        return []
    return [
        (
            f"{folder} has {free / 1e9:.1f} GB free; a build needs {needed / 1e9:.0f} GB.",
            f"Free space there, or set {variable} to a folder on a larger file system.",
        )
    ]


def site_problems(site: Path) -> list[tuple[str, str]]:
    """What the site's inventory gets wrong, from the same check that the playbooks make."""
    if not site.is_dir():
        known = ", ".join(sorted(path.parent.name for path in (REPOSITORY / "inventory").glob("*/hosts.yml")))
        return [(f"There is no inventory {site}.", f"Set SITE to one of: {known}.")]
    return [(sentence, "") for sentence in check_site.check(site)]
