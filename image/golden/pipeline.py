"""The chain of stages from Debian's packages to the disk image."""

from __future__ import annotations

import contextlib
import os
import time
import tomllib
from pathlib import Path

from golden import cache, delivery, machine, mirror, preflight, target
from golden.cache import Cache
from golden.console import Console
from golden.problem import Problem
from golden.stage import SITES, Build, run
from golden.stages.bake import Bake
from golden.stages.disk import Disk
from golden.stages.gateway_package import GatewayPackage, package
from golden.stages.initrd import Initrd
from golden.stages.inspect import Inspect
from golden.stages.outputs import Qcow2
from golden.stages.seal import Seal
from golden.stages.tree import Tree
from golden.target import REPOSITORY

PACKAGES = Tree("packages", lambda target: target.packages, "of the appliance")
TOOLS = Tree("tools", lambda target: target.tools, "of build tools")
PACKAGE_CHAIN = (TOOLS, GatewayPackage())
IMAGE_CHAIN = (
    ((PACKAGES, Bake("platform", ["packages"])), (TOOLS, GatewayPackage())),
    ((Bake("gateway", ["platform", "packages"]), Seal()), (Initrd(),)),
    Disk(),
    Inspect(),
    Qcow2(),
)


def version() -> str:
    """The product's version: the gateway's."""
    return str(tomllib.loads((REPOSITORY / "gateway" / "pyproject.toml").read_text())["project"]["version"])


def image(site: str, out: Path) -> int:
    """Build the image of a site into ``out``. Raises Problem."""
    started = time.monotonic()
    build = _prepare(site, out)
    with contextlib.closing(build.console), build.cache.locked():
        run(build, IMAGE_CHAIN)
        build.timings["total"] = {"seconds": round(time.monotonic() - started, 2)}
        for file in delivery.deliver(build, out):
            build.console.say(f"  {file.stat().st_size / 1e6:10.2f} MB  {_short(file)}")
        build.console.say(f"Done in {time.monotonic() - started:.1f} s. Log: {_short(build.console.path)}")
    return 0


def gateway_package(site: str, out: Path) -> int:
    """Build only the gateway's Debian package into ``out``. Raises Problem."""
    build = _prepare(site, out)
    with contextlib.closing(build.console), build.cache.locked():
        run(build, PACKAGE_CHAIN)
        source = package(build.results["deb"].path)
        final = out / source.name
        final.write_bytes(source.read_bytes())
        build.console.say(f"  {_short(final)}")
    return 0


def boot(site: str, out: Path) -> int:
    """Boot the image of a site that ``image`` has built. Raises Problem."""
    built = out / f"{target.load().id}-{version()}-{site_folder(site).name}.qcow2"
    if not built.exists():
        raise Problem(f"There is no {_short(built)}.", "Build it first: make image.")
    machine.run_here(built)
    return 0


def site_folder(site: str) -> Path:
    """A folder below inventory/ by name, or any folder of the repository by path."""
    return (Path(site) if "/" in site else SITES / site).resolve()


def _prepare(site: str, out: Path) -> Build:
    wanted = target.load()
    folder, store = site_folder(site), Cache(cache.location())
    variables = preflight.check(folder, store.root, out)
    source = mirror.find()
    state = mirror.state(source, wanted.suite)
    out.mkdir(parents=True, exist_ok=True)
    console = Console(out / "build.log")
    build = Build(wanted, folder, variables, source, state, store, console, version())
    console.say(f"{build.stem}: Debian {wanted.suite}, {len(wanted.packages)} packages named, cache {store.root}")
    return build


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
