"""Files whose changes are system events, whoever makes them.

Settings, keys that open the appliance, certificates, and the mail server's configuration. Each is known by facts, of
which none is a secret; what differs from the facts that were known last is an event.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ksmg.policy import DataPolicy
from ksmg.settings import SETTINGS, Settings, SettingsError, load_settings
from ksmg.stores.locations import settings_file
from ksmg.stores.system_events import Name, SystemEvent

Facts = Mapping[str, Any]
"""What is known of each setting, key or file: a value for people, or a digest."""

SECRET_TYPES = frozenset({"hash", "secret"})
"""Types of settings whose values are never shown."""
_MOST_LISTED = 50
_SHOWN_DIGITS = 16


@dataclass(frozen=True)
class Watched:
    """One kind of files. `facts` reads them; `told` makes the event's detail of the facts before and now."""

    name: Name
    facts: Callable[[], Facts]
    told: Callable[[Facts, Facts], dict[str, Any]]

    def compare(self, before: Facts, now: Facts) -> SystemEvent | None:
        """The event, if anything differs. Who did it, is not known: sign-ins and sudo are events of their own."""
        return None if before == now else SystemEvent(self.name, self.told(before, now))


def watched(policy: DataPolicy) -> dict[str, Watched]:
    """Everything that is watched, by the name that its facts are remembered under."""
    (keys,) = policy.row("ssh_keys").locations
    found = {
        "settings": Watched(Name.SETTINGS_CHANGED, partial(setting_facts, settings_file(policy)), _settings_told),
        "ssh_keys": Watched(Name.SSH_KEYS_CHANGED, partial(key_facts, Path(keys.place)), _difference),
    }
    for location in policy.row("mta_settings").locations:
        place = Path(location.place)
        name = Name.MAIL_SERVER_CHANGED if location.at is None else Name.CERTIFICATE_CHANGED
        found[f"mta_settings {place}"] = Watched(name, partial(file_facts, place), partial(_names, place))
    return found


def setting_facts(file: Path) -> Facts:
    """Every setting that is not as the product has it. A file that cannot be used says what is wrong with it."""
    try:
        settings = load_settings(file) or Settings({})
    except SettingsError as error:
        return {"": str(error)}
    plain = {row.key: json.loads(json.dumps(settings[row.key])) for row in SETTINGS}
    usual = {row.key: json.loads(json.dumps(row.default)) for row in SETTINGS}
    return {row.key: _shown(row.type, plain[row.key]) for row in SETTINGS if plain[row.key] != usual[row.key]}


def key_facts(file: Path) -> Facts:
    """SSH public keys by their fingerprint, as ssh-keygen prints it: the kind of key, and its comment."""
    facts = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        words = line.split()
        if len(words) >= 2 and not line.startswith("#"):
            facts[_fingerprint(words[1])] = " ".join((words[0], *words[2:]))
    return facts


def file_facts(directory: Path) -> Facts:
    """The digest of every file below a directory, but for hidden ones: second names of files that retention erases."""
    visible = (file for file in sorted(directory.rglob("*")) if not file.name.startswith("."))
    found = (file for file in visible if file.is_file() and not file.is_symlink())
    return {str(file.relative_to(directory)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def _shown(kind: str, value: Any) -> Any:
    if kind not in SECRET_TYPES:
        return value
    return f"set, {hashlib.sha256(json.dumps(value).encode()).hexdigest()[:_SHOWN_DIGITS]}"


def _fingerprint(key: str) -> str:
    try:
        digest = hashlib.sha256(base64.b64decode(key)).digest()
    except binascii.Error:
        return "unreadable"
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _settings_told(before: Facts, now: Facts) -> dict[str, Any]:
    changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    usual = {row.key: row.default for row in SETTINGS}
    return {
        "changes": {
            key: {"before": _cut(before.get(key, usual.get(key))), "after": _cut(now.get(key, usual.get(key)))}
            for key in changed[:_MOST_LISTED]
        }
    }


def _cut(value: Any) -> Any:
    """Long lists are cut; the file has them whole."""
    if isinstance(value, (list, tuple)) and len(value) > _MOST_LISTED:
        return [*value[:_MOST_LISTED], f"and {len(value) - _MOST_LISTED} more"]
    return value


def _difference(before: Facts, now: Facts) -> dict[str, Any]:
    return {
        "added": [f"{now[key]} {key}" for key in sorted(now.keys() - before.keys())][:_MOST_LISTED],
        "removed": [f"{before[key]} {key}" for key in sorted(before.keys() - now.keys())][:_MOST_LISTED],
    }


def _names(place: Path, before: Facts, now: Facts) -> dict[str, Any]:
    both = before.keys() & now.keys()
    return {
        "place": str(place),
        "made": sorted(now.keys() - before.keys())[:_MOST_LISTED],
        "changed": sorted(key for key in both if before[key] != now[key])[:_MOST_LISTED],
        "removed": sorted(before.keys() - now.keys())[:_MOST_LISTED],
    }
