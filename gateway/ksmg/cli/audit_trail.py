"""`ksmg audit events`, `verify` and `checkpoint`: finds system events, and whether one was altered or is missing."""

import argparse
import os
import sys
from pathlib import Path

from ksmg.certificates.site import AUTHORITY
from ksmg.cli.appliance import Appliance, appliance, store_appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.events import since
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table
from ksmg.cli.verb import Verbs, add_verb, positive
from ksmg.statement.signature import SignatureError, sign
from ksmg.stores.locations import open_system_events
from ksmg.stores.system_events import Name, Sought, StoredEvent
from ksmg.trail.checkpoints import Checkpoint
from ksmg.trail.verification import Verification, open_checkpoints, verify_trail

_MOST_TOLD = 20
"""Findings in one event."""


def add_parsers(group: Verbs) -> None:
    """Adds the verbs to `ksmg audit`."""
    listed = add_verb(group, "events", "Show what happened to the appliance, newest first.", run_events, json=True)
    listed.add_argument("--name", action="append", default=[], type=_name, metavar="NAME", help="events of this name")
    for field, what in (("account", "who caused it"), ("origin", "where they were"), ("text", "its detail")):
        listed.add_argument(f"--{field}", default="", metavar="TEXT", help=f"{what} contains this")
    listed.add_argument("--since", type=since, metavar="WHEN", help="2h, 30m, 3d, or 2026-01-31T12:00")
    listed.add_argument("--until", type=since, metavar="WHEN", help="before this age or time")
    listed.add_argument("--limit", type=positive, default=50, metavar="N", help="at most N events (50)")
    listed.add_argument("--before", type=positive, metavar="NUMBER", help="go on where an earlier page ended")
    text = "Compare the system event log with its digests and signed checkpoints: is any record altered or missing?"
    add_verb(group, "verify", text, run_verify, json=True)
    add_verb(group, "checkpoint", "Sign the newest record's number and digest; the timer's.", run_checkpoint)


def run_events(chosen: argparse.Namespace) -> int:
    """Prints the events that match."""
    here = store_appliance()
    sought = Sought(
        names=tuple(chosen.name),
        account=chosen.account,
        origin=chosen.origin,
        text=chosen.text,
        since=chosen.since or 0.0,
        until=chosen.until,
        before=chosen.before,
    )
    found = open_system_events(here.policy, here.settings).search(sought, chosen.limit)
    if chosen.json:
        print_json([_document(stored) for stored in found])
    else:
        print_table(("NUMBER", "TIME", "EVENT", "ACCOUNT", "ORIGIN", "DETAIL"), map(_row, found))
    if len(found) == chosen.limit:
        print(f"There may be more: add --before {found[-1].link.number}", file=sys.stderr)
    return ExitCode.DONE


def run_verify(chosen: argparse.Namespace) -> int:
    """Prints what is wrong with the trail, and records that somebody looked. Exit code 6 when anything is."""
    here = _for_root()
    found = verify_here(here)
    record_verification(here, found)
    if chosen.json:
        print_json(found.document())
    else:
        print(*found.sentences(), _summary(found), sep="\n")
    return ExitCode.DONE if found.whole else ExitCode.DIFFERENT


def run_checkpoint(_: argparse.Namespace) -> int:
    """Looks at the trail and signs where it ends, when it grew. What is wrong with it becomes an event first."""
    here = _for_root()
    found = verify_here(here)
    if not found.whole:
        record_change(here, Name.TRAIL_ALTERED, _findings(found))
        found = verify_here(here)
    if found.end is not None and (found.newest is None or found.newest.link != found.end):
        try:
            made = Checkpoint.made(found.end, here.settings.text("hostname"), lambda document: sign(document, here))
        except SignatureError as error:
            raise CommandFailure(str(error)) from None
        open_checkpoints(here.policy).add(made)
        print(f"Signed record {made.link.number}, {made.link.digest}.")
    return ExitCode.DONE if found.whole else ExitCode.DIFFERENT


def verify_here(here: Appliance) -> Verification:
    """The trail of this appliance. Raises CommandFailure without the authority's certificate."""
    authority = Path(here.certificates.place) / f"{AUTHORITY}.crt"
    if not authority.exists():
        raise CommandFailure("There is no site authority yet.", "'ksmg certificates ensure' makes it.")
    return verify_trail(here.policy, here.settings, authority.read_bytes())


def record_verification(here: Appliance, found: Verification) -> None:
    """Makes system events of it."""
    if not found.whole:
        record_change(here, Name.TRAIL_ALTERED, _findings(found))
    detail = {"records": found.records, "checkpoints": len(found.checkpoints), "findings": len(found.sentences())}
    record_change(here, Name.TRAIL_VERIFIED, detail)


def _findings(found: Verification) -> dict[str, object]:
    sentences = found.sentences()
    return {"findings": sentences[:_MOST_TOLD], "count": len(sentences)}


def _summary(found: Verification) -> str:
    number = found.end.number if found.end else 0
    told = f"{found.records} records, the newest is number {number}; {len(found.checkpoints)} signed checkpoints"
    newest = f", the newest of {local_time(found.newest.time)}" if found.newest else ""
    result = "The trail is whole." if found.whole else f"The trail is not whole: {len(found.sentences())} findings."
    return f"{result} {told}{newest}; {found.unsigned} records are not signed yet."


def _for_root() -> Appliance:
    if os.geteuid() != 0:
        raise CommandFailure("Only root can read the signed checkpoints.", "Run it with sudo.", ExitCode.DENIED)
    return appliance()


def _name(text: str) -> Name:
    try:
        return Name(text)
    except ValueError:
        names = ", ".join(name.value for name in Name)
        raise argparse.ArgumentTypeError(f"{text} is no event; there are: {names}") from None


def _document(stored: StoredEvent) -> dict[str, object]:
    return {**vars(stored.link), **vars(stored.event), "name": stored.event.name.value}


def _row(stored: StoredEvent) -> tuple[str, ...]:
    event = stored.event
    detail = ", ".join(f"{name}: {value}" for name, value in event.detail.items())
    return (str(stored.link.number), local_time(event.time), event.name.value, event.account, event.origin, detail)
