"""The lab's network: a namespace with a bridge for the hosts, two neighbours, and a way out for apt only."""

from pathlib import Path

from lab.command import run
from lab.place import OUTSIDE, OUTSIDE_ROUTER, Place

BRIDGE = "br0"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
SWITCHED_ON = Path("/run/ksmg-lab.forwarding")
"""Is there while labs need the control machine's forwarding, which was off before the first of them."""

FILTER = """\
table ip lab {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname "%(bridge)s" oifname "up0" tcp dport { 80, 443, 3128, 8080 } accept
    oifname "up0" drop
  }
}
"""

MASQUERADE = """\
table ip %(table)s {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr { %(net)s.0/24, %(far)s } oifname != "%(uplink)s" masquerade
  }
}
"""


def exists(place: Place) -> bool:
    """Whether the lab's namespace is there."""
    return Path("/run/netns", place.netns).exists()


def up(place: Place) -> None:
    """Make the network; one that is there stays as it is."""
    if exists(place):
        return
    down(place)
    make_bridge(place)
    make_uplink(place)
    neighbour_on_bridge(place, "inside", place.inside)
    neighbour_behind_router(place, "outside")


def down(place: Place) -> None:
    """Remove whatever there is of it."""
    run(["nft", "delete", "table", "ip", place.table], check=False)
    run(["ip", "link", "del", place.uplink], check=False)
    for name in (place.neighbour("inside"), place.neighbour("outside"), place.netns):
        run(["ip", "netns", "del", name], check=False)
    if SWITCHED_ON.exists() and "ksmg_" not in run(["nft", "list", "tables"]):
        FORWARDING.write_text("0\n")
        SWITCHED_ON.unlink()


def within(netns: str, *argv: str) -> list[str]:
    """The command line that runs a program in a network namespace."""
    return ["nsenter", f"--net=/run/netns/{netns}", *argv]


def ip_batch(netns: str, *lines: str) -> None:
    """Several ip(8) commands in a namespace at once."""
    run(within(netns, "ip", "-batch", "-"), stdin="\n".join(lines) + "\n")


def make_bridge(place: Place) -> None:
    """The namespace, its bridge and its forwarding rules."""
    run(["ip", "netns", "add", place.netns])
    ip_batch(
        place.netns,
        "link set lo up",
        f"link add {BRIDGE} type bridge forward_delay 0",
        f"addr add {place.router}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
    )
    run(within(place.netns, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
    run(within(place.netns, "nft", "-f", "-"), stdin=FILTER % {"bridge": BRIDGE})


def make_uplink(place: Place) -> None:
    """The control machine reaches the hosts, and the hosts reach package mirrors, through this pair."""
    run(["ip", "link", "add", place.uplink, "type", "veth", "peer", "name", "up0", "netns", place.netns])
    run(["ip", "addr", "add", f"{place.uplink_near}/30", "dev", place.uplink])
    run(["ip", "link", "set", place.uplink, "up"])
    ip_batch(
        place.netns,
        f"addr add {place.uplink_far}/30 dev up0",
        "link set up0 up",
        f"route add default via {place.uplink_near}",
    )
    run(["ip", "route", "replace", f"{place.net}.0/24", "via", place.uplink_far])
    run(
        ["nft", "-f", "-"],
        stdin=MASQUERADE % {"table": place.table, "net": place.net, "far": place.uplink_far, "uplink": place.uplink},
    )
    if FORWARDING.read_text().strip() != "1":
        SWITCHED_ON.touch()
        FORWARDING.write_text("1\n")


def neighbour_on_bridge(place: Place, which: str, address: str) -> None:
    """A namespace with one interface on the hosts' bridge."""
    name = place.neighbour(which)
    run(["ip", "netns", "add", name])
    run(["ip", "-n", place.netns, "link", "add", f"to-{which}", "type", "veth", "peer", "name", "eth0", "netns", name])
    ip_batch(place.netns, f"link set to-{which} master {BRIDGE}", f"link set to-{which} up")
    ip_batch(
        name,
        "link set lo up",
        f"addr add {address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {place.router}",
    )


def neighbour_behind_router(place: Place, which: str) -> None:
    """A namespace in another network: to the hosts it is the internet."""
    name = place.neighbour(which)
    run(["ip", "netns", "add", name])
    run(["ip", "-n", place.netns, "link", "add", f"to-{which}", "type", "veth", "peer", "name", "eth0", "netns", name])
    ip_batch(place.netns, f"addr add {OUTSIDE_ROUTER}/24 dev to-{which}", f"link set to-{which} up")
    ip_batch(
        name,
        "link set lo up",
        f"addr add {OUTSIDE}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {OUTSIDE_ROUTER}",
    )


def tap(place: Place, name: str) -> None:
    """A port on the bridge for a virtual machine that runs inside the lab's namespace."""
    run(["ip", "-n", place.netns, "link", "del", name], check=False)
    ip_batch(place.netns, f"tuntap add dev {name} mode tap", f"link set {name} master {BRIDGE}", f"link set {name} up")
