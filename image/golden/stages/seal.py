"""The last layer of the root file system: clean-up of identity, partitions' mount points, factory copy of /var."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path

from golden import content, sandbox, seal_root
from golden.stage import Build, code

BELOW = ("gateway", "platform", "packages")
CURE = "This is a defect of the builder; the log has the whole output."


class Seal:
    """What ``golden.seal_root`` changes, as an overlay layer."""

    name = "seal"

    def inputs(self, build: Build) -> dict[str, str]:
        """The baked layers and the image's name, version and partitions."""
        return {
            **{stage: build.results[stage].key for stage in BELOW},
            "target": content.of_value(specification(build)),
            "clean-up": content.of_paths([Path(seal_root.__file__), seal_root.SYSTEM]),
            **code("seal"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Run the clean-up in its own mount namespace."""
        upper, work, root = draft / "root", draft / "work", draft / "merged"
        for folder in (upper, work, root):
            folder.mkdir()
        mounts = [sandbox.overlay(build.layers(*BELOW), upper, work, root)]
        command = [sys.executable, "-m", "golden.seal_root", str(root), json.dumps(specification(build))]
        path = str(Path(__file__).resolve().parents[2])
        build.console.run(sandbox.enter(mounts, command), CURE, environment={**os.environ, "PYTHONPATH": path})
        for folder in (work, root):
            shutil.rmtree(folder)
        return "identity removed, factory copy of /var made"


def specification(build: Build) -> dict[str, object]:
    """What the clean-up has to know of the target."""
    partitions = [dataclasses.asdict(partition) for partition in build.target.partitions]
    return {"id": build.target.id, "version": build.version, "partitions": partitions}
