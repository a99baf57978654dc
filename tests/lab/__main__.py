"""`python -m lab`: the test network from the command line."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from lab import base, dns, lifecycle, network, target
from lab.command import LabError
from lab.place import Place


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="lab", description=__doc__)
    top.add_argument("--lab", default=None, help="name of the lab (default: KSMG_LAB_NAME, or lab)")
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("setup", help="install what the lab needs on this machine")
    verbs.add_parser("base", help="make the hosts' root file system, if it is not there")
    up = verbs.add_parser("up", help="start the network and hosts; print where they are as JSON")
    up.add_argument("host", nargs="*")
    stop = verbs.add_parser("stop", help="end hosts or guest ports")
    stop.add_argument("host", nargs="+")
    verbs.add_parser("down", help="end everything of this lab")
    tap = verbs.add_parser("tap", help="make a port for a virtual machine; print it as JSON")
    tap.add_argument("guest")
    verbs.add_parser("key", help="print the test administrator's public SSH key; make it if there is none")
    inside = verbs.add_parser("run", help="run a program in the lab's network, or in a neighbour's")
    inside.add_argument("where", choices=["lab", "inside", "outside"])
    inside.add_argument("program", nargs=argparse.REMAINDER)
    return top


def perform(arguments: argparse.Namespace) -> None:
    """One verb."""
    place = Place.from_environment(arguments.lab)
    match arguments.verb:
        case "setup":
            lifecycle.setup()
        case "base":
            print(base.ensure(place))
        case "up":
            hosts = lifecycle.start_hosts(place, arguments.host)
            print(json.dumps({t.name: {"address": t.address, "target": str(target.file_of(place, t.name)), "ssh_key": t.ssh_key} for t in hosts}))
        case "stop":
            for name in arguments.host:
                lifecycle.stop_host(place, name)
            if network.exists(place):
                dns.publish(place, dns.know_host(place))
        case "down":
            lifecycle.down(place)
        case "tap":
            print(json.dumps(lifecycle.guest_port(place, arguments.guest)))
        case "key":
            lifecycle.ensure_key(place)
            print(place.key.with_suffix(".pub").read_text(), end="")
        case "run":
            netns = place.netns if arguments.where == "lab" else place.neighbour(arguments.where)
            command = network.within(netns, *arguments.program)
            os.execvp(command[0], command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; a failure is a sentence."""
    try:
        perform(parser().parse_args(argv))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
