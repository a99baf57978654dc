"""Debian root file systems from lists of packages, made by mmdebstrap: the appliance's own, and the build tools'.

The tools are Debian's, of the image's release, so that the build machine needs none of them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from golden import content, sandbox
from golden.stage import Build, code
from golden.target import Target

# Manual pages, translations and documentation stay out; licences stay in.
DPKG_OPTIONS = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)
CURE = (
    "The log has the whole output. A package that is not found: check the package lists. "
    "A mirror in the middle of an update: run again."
)


def command(root: Path, suite: str, packages: Sequence[str], sources: Sequence[str], debs: Path) -> list[str]:
    """Arguments of mmdebstrap; downloaded packages go to ``debs`` and are taken from there, as hard links."""
    archives = "var/cache/apt/archives"
    fetch = f'mkdir -p "$1/{archives}" && cp --archive --link {shlex.quote(str(debs))}/. "$1/{archives}/"'
    link = f"cp --archive --link --no-clobber -t {shlex.quote(str(debs))}"
    keep = f'find "$1/{archives}" -maxdepth 1 -name "*.deb" -exec {link} {{}} +'
    drop = f'rm -rf "$1/{archives}" "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin'
    options = [f"--dpkgopt={option}" for option in DPKG_OPTIONS]
    # kernel hooks would make an initial RAM disk and boot entries for a machine that does not exist
    no_kernel_hooks = 'mkdir -p "$1/etc/kernel" && printf "layout=other\\n" > "$1/etc/kernel/install.conf"'
    return [
        "mmdebstrap",
        "--verbose",
        "--variant=minbase",
        "--format=directory",
        "--mode=root",
        '--aptopt=APT::Install-Recommends "false"',
        *options,
        f"--setup-hook={fetch}",
        f"--setup-hook={no_kernel_hooks}",
        "--skip=cleanup/apt",
        f"--customize-hook={keep}",
        f"--customize-hook={drop}",
        f"--include={','.join(packages)}",
        suite,
        str(root),
        *sources,
    ]


class Tree:
    """A tree as a stage: ``root`` in its folder holds it."""

    def __init__(self, name: str, packages: Callable[[Target], Sequence[str]], purpose: str) -> None:
        self.name = name
        self._packages = packages
        self._purpose = purpose

    def inputs(self, build: Build) -> dict[str, str]:
        """Packages, mirror, and what Debian has published."""
        return {
            "package list": content.of_value(list(self._packages(build.target))),
            "mirror": content.of_value([build.mirror.archive, build.mirror.security]),
            **build.published.digests,
            **code("tree"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Install the packages into ``draft/root``."""
        root, debs = draft / "root", build.cache.packages
        debs.mkdir(parents=True, exist_ok=True)
        sources = build.mirror.sources(build.target.suite)
        arguments = command(root, build.target.suite, self._packages(build.target), sources, debs)
        build.console.run(sandbox.enter([], arguments, network=True), CURE)
        count = (root / "var/lib/dpkg/status").read_text().count("\nStatus: install ok installed\n")
        return f"{count} packages {self._purpose}"
