"""The command's entry: finds the verb, runs it, and turns every failure into a sentence, a hint and an exit code."""

import argparse
import importlib
import os
import sqlite3
import sys
from collections.abc import Sequence

from ksmg import __version__
from ksmg.cli.change_record import report_refusal
from ksmg.cli.command_trace import trace_command
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.policy import PolicyError
from ksmg.rules.fields import RulesError
from ksmg.settings import SettingsError
from ksmg.system.account import WrongAccount

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
VERBS = (
    "status",
    "events",
    "stats",
    "explain",
    "replay",
    "backup",
    "quarantine",
    "subject",
    "rules",
    "lists",
    "certificates",
    "dkim",
    "policy",
    "statement",
    "audit",
    "trace",
    "diag",
    "dumps",
    "password-hash",
)
"""The verbs; each is a module of this package."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    code = _run(given)
    if code == ExitCode.DENIED:
        report_refusal(given[0])
    trace_command(given, code)
    return code


def _run(given: Sequence[str]) -> int:
    chosen = _parser(given).parse_args(given)
    try:
        code: int = chosen.run(chosen)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except (CommandFailure, WrongAccount, PolicyError, SettingsError, RulesError, OSError, sqlite3.Error) as error:
        failure = _explained(error)
        print(f"ksmg: {failure}", *filter(None, [failure.hint]), sep="\n      ", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _explained(error: Exception) -> CommandFailure:
    """A failure as people are told about it."""
    match error:
        case CommandFailure():
            return error
        case WrongAccount():
            return CommandFailure(str(error), "Run the command as root, for example with sudo.", ExitCode.DENIED)
        case PermissionError():
            what = error.filename or "A file"
            return CommandFailure(
                f"{what} may not be opened by this account.", "Run the command as root.", ExitCode.DENIED
            )
        case PolicyError() | SettingsError() | RulesError():
            return CommandFailure(str(error))
        case _:
            return CommandFailure(f"It did not work: {error}")


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The command line; only the verb that is asked for is loaded, because the first boot waits for one."""
    parser = argparse.ArgumentParser(prog="ksmg", description="Watch and work the secure mail gateway.")
    parser.add_argument("--version", action="version", version=f"ksmg {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    asked = [verb for verb in VERBS if verb in arguments[:1]]
    for verb in asked or VERBS:
        importlib.import_module(f"ksmg.cli.{verb.replace('-', '_')}").add_parser(verbs)
    return parser
