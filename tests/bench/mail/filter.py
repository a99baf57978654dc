"""Starts our filter from the copied code, with stores, settings and rules as a variant wants them."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import shutil
from pathlib import Path

from ksmg.inspection.client import SOCKET as INSPECTION
from ksmg.policy import DataPolicy, load_policy
from ksmg.settings import FILE_NAME

from bench.mail import daemons
from bench.mail.daemons import python

SOCKET = "/run/ksmg-filter/milter.sock"
MILTER = f"unix:{SOCKET}"
ACCOUNT = "kluser"
MEMBER = "filter"
_SETTINGS = {"hostname": "gw1.example.test"}


def start(modules: tuple[str, ...] | None, copy_all: bool, module: str = "ksmg.filter") -> None:
    """Start the filter on empty stores, with these modules of its rules (None: all); returns when it listens.

    With modules there is the inspection as well, which opens the attachments.
    """
    policy = load_policy()
    _empty_places(policy)
    Path(policy.place("settings"), FILE_NAME).write_text(json.dumps(_SETTINGS))
    rule_sets = importlib.import_module("bench.mail.rule_sets")  # only the chamber has what it needs
    rule_sets.save(policy, modules, copy_all, ACCOUNT)
    if modules != ():
        _activate("inspection", "ksmg.inspection", INSPECTION, ACCOUNT)
    _activate(MEMBER, module, Path(SOCKET), "postfix")


def start_nothing() -> None:
    """Start the filter that does nothing."""
    _activate(MEMBER, "bench.mail.nothing", Path(SOCKET), "postfix")


def _activate(member: str, module: str, place: Path, group: str) -> None:
    place.parent.mkdir(mode=0o755, exist_ok=True)
    daemons.start(member, python("bench.mail.activation", [str(place), ACCOUNT, group, module]))
    daemons.wait_for(member, str(place))


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
