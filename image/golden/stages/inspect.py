"""The finished disk file is looked at before anybody gets it: tests/image on its mounted system partition."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from golden import content, gpt
from golden.sandbox import Mount, enter
from golden.stage import Build, code
from golden.target import REPOSITORY

TESTS = REPOSITORY / "tests" / "image"
CURE = "A promise of the image is broken: correct the role or the clean-up that the failing test names."


class Inspect:
    """``report.xml``: the JUnit report of the tests on the finished file."""

    name = "inspect"

    def inputs(self, build: Build) -> dict[str, str]:
        """The disk, the tests and the policy that they check."""
        settings = [REPOSITORY / "pyproject.toml", REPOSITORY / "inventory" / "group_vars"]
        tests = [TESTS, REPOSITORY / "tests" / "host" / "expectation.py", REPOSITORY / "tests" / "conftest.py"]
        return {
            "disk": build.results["disk"].key,
            "image tests": content.of_paths(tests),
            "site variables": content.of_value(build.site_variables),
            "settings": content.of_paths(settings),
            **code("inspect"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Mount the partition from the file and run the tests."""
        disk, root = build.results["disk"].file("disk.raw"), draft / "root"
        partition = gpt.partition(disk, "root")
        options = f"ro,loop,offset={partition.start},sizelimit={partition.size}"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={draft / 'report.xml'}",
            str(TESTS),
        ]
        environment = {
            **os.environ,
            "KSMG_IMAGE": str(disk),
            "KSMG_IMAGE_ROOT": str(root),
            "KSMG_TOOLS": str(build.tools),
            "KSMG_SITE_KEYS": str(len(build.site_variables["site_admin_ssh_keys"])),
        }
        output = build.console.run(enter([Mount(str(disk), root, "erofs", options)], command), CURE, environment)
        root.rmdir()
        match = re.search(r"(\d+ passed.*?) in ", output)
        return f"image tests: {match.group(1) if match else 'no count'}"
