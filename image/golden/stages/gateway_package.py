"""The gateway as a Debian package, built from ``gateway/``."""

from __future__ import annotations

from pathlib import Path

from golden import content
from golden.sandbox import bind, in_tree
from golden.stage import Build, code
from golden.target import REPOSITORY

SOURCE = REPOSITORY / "gateway"
POLICY = REPOSITORY / "inventory" / "group_vars" / "all" / "data_policy.yml"
CURE = "Correct the gateway's source or its packaging in gateway/debian; `make deb` builds the package alone."


class GatewayPackage:
    """``ksmg_VERSION_all.deb``."""

    name = "deb"

    def inputs(self, build: Build) -> dict[str, str]:
        """The gateway's source, the policy that ships inside, and the tools."""
        return {
            "gateway source": content.of_paths([SOURCE]),
            "data policy": content.of_paths([POLICY]),
            "tools": build.results["tools"].key,
            **code("gateway_package"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Build in the tools tree, from a read-only view of the source."""
        tree, inside = build.tools, Path("/srv")
        mounts = [bind(REPOSITORY, tree / "srv/source"), bind(draft, tree / "srv/out")]
        command = [str(inside / "source/gateway/build-deb"), str(inside / "out")]
        build.console.run(in_tree(tree, mounts, command, SOURCE_DATE_EPOCH=str(build.epoch)), CURE)
        return package(draft).name


def package(folder: Path) -> Path:
    """The one package in a result folder."""
    (found,) = folder.glob("*.deb")
    return found
