"""Keeps rule sets: the active one, and every version that records still name.

    active.json             the rule set in force; without it the built-in one is
    versions/DIGEST.json    each version, named by the SHA-256 of its bytes, so that `sha256sum` proves it

Only the newest 200 versions stay: a record of a message that was judged before so many changes cannot be run again.
The filter reads this place only, hence whoever writes keeps the version.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksmg.policy import DataPolicy
from ksmg.rules.directory import Directory
from ksmg.rules.documents import default_document, parse_rules, written
from ksmg.rules.fields import RulesError
from ksmg.rules.files import Signature, locked, signature
from ksmg.rules.listing import Listings
from ksmg.rules.lists import Lists
from ksmg.rules.rule_set import RuleSet
from ksmg.stores.durable import replace_durably

KEPT_VERSIONS = 200
_ACTIVE = "active.json"
_LARGEST = 16_000_000


@dataclass(frozen=True)
class Version:
    """A version that is kept. `time`: when it was made active last, in seconds since 1970."""

    digest: str
    time: float


class RuleStore:
    """The rule sets in a directory."""

    def __init__(self, directory: Path, lists: Listings | None = None, groups: Directory | None = None) -> None:
        self._active = directory / _ACTIVE
        self._versions = directory / "versions"
        self._lock = directory / ".lock"
        self._lists = lists
        self._groups = groups
        self._seen: Signature | None = None

    def load(self) -> RuleSet:
        """The active rule set; the built-in one when there is no file. Raises RulesError, or OSError."""
        self._seen = signature(self._active)
        try:
            return self._parsed(self.data())
        except RulesError as error:
            raise RulesError(f"The rules {self._active} are wrong: {error}") from None

    def changed(self) -> bool:
        """Whether the file is another one than at the last `load`. Costs one look at its directory entry."""
        return signature(self._active) != self._seen

    def data(self) -> bytes:
        """The active document as its file has it."""
        try:
            return _read(self._active)
        except FileNotFoundError:
            return written(default_document())

    def document(self) -> dict[str, Any]:
        """The active document. Raises RulesError."""
        return decoded(self.data())

    def version(self, digest: str) -> RuleSet | None:
        """The rule set of that digest; None when it is not kept any more. Raises RulesError."""
        found = self.version_data(digest)
        return None if found is None else self._parsed(found)

    def version_data(self, digest: str) -> bytes | None:
        """The document of that digest, as its file has it. Raises RulesError, or OSError."""
        with contextlib.suppress(FileNotFoundError):
            if digest.isalnum():
                return _read(self._versions / f"{digest}.json")
        others = (self.data(), written(default_document()))
        return next((data for data in others if digest_of(data) == digest), None)

    def versions(self) -> list[Version]:
        """The versions that are kept, newest first."""
        found = (Version(path.stem, path.stat().st_mtime) for path in self._versions.glob("*.json"))
        return sorted(found, key=lambda version: version.time, reverse=True)

    def edit(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> RuleSet:
        """Replaces the active document by what `change` makes of it. Raises RulesError, and changes nothing then.

        Others who edit wait. When this returns, the new version is on disk.
        """
        with locked(self._lock):
            before = self.data()
            after = written(change(decoded(before)))
            rules = self._parsed(after)
            self._keep(before)
            self._keep(after)
            replace_durably(self._active, after)
            self._prune()
        return rules

    def save(self, document: dict[str, Any]) -> str:
        """Makes a document the active one and returns its digest. Raises RulesError, and changes nothing then."""
        return self.edit(lambda _: document).digest

    def _parsed(self, data: bytes) -> RuleSet:
        return parse_rules(decoded(data), digest_of(data), lists=self._lists, directory=self._groups)

    def _keep(self, data: bytes) -> None:
        """Keeps a version, as the newest one."""
        self._versions.mkdir(mode=0o700, exist_ok=True)
        path = self._versions / f"{digest_of(data)}.json"
        if path.exists():
            os.utime(path)
        else:
            replace_durably(path, data)

    def _prune(self) -> None:
        active = digest_of(self.data())
        for version in self.versions()[KEPT_VERSIONS:]:
            if version.digest != active:
                (self._versions / f"{version.digest}.json").unlink(missing_ok=True)


def load_rules(policy: DataPolicy) -> RuleSet:
    """The rule set in force on this appliance. Raises RulesError, or OSError."""
    return open_rules(policy).load()


def open_rules(policy: DataPolicy) -> RuleStore:
    """The rule sets in the place that the policy gives them, with the lists there."""
    return RuleStore(Path(policy.place("rules")), open_lists(policy))


def open_lists(policy: DataPolicy) -> Lists:
    """The allow and deny lists, in the same place."""
    return Lists(Path(policy.place("rules")) / "lists")


def check_file(path: Path) -> None:
    """Raises RulesError when a file holds no rule set that could be put in force; OSError when it cannot be read."""
    parse_rules(decoded(_read(path)))


def digest_of(data: bytes) -> str:
    """The name of a version."""
    return hashlib.sha256(data).hexdigest()


def decoded(data: bytes) -> dict[str, Any]:
    """A document out of a file's bytes. Raises RulesError."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RulesError(f"The rules are not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise RulesError("The rules must be an object with a list 'rules'.")
    return document


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise RulesError(f"The rules are larger than {_LARGEST} bytes.")
    return data
