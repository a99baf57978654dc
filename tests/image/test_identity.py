"""Nothing on the image belongs to one machine, to one build, or to nobody."""

from __future__ import annotations

import os
import re
import stat

import pytest
from host.expectation import LOGIN_SHELLS

from image.conftest import Image

Files = list[tuple[str, os.stat_result]]

PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|BEGIN OPENSSH PRIVATE KEY")
SECRET_SIZES = range(1, 200_000)  # bytes of a file that may be a key


def test_the_machine_id_is_empty(image: Image) -> None:
    assert (image.root / "etc/machine-id").read_bytes() == b""


def test_there_are_no_host_keys(image: Image) -> None:
    assert list((image.root / "etc/ssh").glob("ssh_host_*")) == []


@pytest.mark.parametrize("folder", ["etc", "root", "home", "usr/share/factory/var", "usr/share/ksmg"])
def test_there_are_no_private_keys(image: Image, folder: str) -> None:
    found = [path for path in (image.root / folder).rglob("*") if path.is_file() and not path.is_symlink()]
    assert [
        path for path in found if path.stat().st_size in SECRET_SIZES and PRIVATE_KEY.search(path.read_bytes())
    ] == []


def test_nobody_has_a_password(image: Image) -> None:
    rows = [line.split(":") for line in image.text("/etc/shadow").splitlines()]
    assert [row[0] for row in rows if row[1].lstrip("!") not in {"", "*"} or row[1] == ""] == []


def test_only_known_accounts_have_a_shell(image: Image) -> None:
    rows = [line.split(":") for line in image.text("/etc/passwd").splitlines()]
    no_shell = {"/usr/sbin/nologin", "/bin/false", "/bin/sync"}
    assert {row[0]: row[6] for row in rows if row[6] not in no_shell} == LOGIN_SHELLS


def test_only_root_has_uid_0(image: Image) -> None:
    assert [line.split(":")[0] for line in image.text("/etc/passwd").splitlines() if line.split(":")[2] == "0"] == [
        "root"
    ]


@pytest.mark.parametrize(
    "folder", ["var/log", "var/tmp", "var/cache/apt", "var/lib/apt/lists", "var/backups", "var/mail"]
)
def test_nothing_is_left_of_the_build(image: Image, folder: str) -> None:
    assert [path for path in image.inside(folder).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "path",
    [
        "root/.ansible",
        "root/.bash_history",
        "usr/sbin/policy-rc.d",
        "var/lib/systemd/random-seed",
        "etc/passwd-",
        "etc/shadow-",
        "mnt/playbooks",
    ],
)
def test_no_trace_of_baking(image: Image, path: str) -> None:
    assert not image.inside(path).exists()


def test_every_file_has_an_owner(image: Image, files: Files) -> None:
    users = {int(line.split(":")[2]) for line in image.text("/etc/passwd").splitlines()}
    assert [path for path, status in files if status.st_uid not in users] == []


def test_every_file_has_a_group(image: Image, files: Files) -> None:
    groups = {int(line.split(":")[2]) for line in image.text("/etc/group").splitlines()}
    assert [path for path, status in files if status.st_gid not in groups] == []


def test_nobody_else_may_write(files: Files) -> None:
    open_to_all = [
        (path, status) for path, status in files if status.st_mode & stat.S_IWOTH and not stat.S_ISCHR(status.st_mode)
    ]
    assert [path for path, status in open_to_all if not status.st_mode & stat.S_ISVTX] == []
