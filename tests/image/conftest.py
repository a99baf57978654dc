"""The finished disk file: the builder mounts its system partition read-only (``golden.stages.inspect``)."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

FACTORY = "usr/share/factory/var"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "KSMG_IMAGE_ROOT" not in os.environ:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="run by the image builder, which mounts the file: make image"))


@dataclass(frozen=True)
class Image:
    """The disk file and its mounted root."""

    disk: Path
    root: Path
    tools: Path

    def inside(self, path: str) -> Path:
        """A path of the appliance; what is below /var at run time lies in the factory copy."""
        relative = path.lstrip("/")
        return self.root / (f"{FACTORY}/{relative.removeprefix('var/')}" if relative.startswith("var/") else relative)

    def text(self, path: str) -> str:
        return self.inside(path).read_text()

    def files(self) -> list[tuple[str, os.stat_result]]:
        """Every path that is not a link, with what lstat says of it."""
        found = []
        for folder, folders, names in os.walk(self.root):
            for name in [*folders, *names]:
                path = Path(folder, name)
                status = path.lstat()
                if not stat.S_ISLNK(status.st_mode):
                    found.append((f"/{path.relative_to(self.root)}", status))
        return found


@pytest.fixture(scope="session")
def image() -> Image:
    env = os.environ
    return Image(Path(env["KSMG_IMAGE"]), Path(env["KSMG_IMAGE_ROOT"]), Path(env["KSMG_TOOLS"]))


@pytest.fixture(scope="session")
def files(image: Image) -> list[tuple[str, os.stat_result]]:
    return image.files()
