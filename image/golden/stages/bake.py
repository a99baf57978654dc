"""Ansible configures the root file system: the roles' bake phase, in two layers.

The layer ``platform`` holds all roles but the gateway's own, so a change of the gateway does not repeat them.
Ansible runs on the build machine; its target is a chroot in process and network namespaces of its own, where nothing
can be started or reached by accident.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from golden import content, sandbox
from golden.stage import SITES, Build, code
from golden.stages.gateway_package import package
from golden.target import REPOSITORY

SEEN = Path("/mnt")  # where the project is seen from inside the build's namespace
PLAYBOOKS = REPOSITORY / "playbooks"
ROLES = REPOSITORY / "roles"
CURE = "The failing task and its message stand above; correct the site variable or the role that it names."
FAILURE = r"^(TASK|RUNNING HANDLER) \["


class Bake:
    """One play of playbooks/image.yml as an overlay layer on what is below it."""

    def __init__(self, name: str, below: Sequence[str]) -> None:
        self.name = name
        self._below = tuple(below)

    def inputs(self, build: Build) -> dict[str, str]:
        """The layers below, the roles of this play, the site, and Ansible itself."""
        roles = {f"role {role}": content.of_paths([ROLES / role]) for role in play_roles(self.name)}
        return {
            **{stage: build.results[stage].key for stage in [*self._below, *self._package_stage()]},
            **roles,
            "playbooks": content.of_paths([PLAYBOOKS]),
            "site variables": content.of_value(build.site_variables),
            "site inventory": content.of_paths([build.site]),
            "product inventory": content.of_paths([SITES / "product.yml", SITES / "group_vars"]),
            "tooling": content.of_paths([REPOSITORY / "requirements.lock", REPOSITORY / "ansible.cfg"]),
            **code("bake"),
        }

    def make(self, build: Build, draft: Path) -> str:
        """Run the play against the layers with ``draft/root`` on top."""
        upper, work, root = draft / "root", draft / "work", draft / "merged"
        for folder in (upper, work, root):
            folder.mkdir()
        mounts = [
            sandbox.overlay(build.layers(*self._below), upper, work, root),
            *sandbox.system(root),
            sandbox.bind(REPOSITORY, SEEN),
            # mitogen enters the playbook's folder on the target too, so the path has to exist there
            sandbox.Mount("tmpfs", root / SEEN.relative_to("/"), "tmpfs"),
            sandbox.Mount("tmpfs", root / SEEN.relative_to("/") / "playbooks", "tmpfs"),
        ]
        play = ["env", f"--chdir={SEEN}", *playbook(build.site, root, self.name, self._variables(build))]
        output = build.console.run(sandbox.enter(mounts, play), CURE, environment=environment(), tail_from=FAILURE)
        for folder in (work, root):
            shutil.rmtree(folder)
        return f"{output.count('TASK [')} tasks of {len(play_roles(self.name))} roles"

    def _package_stage(self) -> list[str]:
        return ["deb"] if self.name == "gateway" else []

    def _variables(self, build: Build) -> dict[str, str]:
        if self.name != "gateway":
            return {}
        return {"gateway_package": str(package(build.results["deb"].path))}


def play_roles(tag: str) -> list[str]:
    """Roles of the play with this tag in playbooks/image.yml."""
    plays = yaml.safe_load((PLAYBOOKS / "image.yml").read_text())
    return [
        role["role"] if isinstance(role, dict) else role
        for play in plays
        if tag in play.get("tags", [])
        for role in play.get("roles", [])
    ]


def playbook(site: Path, root: Path, tag: str, variables: dict[str, str]) -> list[str]:
    """Arguments of ansible-playbook for a root that is not booted: local transport, Python inside the chroot."""
    given = {
        "ansible_connection": "local",
        "ansible_python_interpreter": f"/usr/sbin/chroot {root} /usr/bin/python3",
        **variables,
    }
    extra = [word for key, value in given.items() for word in ("-e", json.dumps({key: value}))]
    inventory = ["-i", "inventory/product.yml", "-i", str(SEEN / site.relative_to(REPOSITORY))]
    return [
        str(Path(sys.executable).with_name("ansible-playbook")),
        *inventory,
        "--tags",
        tag,
        *extra,
        "playbooks/image.yml",
    ]


def environment() -> dict[str, str]:
    """Ansible's settings of a bake; the shell's own ANSIBLE_ variables do not leak in."""
    mitogen = importlib.util.find_spec("ansible_mitogen")
    assert mitogen
    assert mitogen.origin
    plugins = Path(mitogen.origin).parent / "plugins" / "strategy"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return {
        **kept,
        "ANSIBLE_CONFIG": str(SEEN / "ansible.cfg"),
        "ANSIBLE_STRATEGY_PLUGINS": str(plugins),
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_REMOTE_TMP": "/tmp/.ansible",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",  # of every strategy that is not ansible-core's own
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
    }
