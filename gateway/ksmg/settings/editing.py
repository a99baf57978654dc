"""Changes a setting in its file; the file is always whole and valid."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from ksmg.settings.loading import Settings, SettingsError, parse_settings
from ksmg.stores.durable import replace_durably


def change_setting(file: Path, key: str, value: Any) -> Settings:
    """Puts one value into the settings file, which may not exist yet, and returns the settings that are in it now.

    Raises SettingsError for a wrong value, and OSError. Two that change the file at once wait for each other.
    """
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        document = _document(file)
        group, _, name = key.rpartition(".")
        (document.setdefault(group, {}) if group else document)[name] = value
        settings = parse_settings(document)
        replace_durably(file, (json.dumps(document, indent=4, sort_keys=True) + "\n").encode())
    finally:
        os.close(descriptor)
    return settings


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SettingsError(f"The settings {file} cannot be read: {error}.") from None
    if not isinstance(document, dict):
        raise SettingsError(f"The settings {file} must be one JSON object.")
    return document
