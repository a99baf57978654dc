"""The initial RAM disk: busybox, dm-verity, systemd-repart and the modules that find the disk."""

from __future__ import annotations

from pathlib import Path

from golden import content
from golden.partitions import first_boot, mount_table
from golden.sandbox import bind, in_tree
from golden.stage import Build, code
from golden.target import REPOSITORY

SOURCE = REPOSITORY / "image" / "initrd"
CURE = "See image/initrd/build; a module that is not found: correct initrd_modules of the target."


class Initrd:
    """``initrd.zst``."""

    name = "initrd"

    def inputs(self, build: Build) -> dict[str, str]:
        """Kernel and tools, the scripts, the modules and the partitions of the first boot."""
        return {
            "tools": build.results["tools"].key,
            "packages": build.results["packages"].key,
            "scripts": content.of_paths([SOURCE]),
            "target": content.of_value(
                [build.target.initrd_modules, first_boot(build.target), mount_table(build.target), build.epoch]
            ),
            **code("initrd"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Collect and pack it in the tools tree."""
        definitions = draft / "repart.d"
        definitions.mkdir()
        for name, text in first_boot(build.target).items():
            (definitions / name).write_text(text)
        (draft / "partitions").write_text(mount_table(build.target))
        tree = build.tools
        (root,) = build.layers("packages")
        mounts = [bind(root, tree / "srv/root"), bind(SOURCE, tree / "srv/source"), bind(draft, tree / "srv/out")]
        environment = {"SOURCE_DATE_EPOCH": str(build.epoch), "MODULES": " ".join(build.target.initrd_modules)}
        build.console.run(in_tree(tree, mounts, ["/srv/source/build", "/srv/root", "/srv/out"], **environment), CURE)
        return f"{(draft / 'initrd.zst').stat().st_size / 1e6:.1f} MB initial RAM disk"
