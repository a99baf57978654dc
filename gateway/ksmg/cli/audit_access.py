"""`ksmg audit access`: tries who can reach which data, and says what differs from the data policy, with its cure."""

import argparse
import os
import subprocess

from ksmg.audit.difference import Difference
from ksmg.audit.verification import Verification, verify
from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import print_json
from ksmg.cli.verb import Verbs, add_verb
from ksmg.policy import load_policy
from ksmg.stores.system_events import Name

MOST_EVENTS = 50
"""Differences of a run that become events of their own; the event of the run counts all of them."""


def add_parsers(group: Verbs) -> None:
    """Adds the verb to `ksmg audit`."""
    text = "Try what each account and service can do with the data, and compare it with the data policy."
    add_verb(group, "access", text, run, json=True)


def run(chosen: argparse.Namespace) -> int:
    """Prints the differences, and records the run. Exit code 6 when there are any."""
    if os.geteuid() != 0:
        raise CommandFailure("Only root can become every account.", "Run it with sudo.", ExitCode.DENIED)
    try:
        found = verify(load_policy())
    except subprocess.SubprocessError as error:
        raise CommandFailure(f"systemd does not say what runs: {error}", "Try `systemctl show`.") from None
    if chosen.json:
        print_json(found.document())
    else:
        _print(found)
    record(store_appliance(), found)
    return ExitCode.DIFFERENT if found.differences else ExitCode.DONE


def record(here: Appliance, found: Verification) -> None:
    """Makes system events of the run and of its differences. Raises sqlite3.Error."""
    record_change(here, Name.ACCESS_AUDITED, found.summary())
    for difference in found.differences[:MOST_EVENTS]:
        record_change(here, Name.ACCESS_DIFFERS, difference.document())


def _print(found: Verification) -> None:
    for difference in found.differences:
        _print_difference(difference)
    idle = f" Not running: {', '.join(found.not_running)}." if found.not_running else ""
    tried = f"{len(found.accounts)} accounts and {len(found.units)} services tried in {found.seconds:.1f} s."
    result = f"{len(found.differences)} differences." if found.differences else "Access is as the data policy says."
    print(f"{result} {tried}{idle}")


def _print_difference(difference: Difference) -> None:
    print(f"{difference.kind.value}: {difference.place}{f' ({difference.row})' if difference.row else ''}")
    print(f"    found:    {difference.found}")
    print(f"    expected: {difference.expected}")
    print(f"    cure:     {difference.cure}")
