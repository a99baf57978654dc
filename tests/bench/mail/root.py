"""The root file system in which every peer runs: one Debian of the appliance's release with the software of all."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from golden import cache, mirror, sandbox
from golden.problem import Problem
from golden.stages import tree
from golden.target import REPOSITORY

SUITE = "trixie"
SERVERS = ("dnsmasq-base", "postfix", "rsyslog")
ENGINES = ("clamav-daemon", "rspamd")
OTHERS = ("amavisd-new", "clamav-milter", "spamassassin")
TOOLS = ("ca-certificates", "iproute2", "procps", "python3", "util-linux")
CONTROL = REPOSITORY / "gateway/debian/control"
TIME_LIMIT = 1200.0


def packages() -> list[str]:
    """Everything that is installed; of the gateway's own needs what its package names of Python."""
    ours = re.findall(r"python3-[a-z0-9-]+", CONTROL.read_text().partition("\nDepends:")[2])
    return sorted({*SERVERS, *ENGINES, *OTHERS, *TOOLS, *ours})


def ensure() -> Path:
    """The root of today's recipe, made when there is none. Raises Problem."""
    sources = mirror.find().sources(SUITE)
    debs = cache.location() / "packages"
    recipe = "\n".join([*packages(), *sources, Path(__file__).read_text()])
    root = cache.location() / "bench" / f"root-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not root.exists():
        for old in root.parent.glob("root-*"):
            shutil.rmtree(old)
        debs.mkdir(parents=True, exist_ok=True)
        unfinished = root.with_suffix(".new")
        _build(tree.command(unfinished, SUITE, packages(), sources, debs), root.with_name("root.log"))
        unfinished.rename(root)
    return root


def _build(command: list[str], log: Path) -> None:
    """Run mmdebstrap in namespaces of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as handle:
        done = subprocess.run(
            sandbox.enter([], command, network=True),
            stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
    if done.returncode:
        raise Problem(f"The benchmark's root file system could not be made (exit {done.returncode}).", f"See {log}.")
