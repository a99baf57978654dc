"""Debian mirrors, as the control machine's own apt knows them."""

import re
import socket
from urllib.parse import urlsplit

from golden.mirror import Mirror, find
from golden.problem import Problem

from lab.command import LabError, run

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def sources() -> list[str]:
    """One-line apt sources of the appliance's suite on the mirrors that the image builder uses."""
    options = f"[signed-by={KEYRING}]"
    return [f"deb {options} {address} {suite} main" for address, suite in found().suites(SUITE)]


def found() -> Mirror:
    """The Debian archive and its security archive."""
    try:
        return find()
    except Problem as problem:
        raise LabError(str(problem)) from problem


def proxy_lines() -> list[str]:
    """apt's proxy settings of this machine, as lines of apt.conf."""
    return [
        line for line in run(["apt-config", "dump"]).splitlines() if re.match(r'Acquire::(https?)::Proxy "..', line)
    ]


def names() -> list[str]:
    """Host names that apt in the lab has to resolve."""
    uris = [found().archive, found().security, *(line.split('"')[1] for line in proxy_lines())]
    hosts = {urlsplit(uri).hostname or "" for uri in uris}
    return sorted(h for h in hosts if h and not is_address(h))


def is_address(host: str) -> bool:
    """Whether the name is an IPv4 address already."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True
