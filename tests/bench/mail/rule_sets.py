"""The rules of a variant of our filter: which modules judge, and whether every message is copied to Backup."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from ksmg.policy import DataPolicy
from ksmg.rules.documents import default_document
from ksmg.rules.store import open_rules


def save(policy: DataPolicy, modules: Sequence[str] | None, copy_all: bool, account: str) -> None:
    """Make the built-in rules the active ones, with only these modules switched on in them, or all (None)."""
    document = default_document()
    for rule in document["rules"]:
        for name, module in rule["modules"].items():
            module["enabled"] = module.get("enabled", True) and (modules is None or name in modules)
        rule["backup"] = copy_all
    place = Path(policy.place("rules"))
    open_rules(policy).save(document)
    owner = pwd.getpwnam(account)
    for path in (place, *place.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
