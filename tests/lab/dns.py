"""The lab's DNS and DHCP server: dnsmasq on the bridge.

It knows the test domains and, for apt, asks the machine's own resolver about package mirrors. Every other name does not
exist, and the answer comes at once, so that nothing in the lab waits for a name from the internet.
"""

import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from lab import daemon, group, mirror
from lab.command import LabError
from lab.network import BRIDGE
from lab.place import DOMAIN, FIRST_HOST, OUTSIDE, PARTNER, Place

MEMBER = "dns"
TIME_LIMIT = 10.0
TXT_PART = 250
"""A TXT record is made of strings of at most 255 bytes (RFC 1035, section 3.3.14)."""


def directory(place: Place) -> Path:
    """Settings and records."""
    return place.dir / "dns"


def zone(place: Place) -> list[str]:
    """The records that every lab has."""
    return [
        f"host-record=mail.{DOMAIN},{place.inside}",
        f"host-record=mx.{PARTNER},{OUTSIDE}",
        f"mx-host={PARTNER},mx.{PARTNER},10",
        f"txt-record={PARTNER},v=spf1 ip4:{OUTSIDE} -all",
        f"host-record=router.{DOMAIN},{place.router}",
    ]


def settings(place: Place) -> list[str]:
    """dnsmasq's settings."""
    resolver = next(iter(re.findall(r"^nameserver\s+(\S+)", Path("/etc/resolv.conf").read_text(), re.M)), "127.0.0.53")
    return [
        "no-daemon",
        "log-queries",
        "user=root",
        f"interface={BRIDGE}",
        "except-interface=lo",
        "bind-interfaces",
        "no-hosts",
        "no-resolv",
        *(f"server=/{name}/{resolver}" for name in mirror.names()),
        "address=/#/",
        "dhcp-authoritative",
        f"dhcp-range={place.net}.{FIRST_HOST},static,255.255.255.0,12h",
        f"dhcp-option=option:router,{place.router}",
        f"dhcp-hostsdir={directory(place) / 'guests'}",
        f"dhcp-leasefile={directory(place) / 'leases'}",
    ]


def up(place: Place) -> None:
    """Start the server, if it does not run."""
    if group.populated(place, MEMBER):
        return
    (directory(place) / "guests").mkdir(parents=True, exist_ok=True)
    (directory(place) / "records.conf").touch()
    start(place)


def start(place: Place) -> None:
    """Write the settings, start dnsmasq and wait until it listens."""
    records = [*settings(place), *zone(place), *(directory(place) / "records.conf").read_text().splitlines()]
    file = directory(place) / "dnsmasq.conf"
    file.write_text("\n".join(records) + "\n")
    daemon.start(place, MEMBER, place.netns, ["dnsmasq", f"--conf-file={file}"])
    await_port(place.router, 53, TIME_LIMIT)


def publish(place: Place, records: Sequence[str]) -> None:
    """Replace the records added at run time. dnsmasq reads TXT and MX records only when it starts."""
    (directory(place) / "records.conf").write_text("\n".join(records) + "\n")
    group.end(place, MEMBER)
    start(place)


def questions(log: Path, client: str) -> set[str]:
    """Names that a client asked for, in lower case, from dnsmasq's log."""
    asked = re.findall(r"query\[\w+\] (\S+) from (\S+)", log.read_text(errors="replace"))
    return {name.lower() for name, who in asked if who == client}


def txt(name: str, value: str) -> str:
    """A TXT record, cut into strings."""
    parts = [value[i : i + TXT_PART] for i in range(0, len(value), TXT_PART)]
    return f"txt-record={name}," + ",".join(f'"{part}"' for part in parts)


def know_guest(place: Place, mac: str, address: str, name: str) -> None:
    """A fixed address for a virtual machine."""
    (directory(place) / "guests" / mac.replace(":", "-")).write_text(f"{mac},{address},{name}\n")


def know_host(place: Place) -> list[str]:
    """Address records of the hosts and guests."""
    return [f"host-record={host},{place.address(host)}" for host in place.hosts()]


def await_port(address: str, port: int, limit: float) -> None:
    """Wait until somebody accepts connections there."""
    deadline = time.monotonic() + limit
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError as refused:
            if time.monotonic() > deadline:
                raise LabError(f"Nothing listens on {address} port {port} after {limit:.0f} s.") from refused
            time.sleep(0.05)
        else:
            return
