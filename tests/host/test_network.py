"""Which doors the appliance has: sockets and the firewall."""

import ipaddress
from typing import Any

from host.expectation import LISTENERS, PUBLIC_PORTS


def is_local(address: str) -> bool:
    return address not in ("*", "") and ipaddress.ip_address(address).is_loopback


def test_only_known_sockets_listen(facts: Any) -> None:
    assert {(protocol, port, process) for protocol, _, port, process in facts["sockets"]} <= LISTENERS | transient(
        facts
    )


def transient(facts: Any) -> set[tuple[str, str, str]]:
    """The DNS resolver's and the time client's own questions: unpredictable UDP ports for the length of an answer."""
    askers = ("systemd-resolve", "chronyd", "freshclam")
    return {
        (kind, port, who)
        for kind, _, port, who in facts["sockets"]
        if kind == "udp" and who in askers and int(port) > 1023
    }


def test_only_public_ports_are_open_to_others(facts: Any) -> None:
    others = {port for kind, address, port, _ in facts["sockets"] if kind == "tcp" and not is_local(address)}
    assert others <= PUBLIC_PORTS


def test_firewall_drops_what_no_rule_accepts(facts: Any) -> None:
    chains = [entry["chain"] for entry in facts["nft"] if "chain" in entry]
    policies = {chain["hook"]: chain["policy"] for chain in chains if chain.get("type") == "filter"}
    assert (policies.get("input"), policies.get("forward")) == ("drop", "drop")
