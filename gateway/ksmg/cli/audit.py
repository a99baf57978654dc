"""`ksmg audit`: whether what the data policy promises is so, row by row; its verbs are the single audits.

Each audit is a module of its own, which adds its verb here.
"""

import argparse
import importlib
import os
import subprocess
import time
from collections.abc import Iterator

from ksmg.audit.verification import verify
from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.audit_access import MOST_EVENTS, record
from ksmg.cli.audit_trail import record_verification, verify_here
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import print_json, print_table
from ksmg.cli.verb import Verbs, add_verb
from ksmg.policy import DataPolicy
from ksmg.retention.findings import findings
from ksmg.retention.measure import measure
from ksmg.stores.system_events import Name

AUDITS = ("audit_access", "audit_retention", "audit_trail")
"""The modules with the audits; each has `add_parsers(group)`."""
WHOLE = "appliance"
"""Stands for what concerns no single row: accounts, services, mounts."""
_TRAIL_ROW = "system_events"

Problem = tuple[str, str]
"""A row and what is wrong with it, as a sentence."""


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    text = "Check what the data policy promises: access, retention and the audit trail of every row."
    parser = add_verb(verbs, "audit", text, run, json=True)
    group = parser.add_subparsers(title="verbs", metavar="VERB")
    add_verb(group, "all", "The same as no verb: every audit, a line for each row.", run, json=True)
    for name in AUDITS:
        importlib.import_module(f"ksmg.cli.{name}").add_parsers(group)


def run(chosen: argparse.Namespace) -> int:
    """Runs every audit and prints a line for each row. Exit code 6 when one is not green."""
    if os.geteuid() != 0:
        raise CommandFailure("Only root can audit every place.", "Run it with sudo.", ExitCode.DENIED)
    here = appliance()
    problems = [*_access(here), *_retention(here), *_trail(here)]
    rows = _by_row(here.policy, problems)
    if chosen.json:
        print_json(rows)
    else:
        print_table(("ROW", "STATE"), ((row, "; ".join(wrong) or "green") for row, wrong in rows.items()))
    return ExitCode.DIFFERENT if problems else ExitCode.DONE


def _access(here: Appliance) -> Iterator[Problem]:
    try:
        found = verify(here.policy)
    except subprocess.SubprocessError as error:
        raise CommandFailure(f"systemd does not say what runs: {error}", "Try `systemctl show`.") from None
    record(here, found)
    for difference in found.differences:
        text = f"{difference.place}: {difference.found} instead of: {difference.expected}; cure: {difference.cure}"
        yield difference.row or WHOLE, text


def _retention(here: Appliance) -> Iterator[Problem]:
    now, places, problems = time.time(), 0, 0
    for holding in measure(here.policy, here.settings):
        places += 1
        for wrong in findings(here.policy, holding, now):
            problems += 1
            if problems <= MOST_EVENTS:
                record_change(here, Name.RETENTION_DIFFERS, {"place": str(holding.place), "what": wrong})
            yield holding.row, f"{holding.place}: {wrong}"
    record_change(here, Name.RETENTION_AUDITED, {"places": places, "findings": problems})


def _trail(here: Appliance) -> Iterator[Problem]:
    found = verify_here(here)
    record_verification(here, found)
    yield from ((_TRAIL_ROW, sentence) for sentence in found.sentences())


def _by_row(policy: DataPolicy, problems: list[Problem]) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {row: [] for row in (*(row.id for row in policy.rows), WHOLE)}
    for row, text in problems:
        rows[row].append(text)
    return rows
