"""Debian mirrors, as the control machine's own apt knows them."""

import re
import socket
from urllib.parse import urlsplit

from lab.command import LabError, run

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def sources() -> list[str]:
    """One-line apt sources of the appliance's suite on the mirrors that this machine uses."""
    archive, security = archive_sites()
    options = f"[signed-by={KEYRING}]"
    lines = [f"deb {options} {archive} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
    return [*lines, f"deb {options} {security} {SUITE}-security main"]


def archive_sites() -> tuple[str, str]:
    """URIs of the Debian archive and of its security archive."""
    listing = run(["apt-get", "indextargets", "--format", "$(LABEL) $(SITE)", "Created-By: Packages"])
    found = dict(line.split(" ", 1) for line in listing.splitlines() if " " in line)
    try:
        return found["Debian"], found["Debian-Security"]
    except KeyError as missing:
        raise LabError("apt knows no Debian mirror on this machine: run `apt-get update`.") from missing


def proxy_lines() -> list[str]:
    """apt's proxy settings of this machine, as lines of apt.conf."""
    return [
        line for line in run(["apt-config", "dump"]).splitlines() if re.match(r'Acquire::(https?)::Proxy "..', line)
    ]


def names() -> list[str]:
    """Host names that apt in the lab has to resolve."""
    uris = [*archive_sites(), *(line.split('"')[1] for line in proxy_lines())]
    hosts = {urlsplit(uri).hostname or "" for uri in uris}
    return sorted(h for h in hosts if h and not is_address(h))


def is_address(host: str) -> bool:
    """Whether the name is an IPv4 address already."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True
