"""`ksmg events`: what happened to messages, or to the appliance."""

import argparse
import dataclasses
import ipaddress
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_verb, positive
from ksmg.stores.event_search import Criteria, IPNetwork
from ksmg.stores.locations import open_message_events, open_system_events
from ksmg.stores.message_events import MessageEvent, MessageEventLog
from ksmg.stores.system_events import Name, SystemEvent

_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZE = re.compile(r"(\d+)([kMG]?)")
_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_LONGEST_CELL = 40
SHOW = "show"


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = add_verb(verbs, "events", "Show what happened to messages, newest first.", run, json=True)
    parser.add_argument(
        "show", nargs="*", metavar="show ID", help="everything about the message with this event id or queue id"
    )
    parser.add_argument("--text", nargs="+", default=[], metavar="WORD", help="words anywhere in a message's event")
    for name, what in (("sender", "its sender"), ("recipient", "a recipient"), ("subject", "its subject")):
        parser.add_argument(f"--{name}", default="", metavar="TEXT", help=f"{what} contains this")
    parser.add_argument("--attachment", default="", metavar="TEXT", help="the name of an attachment contains this")
    parser.add_argument(
        "--ip", type=network, metavar="NETWORK", help="the client's address, or a network such as 192.0.2.0/24"
    )
    parser.add_argument(
        "--status",
        type=status,
        action="append",
        default=[],
        metavar="MODULE=STATUS",
        help="what a module found, such as antivirus=infected; may be given several times",
    )
    for name in ("action", "rule", "direction", "queue-id", "message-id"):
        parser.add_argument(
            f"--{name}", default="", metavar=name.rpartition("-")[2].upper(), help=f"its {name.replace('-', ' ')}"
        )
    parser.add_argument("--unscanned", action="store_const", const=True, help="not scanned, or not as a whole")
    parser.add_argument("--min-size", type=byte_count, metavar="SIZE", help="at least this large: 500, 20k, 3M")
    parser.add_argument("--max-size", type=byte_count, metavar="SIZE", help="at most this large")
    parser.add_argument("--since", type=since, metavar="WHEN", help="2h, 30m, 3d, or 2026-01-31T12:00")
    parser.add_argument("--until", type=since, metavar="WHEN", help="before this age or time")
    parser.add_argument("--limit", type=positive, default=50, metavar="N", help="at most N events (50)")
    parser.add_argument("--before", type=place, metavar="PLACE", help="go on where an earlier page ended")
    parser.add_argument("--system", action="store_true", help="show system events instead")


def since(text: str) -> float:
    """A moment, in seconds since 1970, from an age or an ISO 8601 time. Raises ArgumentTypeError."""
    if match := _AGE.fullmatch(text):
        return time.time() - int(match[1]) * _SECONDS[match[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text} is neither an age such as 2h nor a time such as 2026-01-31T12:00"
        ) from None


def network(text: str) -> IPNetwork:
    """An address or a network. Raises ArgumentTypeError."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is neither an address nor a network such as 192.0.2.0/24") from None


def status(text: str) -> tuple[str, str]:
    """A module and what it found. Raises ArgumentTypeError."""
    module, _, found = text.partition("=")
    if not module or not found:
        raise argparse.ArgumentTypeError(f"{text} is not a module and its status, such as antivirus=infected")
    return module, found


def byte_count(text: str) -> int:
    """Bytes, in decimal multiples. Raises ArgumentTypeError."""
    if match := _SIZE.fullmatch(text):
        return int(match[1]) * _BYTES[match[2]]
    raise argparse.ArgumentTypeError(f"{text} is not a size such as 500, 20k or 3M")


def place(text: str) -> str:
    """Where a page ended. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[0-9T.:-]+/\d+", text):
        raise argparse.ArgumentTypeError(f"{text} is not a place that an earlier page gave")
    return text


def run(chosen: argparse.Namespace) -> int:
    """Prints the events."""
    if chosen.show and (chosen.show[0] != SHOW or len(chosen.show) != 2):
        raise CommandFailure(
            f"{' '.join(chosen.show)} is not a verb of events.", "Did you mean 'ksmg events show ID'?", ExitCode.USAGE
        )
    here = store_appliance()
    if chosen.system:
        _print_system(here, chosen)
    elif chosen.show:
        _show(_open(here), chosen.show[1], chosen.json)
    else:
        _print_messages(_open(here), chosen)
    return ExitCode.DONE


def _open(here: Appliance) -> MessageEventLog:
    """The log; a segment that proves to be damaged is a system event."""
    log = open_message_events(here.policy, here.settings)
    system = open_system_events(here.policy, here.settings)
    log.report_to(lambda name, cause: system.add(SystemEvent(Name.EVENTS_DAMAGED, {"segment": name, "cause": cause})))
    return log


def _criteria(chosen: argparse.Namespace) -> Criteria:
    return Criteria(
        words=tuple(word for text in chosen.text for word in text.split()),
        sender=chosen.sender,
        recipient=chosen.recipient,
        subject=chosen.subject,
        attachment=chosen.attachment,
        network=chosen.ip,
        action=chosen.action,
        rule=chosen.rule,
        direction=chosen.direction,
        statuses=tuple(chosen.status),
        queue_id=chosen.queue_id,
        message_id=chosen.message_id,
        unscanned=chosen.unscanned,
        since=chosen.since,
        until=chosen.until,
        smallest=chosen.min_size,
        largest=chosen.max_size,
    )


def _print_messages(log: MessageEventLog, chosen: argparse.Namespace) -> None:
    page = log.page(_criteria(chosen), chosen.limit, chosen.before or "")
    if chosen.json:
        print_json([dataclasses.asdict(event) for event in page.events])
    else:
        print_table(("TIME", "QUEUE ID", "ACTION", "FOUND", "FROM", "TO", "SUBJECT"), map(_row, page.events))
    for name in page.unreadable:
        print(f"ksmg: the events in {name} could not be read", file=sys.stderr)
    if page.before:
        print(f"There may be more: add --before {page.before}", file=sys.stderr)


def _row(event: MessageEvent) -> tuple[str, ...]:
    found = ", ".join(f"{check}: {found}" for check, found in event.statuses if found != "clean")
    return (
        local_time(event.time),
        event.queue_id,
        event.action + (" (changed)" if event.changed else ""),
        found or "clean",
        _cell(event.sender or "<>"),
        _cell(",".join(event.recipients[:2]) + (" …" if len(event.recipients) > 2 else "")),
        event.subject,
    )


def _cell(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _show(log: MessageEventLog, name: str, as_json: bool) -> None:
    """All events of one message: one for each rule that its recipients fall under."""
    found = log.search(Criteria(name=name))
    if found and found[0].queue_id:
        of_message = log.search(Criteria(queue_id=found[0].queue_id), limit=1000)
        found = [event for event in of_message if _message(event) == _message(found[0])]
    if not found:
        raise CommandFailure(f"There is no event {name}.", "'ksmg events' shows queue ids.", ExitCode.NOT_FOUND)
    if as_json:
        print_json([dataclasses.asdict(event) for event in reversed(found)])
        return
    for event in reversed(found):
        for label, value in _lines(event):
            print(f"{label + ':':<18}{value}")
        print()


def _message(event: MessageEvent) -> str:
    return event.message or event.id


def _lines(event: MessageEvent) -> Iterator[tuple[str, str]]:
    """Every field that says something, with its name."""
    shown = {"time": local_time(event.time), "size": f"{size(event.size)} ({event.size} bytes)"}
    for name, value in ((field.name, getattr(event, field.name)) for field in dataclasses.fields(event)):
        if name != "verdicts" and value not in ("", (), False):
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            yield name.replace("_", " "), shown.get(name, text)
    for verdict in event.verdicts:
        yield verdict["check"], _verdict(verdict)


def _verdict(verdict: Any) -> str:
    details = {name: value for name, value in verdict.items() if name not in ("check", "status", "findings")}
    statuses = [found["status"] for found in verdict.get("findings", ())] or [verdict["status"]]
    told = (
        f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in details.items()
    )
    return "; ".join([", ".join(dict.fromkeys(statuses)), *told])


def _print_system(here: Appliance, chosen: argparse.Namespace) -> None:
    found = open_system_events(here.policy, here.settings).newest(chosen.limit, chosen.since or 0.0)
    if chosen.json:
        values = ({**dataclasses.asdict(event), "name": event.name.value} for event in found)
        print_json(list(values))
        return
    print_table(
        ("TIME", "EVENT", "ACCOUNT", "ORIGIN", "DETAIL"),
        (
            (
                local_time(event.time),
                event.name.value,
                event.account,
                event.origin,
                ", ".join(f"{name}: {value}" for name, value in event.detail.items()),
            )
            for event in found
        ),
    )
