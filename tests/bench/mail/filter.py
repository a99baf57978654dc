"""Starts our filter from the copied code, with stores, settings and rules as a variant wants them."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import shutil
from pathlib import Path

from ksmg.policy import DataPolicy, load_policy
from ksmg.settings import FILE_NAME

from bench.mail import daemons
from bench.mail.daemons import python

SOCKET = "/run/ksmg-filter/milter.sock"
MILTER = f"unix:{SOCKET}"
ACCOUNT = "kluser"
MEMBER = "filter"
_SETTINGS = {"hostname": "gw1.example.test"}


def start(modules: tuple[str, ...] | None, copy_all: bool) -> None:
    """Start the filter on empty stores, with these modules of its rules (None: all); returns when it listens."""
    policy = load_policy()
    _empty_places(policy)
    Path(policy.place("settings"), FILE_NAME).write_text(json.dumps(_SETTINGS))
    rule_sets = importlib.import_module("bench.mail.rule_sets")  # only the chamber has what it needs
    rule_sets.save(policy, modules, copy_all, ACCOUNT)
    _activate("ksmg.filter", [])


def start_nothing() -> None:
    """Start the filter that does nothing."""
    _activate("bench.mail.nothing", [])


def _activate(module: str, arguments: list[str]) -> None:
    Path(SOCKET).parent.mkdir(mode=0o755, exist_ok=True)
    daemons.start(MEMBER, python("bench.mail.activation", [SOCKET, ACCOUNT, "postfix", module, *arguments]))
    daemons.wait_for(MEMBER, SOCKET)


def _empty_places(policy: DataPolicy) -> None:
    """The directories of the gateway's account as the role `data_storage` makes them, without what was in them."""
    for container in policy.containers:
        shutil.rmtree(container.path, ignore_errors=True)
    for container in policy.containers:
        _directory(Path(container.path), container.mode, container.owner)
    for _, location in policy.locations():
        if location.owner == ACCOUNT and location.type == "directory":
            shutil.rmtree(location.place, ignore_errors=True)
            _directory(Path(location.place), location.mode, location.owner)


def _directory(path: Path, mode: int, owner: str) -> None:
    path.mkdir(parents=True)
    path.chmod(mode)
    entry = pwd.getpwnam(owner)
    os.chown(path, entry.pw_uid, pwd.getpwnam(ACCOUNT).pw_gid)
