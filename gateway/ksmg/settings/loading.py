"""Reads the settings file: JSON, groups nested, `{"actions": {"spam": "tag"}}` for the key `actions.spam`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ksmg.settings.table import SETTINGS

FILE_NAME = "gateway.json"
"""The file's name in the policy's place `settings`."""

_GROUPS = frozenset(setting.key.partition(".")[0] for setting in SETTINGS if "." in setting.key)


class SettingsError(ValueError):
    """The settings cannot be used. The text is a sentence for people."""


class Settings:
    """The values of all settings, by key. What the file does not name has its default."""

    def __init__(self, chosen: Mapping[str, Any]) -> None:
        self._values = {setting.key: chosen.get(setting.key, setting.default) for setting in SETTINGS}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def text(self, key: str) -> str:
        """The value of a setting that is text."""
        return str(self._values[key])

    def number(self, key: str, default: int | None = None) -> int:
        """The value of a setting that is a number; `default` when it is null."""
        value = default if self._values[key] is None else self._values[key]
        if value is None:
            raise SettingsError(f"The setting {key} has no value.")
        return int(value)


def load_settings(path: Path) -> Settings | None:
    """The settings in a file; None when there is no such file. Raises SettingsError, or PermissionError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings {path} cannot be read: {error}.") from None
    try:
        return parse_settings(document)
    except SettingsError as error:
        raise SettingsError(f"The settings {path} are wrong: {error}") from None


def parse_settings(document: Any) -> Settings:
    """Settings out of JSON's values. Raises SettingsError, naming the key, for an unknown key or a wrong value."""
    if not isinstance(document, dict):
        raise SettingsError("they must be one JSON object.")
    rows = {setting.key: setting for setting in SETTINGS}
    chosen = {}
    for key, value in _flat(document):
        if key not in rows:
            raise SettingsError(f"there is no setting {key}.")
        try:
            chosen[key] = rows[key].parse(value)
        except ValueError as error:
            raise SettingsError(f"{key} {error}.") from None
    return Settings(chosen)


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if key in _GROUPS and isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value
