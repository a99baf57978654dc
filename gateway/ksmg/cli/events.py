"""`ksmg events`: what happened to messages, or to the appliance."""

import argparse
import dataclasses
import re
import time
from datetime import datetime

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.output import local_time, print_json, print_table
from ksmg.cli.verb import Verbs, add_verb, positive
from ksmg.stores.locations import open_message_events, open_system_events

_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = add_verb(verbs, "events", "Show what happened to messages, newest first.", run, json=True)
    parser.add_argument("--since", type=since, default=0.0, metavar="WHEN", help="2h, 30m, 3d, or 2026-01-31T12:00")
    parser.add_argument("--queue-id", default="", metavar="ID", help="only the message with this queue id")
    parser.add_argument("--limit", type=positive, default=50, metavar="N", help="at most N events (50)")
    parser.add_argument("--system", action="store_true", help="show system events instead")


def since(text: str) -> float:
    """A moment, in seconds since 1970, from an age or an ISO 8601 time. Raises ArgumentTypeError."""
    if match := _AGE.fullmatch(text):
        return time.time() - int(match[1]) * _SECONDS[match[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is neither an age such as 2h nor a time such as 2026-01-31T12:00"
        ) from None


def run(chosen: argparse.Namespace) -> int:
    """Prints the events."""
    here = store_appliance()
    if chosen.system:
        _print_system(here, chosen)
    else:
        _print_messages(here, chosen)
    return 0


def _print_messages(here: Appliance, chosen: argparse.Namespace) -> None:
    found = open_message_events(here.policy, here.settings).search(chosen.since, chosen.queue_id, chosen.limit)
    if chosen.json:
        print_json([dataclasses.asdict(event) for event in found])
        return
    print_table(
        ("TIME", "QUEUE ID", "ACTION", "FOUND", "FROM", "TO", "SUBJECT"),
        (
            (
                local_time(event.time),
                event.queue_id,
                event.action,
                ", ".join(f"{verdict['check']}: {verdict['status']}" for verdict in event.verdicts),
                event.sender or "<>",
                ",".join(event.recipients[:2]) + (" …" if len(event.recipients) > 2 else ""),
                event.subject,
            )
            for event in found
        ),
    )


def _print_system(here: Appliance, chosen: argparse.Namespace) -> None:
    found = open_system_events(here.policy, here.settings).newest(chosen.limit, chosen.since)
    if chosen.json:
        values = ({**dataclasses.asdict(event), "name": event.name.value} for event in found)
        print_json(list(values))
        return
    print_table(
        ("TIME", "EVENT", "ACCOUNT", "DETAIL"),
        (
            (
                local_time(event.time),
                event.name.value,
                event.account,
                ", ".join(f"{name}: {value}" for name, value in event.detail.items()),
            )
            for event in found
        ),
    )
