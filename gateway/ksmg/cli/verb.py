"""What the verbs' parsers share."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Verbs = object


def add_verb(
    verbs: Verbs, name: str, help_text: str, run: Callable[[argparse.Namespace], int], json: bool = False
) -> argparse.ArgumentParser:
    """Adds a verb that `run` does; `json` gives it the option --json."""
    parser = verbs.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(run=run)
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON for machines")
    return parser


def add_group(verbs: Verbs, name: str, help_text: str) -> Verbs:
    """Adds a verb that has verbs of its own."""
    parser = verbs.add_parser(name, help=help_text, description=help_text)
    return parser.add_subparsers(title="verbs", metavar="VERB", required=True)


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
