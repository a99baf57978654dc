"""`ksmg audit retention`: what each place of the data policy keeps, and whether that is within its caps."""

import argparse
import os
import time
from dataclasses import asdict
from typing import Any

from ksmg.cli.appliance import appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_verb
from ksmg.retention.findings import findings
from ksmg.retention.measure import Cap, Holding, measure

_DAY = 86_400.0


def add_parsers(verbs: Verbs) -> None:
    """Adds the verb."""
    add_verb(verbs, "retention", "Show what is kept in each place, beside its caps.", run, json=True)


def run(chosen: argparse.Namespace) -> int:
    """Prints the places. Exit code 6 when one keeps more, or for longer, than it may."""
    if os.geteuid() != 0:
        raise CommandFailure("Only root may measure every place.", "Run it with sudo.", ExitCode.DENIED)
    here = appliance()
    found = [(holding, findings(here.policy, holding, time.time())) for holding in measure(here.policy, here.settings)]
    if chosen.json:
        print_json([_document(holding, wrong) for holding, wrong in found])
    else:
        _print(found)
    return ExitCode.DIFFERENT if any(wrong for _, wrong in found) else ExitCode.DONE


def _document(holding: Holding, wrong: list[str]) -> dict[str, Any]:
    return {**asdict(holding), "place": str(holding.place), "green": not wrong, "findings": wrong}


def _print(found: list[tuple[Holding, list[str]]]) -> None:
    print_table(("ROW", "PLACE", "KEPT", "OLDEST", "CAP", "ON THIS DISK", "STATE"), (_row(*each) for each in found))
    for holding, wrong in found:
        for sentence in wrong:
            print(f"{holding.place}: {sentence}")


def _row(holding: Holding, wrong: list[str]) -> tuple[str, ...]:
    place = f"{holding.place}/{holding.stream}" if holding.stream else str(holding.place)
    kept = size(holding.bytes) + ("" if holding.records is None else f", {holding.records}")
    oldest = "-" if holding.oldest is None else local_time(holding.oldest)
    state = "wrong" if wrong else "green"
    return holding.row, place, kept, oldest, cap_text(holding.cap), cap_text(holding.effective), state


def cap_text(cap: Cap) -> str:
    """A cap for people; a dash when nothing limits."""
    parts = []
    if cap.bytes is not None:
        parts.append(size(cap.bytes))
    if cap.records is not None:
        parts.append(f"{cap.records} records")
    if cap.seconds is not None:
        parts.append(f"{cap.seconds / _DAY:.0f} days")
    return ", ".join(parts) or "-"
