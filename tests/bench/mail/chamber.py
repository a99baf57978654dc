"""The chamber in which one benchmark runs: processes, mounts and loopback of its own over the common root.

It is not booted: `bench.mail.inside` starts every daemon by hand. Queue, stores and logs are directories of this
machine's disk for every peer, as they are file systems of their own on the appliance; what is temporary there (/tmp) is
in memory here, too. When the benchmark ends or dies, the kernel ends everything in the chamber and drops its mounts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from golden import cache, sandbox
from golden.sandbox import Mount
from golden.target import REPOSITORY
from ksmg.policy.loading import POLICY_FILE, read_document
from lab import group

from bench.mail import engine_files

CODE = "srv/code"
RESULTS = "srv/results"
GROUPS = "srv/groups"
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
ON_DISK = ("var/log", "var/opt", "var/spool", "var/lib")
POLICY = REPOSITORY / "inventory/group_vars/all/data_policy.yml"


@contextmanager
def prepared(root: Path, results: Path, revision: str, program: Sequence[str]) -> Iterator[list[str]]:
    """The command line that enters the chamber and runs a program there."""
    place = Path(tempfile.mkdtemp(prefix="run-", dir=cache.location() / "bench"))
    control = next(group.hierarchies()) / f"ksmg-bench-{place.name}"
    try:
        control.mkdir()
        _copy_code(place / "code", revision)
        _write_settings(place / "upper")
        yield _command(root, place, results, control, program)
    finally:
        (control / "cgroup.kill").write_text("1")
        group.remove(control)
        shutil.rmtree(place)


def _copy_code(code: Path, revision: str) -> None:
    """The gateway of a git revision, or as it is now: the checkout may change while the benchmark runs."""
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(REPOSITORY / "tests/bench", code / "bench", ignore=left_out)
    if not revision:
        shutil.copytree(REPOSITORY / "gateway/ksmg", code / "ksmg", ignore=left_out)
        return
    archive = ["git", "-C", str(REPOSITORY / "gateway"), "archive", revision, "ksmg"]
    files = subprocess.run(archive, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", str(code)], input=files, check=True)


def _write_settings(upper: Path) -> None:
    policy = upper / POLICY_FILE.relative_to("/")
    policy.parent.mkdir(parents=True)
    policy.write_text(json.dumps(read_document(POLICY)))
    for name, text in engine_files.rendered().items():
        file = upper / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _command(root: Path, place: Path, results: Path, control: Path, program: Sequence[str]) -> list[str]:
    inner = place / "root"
    for name in ("work", "root", *(f"disk/{name}" for name in ON_DISK)):
        (place / name).mkdir(parents=True)
    mounts = [
        sandbox.overlay([root], place / "upper", place / "work", inner),
        *_system(inner),
        *_disks(root, place, inner),
        sandbox.bind(place / "code", inner / CODE),
        sandbox.bind(results, inner / RESULTS),
        sandbox.bind(control, inner / GROUPS),
    ]
    environment = {**sandbox.CLEAN_ENVIRONMENT, "PYTHONPATH": f"/{CODE}"}
    words = [f"{name}={value}" for name, value in environment.items()]
    return sandbox.enter(mounts, ["chroot", str(inner), "env", "-i", *words, *program])


def _system(inner: Path) -> list[Mount]:
    """What programs expect. /dev is the chamber's own, because the log daemon makes /dev/log there."""
    devices = [Mount(f"/dev/{name}", inner / "dev" / name, bind=True, file=True) for name in DEVICES]
    memory = [Mount("tmpfs", inner / name, "tmpfs", "mode=1777") for name in ("dev/shm", "tmp")]
    return [
        Mount("proc", inner / "proc", "proc"),
        Mount("sysfs", inner / "sys", "sysfs", "ro"),
        Mount("tmpfs", inner / "dev", "tmpfs", "mode=755"),
        *devices,
        *memory,
        Mount("tmpfs", inner / "run", "tmpfs", "mode=755"),
    ]


def _disks(root: Path, place: Path, inner: Path) -> Iterator[Mount]:
    """Plain directories of the disk in place of the overlay, which would add costs of its own to each file.

    What rspamd compiles for this processor is kept for the next benchmark.
    """
    for name in ON_DISK:
        target = place / "disk" / name
        for layer in (root, place / "upper"):
            if (layer / name).exists():
                subprocess.run(["cp", "--archive", f"{layer / name}/.", str(target)], check=True)
        yield sandbox.bind(target, inner / name)
    patterns = root.parent / "rspamd"
    patterns.mkdir(exist_ok=True)
    yield sandbox.bind(patterns, inner / "var/lib/rspamd")
