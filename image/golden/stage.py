"""What a stage is, and how a chain of them is run through the cache."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from golden import cache, content
from golden.cache import Cache, Entry
from golden.console import Console
from golden.mirror import Mirror, Published
from golden.target import REPOSITORY, Target

SITES = REPOSITORY / "inventory"


@dataclass
class Build:
    """One run of the builder: what is built, from what, and the stages' results so far."""

    target: Target
    site: Path
    site_variables: dict[str, Any]
    mirror: Mirror
    published: Published
    cache: Cache
    console: Console
    version: str
    results: dict[str, Entry] = field(default_factory=dict)
    timings: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Time stamp of everything that the build makes; seconds since 1970."""
        return self.published.time

    @property
    def stem(self) -> str:
        """What every output's name begins with."""
        return f"{self.target.id}-{self.version}-{self.site.name}"

    @property
    def tools(self) -> Path:
        """Root of the tree that holds the build tools."""
        return self.results["tools"].file("root")

    def layers(self, *stages: str) -> list[Path]:
        """Overlay layers of the root file system that these stages made, as given: topmost first."""
        return [self.results[stage].file("root") for stage in stages]


class Stage(Protocol):
    """A step with a name, inputs by digest, and a result in a folder of its own."""

    name: str

    def inputs(self, build: Build) -> dict[str, str]:
        """Name of an input for people -> its digest. Equal inputs give an equal result."""

    def make(self, build: Build, draft: Path) -> str:
        """Build into ``draft``; returns what the terminal line says of the result. Raises Problem."""


def code(name: str) -> dict[str, str]:
    """The stage's own source as one of its inputs."""
    return {"the builder": content.of_paths([Path(__file__).parent / "stages" / f"{name}.py"])}


def run(build: Build, chain: Sequence[Stage | tuple[Sequence[Stage], ...]]) -> None:
    """Run the chain; each stage's result is in ``build.results`` for those after it.

    A tuple in the chain holds branches that need nothing of each other and run side by side.
    """
    for link in chain:
        if isinstance(link, tuple):
            _side_by_side(build, link)
        else:
            _run_one(build, link)


def _side_by_side(build: Build, branches: tuple[Sequence[Stage], ...]) -> None:
    with ThreadPoolExecutor(len(branches)) as pool:
        running = [pool.submit(run, build, branch) for branch in branches]
        try:
            for done in as_completed(running):
                done.result()
        except BaseException:
            build.console.abort()
            raise


def _run_one(build: Build, stage: Stage) -> None:
    inputs = stage.inputs(build)
    key = build.cache.key(inputs)
    found = build.cache.find(stage.name, key)
    if found:
        build.results[stage.name] = found
        build.timings[stage.name] = {"seconds": 0.0, "cached": True}
        build.console.stage(stage.name, "unchanged", 0.0)
    else:
        build.results[stage.name] = _make(build, stage, key, inputs)


def _make(build: Build, stage: Stage, key: str, inputs: dict[str, str]) -> Entry:
    before = build.cache.latest(stage.name)
    why = cache.reason(inputs, before)
    build.console.note(f"== {stage.name}: {why}")
    draft = build.cache.draft(stage.name, key)
    started = time.monotonic()
    with build.console.step(stage.name, before.lines if before else 0) as step:
        text = stage.make(build, draft)
    seconds = time.monotonic() - started
    build.console.stage(stage.name, f"{text} ({why})", seconds)
    build.timings[stage.name] = {"seconds": round(seconds, 2), "cached": False, "reason": why}
    return build.cache.publish(stage.name, draft, inputs, seconds, step.lines)
