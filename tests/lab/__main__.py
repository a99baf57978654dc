"""`python -m lab`: the test network from the command line."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from lab import base, dns, lifecycle, network, target
from lab.command import LabError
from lab.place import Place


def setup(_place: Place, _chosen: argparse.Namespace) -> None:
    """install what the lab and its tests need on this machine"""
    lifecycle.setup()


def make_base(place: Place, _chosen: argparse.Namespace) -> None:
    """make the hosts' root file system, if it is not there"""
    print(base.ensure(place))


def up(place: Place, chosen: argparse.Namespace) -> None:
    """start the network and hosts; print where they are as JSON"""
    started = lifecycle.start_hosts(place, chosen.name)
    facts = {
        t.name: {"address": t.address, "target": str(target.file_of(place, t.name)), "ssh_key": t.ssh_key}
        for t in started
    }
    print(json.dumps(facts))


def tap(place: Place, chosen: argparse.Namespace) -> None:
    """make a port for each virtual machine; print them as JSON"""
    print(json.dumps({name: lifecycle.guest_port(place, name) for name in chosen.name}))


def stop(place: Place, chosen: argparse.Namespace) -> None:
    """end hosts or ports"""
    for name in chosen.name:
        lifecycle.stop_host(place, name)
    if network.exists(place):
        dns.publish(place, dns.know_host(place))


def down(place: Place, _chosen: argparse.Namespace) -> None:
    """end everything of this lab"""
    lifecycle.down(place)


def key(place: Place, _chosen: argparse.Namespace) -> None:
    """print the test administrator's public SSH key; make it if there is none"""
    lifecycle.ensure_key(place)
    print(place.key.with_suffix(".pub").read_text(), end="")


def run(place: Place, chosen: argparse.Namespace) -> None:
    """run a program in the lab's network, or in a neighbour's"""
    netns = place.netns if chosen.where == "lab" else place.neighbour(chosen.where)
    command = network.within(netns, *chosen.program)
    os.execvp(command[0], command)


VERBS = {"setup": setup, "base": make_base, "up": up, "tap": tap, "stop": stop, "down": down, "key": key, "run": run}
NAMED = {"up": "*", "tap": "+", "stop": "+"}
"""Verbs that take names of hosts or virtual machines, and how many."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="lab", description=__doc__)
    top.add_argument("--lab", default=None, help="name of the lab (default: KSMG_LAB_NAME, or lab)")
    verbs = top.add_subparsers(dest="verb", required=True)
    for name, function in VERBS.items():
        verb = verbs.add_parser(name, help=function.__doc__)
        if name in NAMED:
            verb.add_argument("name", nargs=NAMED[name])
    verbs.choices["run"].add_argument("where", choices=["lab", "inside", "outside"])
    verbs.choices["run"].add_argument("program", nargs=argparse.REMAINDER)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; a failure is a sentence."""
    chosen = parser().parse_args(argv)
    try:
        VERBS[chosen.verb](Place.from_environment(chosen.lab), chosen)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
