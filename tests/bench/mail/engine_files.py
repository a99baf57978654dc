"""Settings of clamd and rspamd as the roles write them for the appliance; the same ones for every peer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jinja2
import yaml
from golden.target import REPOSITORY

ROLES = REPOSITORY / "roles"
ACCOUNT = "kluser"
TEMPORARY = "/tmp/ksmgtmp"
"""In memory, for every peer."""
SITE = {
    "site_message_size_limit": 20_000_000,
    "site_internal_networks": [],
    "antivirus_message_size_limit": 20_000_000,
    "antivirus_threads": 4,
    "antispam_message_size_limit": 20_000_000,
    "antispam_internal_networks": [],
    "__antivirus_temporary_directory": TEMPORARY,
    "__antivirus_scan_size": 80_000_000,
    "__antispam_account": ACCOUNT,
}


def rendered() -> dict[str, str]:
    """File in the root -> its text."""
    clamd = _role("antivirus", "etc/clamav/clamd.conf")
    return {
        # amavisd has an account of its own; on the appliance only the engines' account may ask
        **{name: text.replace("LocalSocketMode 660", "LocalSocketMode 666") for name, text in clamd.items()},
        **dict(_rspamd("etc/rspamd")),
        "var/lib/clamav/ksmg-bootstrap.ndb": (ROLES / "antivirus/files/ksmg-bootstrap.ndb").read_text(),
    }


def _rspamd(folder: str) -> Iterator[tuple[str, str]]:
    templates = ROLES / "antispam/templates"
    for file in sorted((templates / folder).rglob("*.j2")):
        yield from _role("antispam", str(file.relative_to(templates).with_suffix(""))).items()


def _role(role: str, name: str) -> dict[str, str]:
    """One of the role's templates, filled in."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((ROLES / role / "templates" / f"{name}.j2").read_text())
    return {name: template.render({**_variables(role), **SITE})}


def _variables(role: str) -> dict[str, Any]:
    """The role's own values that name no others."""
    values: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        values |= yaml.safe_load((ROLES / role / part / "main.yml").read_text())
    return {name: value for name, value in values.items() if "{{" not in str(value)}
