"""`ksmg backup`: the messages that were copied before an action."""

import argparse
import dataclasses
import shutil
import subprocess
import sys

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_group, add_verb, positive
from ksmg.stores.backup import Backup, BackupEntry
from ksmg.stores.locations import open_backup, open_system_events
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.syslog import Syslog, line

SENDMAIL = "/usr/sbin/sendmail"


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "backup", "List, show and release messages in Backup.")
    listing = add_verb(group, "list", "List the messages in Backup, newest first.", run_list, json=True)
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most N messages (50)")
    show = add_verb(group, "show", "Show what Backup knows of a message, or the message itself.", run_show, json=True)
    show.add_argument("id", metavar="ID", help="the message's id, as 'backup list' shows it")
    show.add_argument("--raw", action="store_true", help="print the whole message as it was received")
    release = add_verb(group, "release", "Deliver a message from Backup to its recipients.", run_release)
    release.add_argument("id", metavar="ID", help="the message's id, as 'backup list' shows it")


def run_list(chosen: argparse.Namespace) -> int:
    """Prints the newest messages."""
    here = store_appliance()
    found = open_backup(here.policy).entries(chosen.limit)
    if chosen.json:
        print_json([dataclasses.asdict(entry) for entry in found])
        return ExitCode.DONE
    print_table(
        ("ID", "TIME", "SIZE", "REASON", "FROM", "TO", "SUBJECT"),
        (
            (
                entry.id,
                local_time(entry.time),
                size(entry.size),
                entry.reason,
                entry.sender or "<>",
                ",".join(entry.recipients),
                entry.subject,
            )
            for entry in found
        ),
    )
    return ExitCode.DONE


def run_show(chosen: argparse.Namespace) -> int:
    """Prints one message's entry, or the message. That somebody looked at the message is a system event."""
    here = store_appliance()
    backup, entry = _find(here, chosen.id)
    if chosen.raw:
        _record(here, Name.BACKUP_VIEWED, entry)
        with backup.path(entry).open("rb") as message:
            shutil.copyfileobj(message, sys.stdout.buffer)
    elif chosen.json:
        print_json(dataclasses.asdict(entry))
    else:
        for name, value in dataclasses.asdict(entry).items():
            shown = local_time(entry.time) if name == "time" else value
            print(f"{name.replace('_', ' ') + ':':<12}{', '.join(value) if name == 'recipients' else shown}")
    return ExitCode.DONE


def run_release(chosen: argparse.Namespace) -> int:
    """Hands the message to Postfix. It is not filtered again (non_smtpd_milters), it is signed by OpenDKIM."""
    here = store_appliance()
    backup, entry = _find(here, chosen.id)
    if not entry.recipients:
        raise CommandFailure(f"The message {entry.id} has no recipients.")
    command = [SENDMAIL, "-i", "-f", entry.sender, "--", *entry.recipients]
    with backup.path(entry).open("rb") as message:
        sent = subprocess.run(command, stdin=message, capture_output=True, check=False, timeout=120)
    if sent.returncode:
        reason = sent.stderr.decode("utf-8", "backslashreplace").strip() or f"exit code {sent.returncode}"
        raise CommandFailure(f"Postfix did not take the message: {reason}", "Is Postfix running? See 'ksmg status'.")
    _record(here, Name.BACKUP_RELEASED, entry)
    print(f"{entry.id} was handed to Postfix for {', '.join(entry.recipients)}. It stays in Backup.")
    return ExitCode.DONE


def _find(here: Appliance, entry_id: str) -> tuple[Backup, BackupEntry]:
    backup = open_backup(here.policy)
    entry = backup.entry(entry_id)
    if entry is None:
        raise CommandFailure(
            f"Backup has no message {entry_id}.", "'ksmg backup list' shows the messages there are.", ExitCode.NOT_FOUND
        )
    return backup, entry


def _record(here: Appliance, name: Name, entry: BackupEntry) -> None:
    event = SystemEvent(name, {"backup_id": entry.id, "queue_id": entry.queue_id}, here.caller)
    open_system_events(here.policy, here.settings).add(event)
    fields = [("event", name.value), ("account", here.caller), *event.detail.items()]
    Syslog("ksmg").send(name.severity, line(fields))
