"""The gateway's settings: one table, and the file that an administrator's choices are kept in."""

from ksmg.settings.loading import FILE_NAME, Settings, SettingsError, load_settings, parse_settings
from ksmg.settings.table import SETTINGS, Setting

__all__ = ["FILE_NAME", "SETTINGS", "Setting", "Settings", "SettingsError", "load_settings", "parse_settings"]
