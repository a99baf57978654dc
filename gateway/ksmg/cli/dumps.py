"""`ksmg dumps`: dumps of crashed components, which only the superuser on the console can switch on."""

import argparse
import os

from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, size
from ksmg.cli.verb import Verbs, add_group, add_verb, positive
from ksmg.diagnostics.console import NotOnConsole
from ksmg.diagnostics.dumps import MOST_HOURS, Dumps, DumpsRefused, dump_files, state
from ksmg.stores.system_events import Name


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "dumps", "Dumps of crashed components: off, and to be switched on at the console only.")
    add_verb(group, "status", "Show whether dumps are made, and which are kept.", run_status, json=True)
    enabled = add_verb(group, "enable", "Switch dumps on for some hours; as root, on the console.", run_enable)
    enabled.add_argument("--hours", metavar="N", type=positive, default=MOST_HOURS, help=f"at most ({MOST_HOURS})")
    add_verb(group, "disable", "Switch dumps off, and overwrite and delete those that there are.", run_disable)
    add_verb(group, "check", "Switch off what is over, and remind of what is on; the timer's.", run_check)


def run_status(chosen: argparse.Namespace) -> int:
    """Prints the state; root hears which dumps there are as well."""
    here = appliance()
    found = state(here.policy)
    kept = dump_files(here.policy) if os.geteuid() == 0 else []
    if chosen.json:
        dumps = [{"name": path.name, "bytes": path.stat().st_size} for path in kept]
        print_json({"enabled": found.enabled, "until": found.until, "dumps": dumps})
        return ExitCode.DONE
    until = f" until {local_time(found.until)}" if found.until else ""
    print(f"Dumps are on{until}." if found.enabled else "Dumps are off.")
    if not found.own_kernel:
        print("This is a container: its kernel is another machine's, and dumps cannot be switched on from here.")
    for path in kept:
        print(f"{path} ({size(path.stat().st_size)})")
    return ExitCode.DONE


def run_enable(chosen: argparse.Namespace) -> int:
    """Switches dumps on. Whoever asks from elsewhere is refused, and recorded."""
    here = _for_root()
    try:
        found = Dumps(here.policy).enable(chosen.hours)
    except (NotOnConsole, DumpsRefused) as refusal:
        record_change(here, Name.DUMPS_REFUSED, {"cause": str(refusal)})
        raise CommandFailure(
            f"Dumps stay off. {refusal}",
            "Sign in as root on the machine's console; `passwd` sets a password for it.",
            ExitCode.DENIED,
        ) from None
    record_change(here, Name.DUMPS_ENABLED, {"until": found.until})
    print(f"Dumps are on until {local_time(found.until or 0)}. They may hold any data, messages and keys too.")
    return ExitCode.DONE


def run_disable(_: argparse.Namespace) -> int:
    """Switches dumps off."""
    here = _for_root()
    _disable(here, "command")
    return ExitCode.DONE


def run_check(_: argparse.Namespace) -> int:
    """What the timer does."""
    here = _for_root()
    dumps = Dumps(here.policy)
    if dumps.over():
        _disable(here, "time or restart")
    elif dumps.due():
        record_change(here, Name.DUMPS_ENABLED, {"until": dumps.noted().get("until"), "reminder": True})
    return ExitCode.DONE


def _disable(here: Appliance, cause: str) -> None:
    was_on = state(here.policy).enabled or Dumps(here.policy).noted()
    deleted = Dumps(here.policy).disable()
    if was_on or deleted:
        record_change(here, Name.DUMPS_DISABLED, {"cause": cause, "deleted": deleted})
    print(f"Dumps are off. {deleted} were overwritten and deleted.")


def _for_root() -> Appliance:
    if os.geteuid() != 0:
        raise CommandFailure("Only the superuser may switch dumps.", code=ExitCode.DENIED)
    return appliance()
