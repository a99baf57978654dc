#!/usr/bin/env python3
"""Check a site's variables before anything is built or touched: `check_site.py INVENTORY_DIRECTORY`.

Prints one sentence with its cure per problem; exit code 1 when there is one. `check()` is the same for other programs.
"""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import json
import os
import re
import struct
import sys
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

os.environ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "1"  # a file with a mistake is an error, not a warning

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

INVENTORY = Path(__file__).resolve().parent.parent / "inventory"
SCHEMA = INVENTORY / "site.schema.yml"
PRODUCT = INVENTORY / "product.yml"
GROUP = "gateways"
CURE = "see inventory/site.schema.yml for what it may be."

_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"^(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+$")
_LOCAL_PART = re.compile(r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$")
_NEXT_HOP = re.compile(r"^(?:\[(?P<exact>[^\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>\d{1,5}))?$")
_SSH_TYPES = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
              "ecdsa-sha2-nistp521", "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-rsa")  # fmt: skip


def check(inventory_dir: str | Path) -> list[str]:
    """Problems of the site in `inventory_dir`, each one sentence with its cure; with an empty list it can be built."""
    try:
        hosts = variables(Path(inventory_dir))
    except ValueError as error:
        return [str(error)]
    if not hosts:
        return [
            f"The inventory {inventory_dir} has no host in the group `{GROUP}`: name each gateway in its hosts.yml."
        ]
    found = (problem for name, site in hosts.items() for problem in _host(name, site, Path(inventory_dir)))
    return list(dict.fromkeys(found))  # hosts share most variables: tell each problem once


def variables(inventory_dir: Path) -> dict[str, dict[str, Any]]:
    """Site variables of every gateway as the roles will see them; a ValueError carries the sentence to print."""
    if not inventory_dir.is_dir():
        raise ValueError(f"The inventory {inventory_dir} is not a directory: copy inventory/example and name the copy.")
    _plugins()
    loader = DataLoader()
    try:
        inventory = InventoryManager(loader=loader, sources=[str(PRODUCT), str(inventory_dir)])
        manager = VariableManager(loader=loader, inventory=inventory)
        hosts = inventory.get_hosts(GROUP) if GROUP in inventory.groups else []
        return {host.name: _site_variables(loader, manager.get_vars(host=host)) for host in hosts}
    except AnsibleError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"The inventory {inventory_dir} cannot be read: correct what Ansible names here: {reason}"
        ) from error


@functools.cache
def _plugins() -> None:
    """Make Ansible's look-ups known, once."""
    init_plugin_loader()


def _site_variables(loader: DataLoader, variables: dict[str, Any]) -> dict[str, Any]:
    """The site's part of a host's variables, as plain values with their templates filled in."""
    site = {name: value for name, value in variables.items() if name.startswith("site_")}
    plain: dict[str, Any] = json.loads(json.dumps(Templar(loader=loader, variables=variables).template(site)))
    return plain


def _host(name: str, site: Mapping[str, Any], inventory_dir: Path) -> Iterator[str]:
    if not _DOMAIN.match(name):
        yield f"The host name `{name}` is not fully qualified: write it as host.domain in {inventory_dir}/hosts.yml."
    schema = yaml.safe_load(SCHEMA.read_text())
    validator = jsonschema.Draft202012Validator(schema, format_checker=_formats(inventory_dir))
    for error in sorted(validator.iter_errors(site), key=lambda error: error.json_path):
        yield from _sentences(error, schema)


def _sentences(error: jsonschema.ValidationError, schema: Mapping[str, Any]) -> Iterator[str]:
    """The schema's complaint in the operator's words."""
    where, rule, value = _where(error), cast("dict[str, Any]", error.schema), cast("Any", error.instance)
    match error.validator:
        case "required":
            for missing in sorted(set(rule["required"]) - set(value)):
                meaning = schema["properties"].get(missing, {}).get("description", "")
                name = _inside(where, missing)
                yield f"The variable `{name}` is missing: set it in group_vars/gateways.yml. {meaning}".rstrip()
        case "additionalProperties":
            known = sorted(rule["properties"])
            for unknown in sorted(set(value) - set(known)):
                name = _inside(where, unknown)
                yield f"The variable `{name}` is unknown: remove it or use one of {', '.join(known)}."
        case "oneOf" if error.context:
            yield from _sentences(_deepest(error.context), schema)
        case "pattern":  # without the value: it may be a secret
            yield f"The value of `{where}` has the wrong form: {rule.get('description', CURE)}"
        case "format":
            yield f"The value {value!r} of `{where}` {error.cause}."
        case _:
            yield f"The value of `{where}` is wrong ({error.message}): {CURE}"


def _deepest(errors: list[jsonschema.ValidationError]) -> jsonschema.ValidationError:
    """Of the alternatives that all failed, the one that the operator meant: not the one that only wanted null."""
    return next((error for error in errors if error.validator != "type"), errors[-1])


def _where(error: jsonschema.ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _formats(inventory_dir: Path) -> jsonschema.FormatChecker:
    """Checkers of the schema's formats. Each raises ValueError with the rest of the sentence."""
    checker = jsonschema.FormatChecker(formats=[])
    checks: dict[str, Callable[[str], object]] = {
        "address": _address,
        "domain": _domain,
        "host": _name_or_ip,
        "next_hop": _next_hop,
        "network": _network,
        "interface": _interface,
        "ip": _ip,
        "ssh_key": _ssh_key,
        "timezone": _timezone,
        "pem_certificate_file": lambda value: _pem(inventory_dir / value, "CERTIFICATE"),
        "pem_key_file": lambda value: _pem(inventory_dir / value, "PRIVATE KEY"),
    }
    for name, function in checks.items():
        checker.checks(name, raises=ValueError)(_text_only(function))
    return checker


def _text_only(function: Callable[[str], object]) -> Callable[[object], bool]:
    def checked(value: object) -> bool:
        if isinstance(value, str):  # other types are the business of the schema's `type`
            function(value)
        return True

    return checked


def _address(value: str) -> None:
    local, at, domain = value.rpartition("@")
    if not (at and _LOCAL_PART.match(local) and _DOMAIN.match(domain)):
        raise ValueError("is not a mail address: write it as name@domain")


def _domain(value: str) -> None:
    if not _DOMAIN.match(value):
        raise ValueError("is not a domain: write it as example.com, international names in their xn-- form")


def _name_or_ip(value: str) -> None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _DOMAIN.match(value):
            raise ValueError("is neither a host name nor an IP address: write host.domain or an address") from None


def _next_hop(value: str) -> None:
    match = _NEXT_HOP.match(value)
    if not match or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise ValueError('is not a next hop: write "[192.0.2.25]:25", "[mail.example.com]:25" or "example.com"')
    _name_or_ip((match["exact"] or match["name"]).removeprefix("ipv6:"))


def _network(value: str) -> None:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"is not a network ({error}): write first address and length, as 192.0.2.0/24") from None


def _interface(value: str) -> None:
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        raise ValueError("is not an address with its prefix length: write it as 192.0.2.10/24") from None
    if "/" not in value:
        raise ValueError("has no prefix length: write it as 192.0.2.10/24")


def _ip(value: str) -> None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("is not an IP address: write it as 192.0.2.1 or 2001:db8::1") from None


def _ssh_key(value: str) -> None:
    kind, _, rest = value.strip().partition(" ")
    cure = "is not an OpenSSH public key: paste the one line of the .pub file"
    if kind not in _SSH_TYPES or "\n" in value.strip():
        raise ValueError(f"{cure} (accepted: {', '.join(_SSH_TYPES)})")
    try:
        blob = base64.b64decode(rest.split()[0], validate=True)
        length = struct.unpack(">I", blob[:4])[0]
    except (IndexError, binascii.Error, struct.error):
        raise ValueError(f"{cure}; its second word is cut off or damaged") from None
    if blob[4 : 4 + length].decode("ascii", "replace") != kind or len(blob) <= 4 + length:
        raise ValueError(f"{cure}; its second word is cut off or damaged")


def _timezone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValueError("is not in the tz database: write a name like Europe/Berlin or UTC")


def _pem(path: Path, kind: str) -> None:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a PEM file"
        cure = "give the path of a readable PEM file, absolute or relative to the inventory"
        raise ValueError(f"cannot be used ({reason}): {cure}") from None
    if f"{kind}-----" not in text:
        raise ValueError(f"holds no {kind.lower()} in PEM form: give the file that has `-----BEGIN … {kind}-----`")


def main() -> int:
    """Print the problems of the inventory named on the command line."""
    if len(sys.argv) != 2:
        print("Name one inventory directory: check_site.py inventory/example", file=sys.stderr)
        return 2
    problems = check(sys.argv[1])
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
