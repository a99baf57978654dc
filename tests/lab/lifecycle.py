"""Starting and ending a whole lab."""

import shutil
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from lab import daemon, dns, group, host, network, target
from lab.command import LabError, run
from lab.place import OUTSIDE, Place

PACKAGES = Path(__file__).with_name("host-packages.txt")
SETUP_LIMIT = 900.0
SINK_PORT = 25


def setup() -> None:
    """Install what the lab and its tests need on this machine; nothing to do when it is there."""
    wanted = [line for line in PACKAGES.read_text().split("\n") if line and not line.startswith("#")]
    installed = run(["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}\n"]).splitlines()
    missing = [package for package in wanted if f"ii {package}" not in installed]
    if missing:
        run(["apt-get", "update", "--quiet"], limit=SETUP_LIMIT)
        run(
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "--yes",
                "--no-install-recommends",
                *missing,
            ],
            limit=SETUP_LIMIT,
        )


def up(place: Place) -> None:
    """The network, its DNS server and the neighbours' mail servers."""
    ensure_key(place)
    network.up(place)
    dns.up(place)
    sink(place, "inside", place.inside)
    sink(place, "outside", OUTSIDE)


def ensure_key(place: Place) -> None:
    """The test administrator's SSH key."""
    if not place.key.exists():
        place.key.parent.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(place.key)])


def sink(place: Place, which: str, address: str) -> None:
    """A neighbour's mail server."""
    member = f"sink-{which}"
    if group.populated(place, member):
        return
    store = place.dir / "sink" / which
    store.mkdir(parents=True, exist_ok=True)
    daemon.start(
        place, member, place.neighbour(which), [sys.executable, "-m", "lab.sink", address, str(SINK_PORT), str(store)]
    )


def start_hosts(place: Place, names: Sequence[str]) -> list[target.Target]:
    """Start hosts; a failure leaves nothing of them behind."""
    up(place)
    try:
        for name in names:
            host.up(place, name)
    except LabError:
        for name in names:
            host.down(place, name)
        raise
    targets = [target.describe(place, name, booted_image=False) for name in names]
    dns.publish(place, dns.know_host(place))
    return targets


def guest_port(place: Place, name: str) -> dict[str, str]:
    """A port for a virtual machine: which tap in which namespace, and the MAC that gets the guest its address."""
    up(place)
    address = place.address(name)
    number = address.rsplit(".", 1)[1]
    mac = f"52:54:00:{zlib.crc32(place.name.encode()) % 256:02x}:{place.number:02x}:{int(number):02x}"
    tap = f"tap{number}"
    network.tap(place, tap)
    dns.know_guest(place, mac, address, name)
    target.describe(place, name, booted_image=True)
    dns.publish(place, dns.know_host(place))
    return {
        "netns": place.netns,
        "tap": tap,
        "mac": mac,
        "address": address,
        "target": str(target.file_of(place, name)),
    }


def stop_host(place: Place, name: str) -> None:
    """End one host or guest port."""
    if (file := place.host_dir(name) / "address").exists():
        run(["ip", "-n", place.netns, "link", "del", f"tap{file.read_text().rsplit('.', 1)[1]}"], check=False)
    host.down(place, name)


def down(place: Place) -> None:
    """End everything that belongs to the lab, whatever state it is in."""
    for name in place.hosts():
        stop_host(place, name)
    for member in group.members(place):
        group.end(place, member)
    for tree in group.hierarchies():
        group.remove(tree / place.netns)
    network.down(place)
    shutil.rmtree(place.dir, ignore_errors=True)
