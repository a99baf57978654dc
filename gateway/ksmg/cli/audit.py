"""`ksmg audit`: whether what the data policy promises is so, as a whole, or one promise after the other.

Each audit is a module of its own, which adds its verb here.
"""

import argparse
import importlib
import importlib.util

from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.verb import Verbs

AUDITS = ("audit_access", "audit_retention", "audit_trail")
"""The modules with the audits; each has `add_parsers(group)`."""


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    text = "Check what the data policy promises."
    parser = verbs.add_parser("audit", help=text, description=text)
    parser.set_defaults(run=run)
    group = parser.add_subparsers(title="verbs", metavar="VERB")
    for name in AUDITS:
        if importlib.util.find_spec(f"ksmg.cli.{name}"):
            importlib.import_module(f"ksmg.cli.{name}").add_parsers(group)


def run(_: argparse.Namespace) -> int:
    """Tells which audits there are."""
    raise CommandFailure("Say which audit.", "'ksmg audit --help' shows them.", ExitCode.USAGE)
