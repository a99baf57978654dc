"""The verbs of a message store, the same for Backup and the quarantine: find, look at, take out, deliver, delete."""

import argparse
import contextlib
import dataclasses
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.delivery import deliver
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.message_selection import add_criteria, add_many, chosen_messages, criteria
from ksmg.cli.message_view import view
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_group, add_verb, positive
from ksmg.settings.table import address
from ksmg.stores.locations import open_system_events
from ksmg.stores.message_store import MessageStore, StoredMessage
from ksmg.stores.system_events import Name, SystemEvent
from ksmg.system.syslog import Syslog, line

_DELETED_AT_ONCE = 500
"""Messages of one system event: a log of so many records would have nothing else after a large deletion."""


@dataclass(frozen=True)
class Shelf:
    """A store as its verb shows it."""

    verb: str
    title: str
    """As sentences name it, in the middle of one."""
    open: Callable[[Appliance], MessageStore]
    id_field: str
    """The name of a message's id in system events."""
    viewed: Name
    taken: Name
    released: Name
    deleted: Name


@dataclass(frozen=True)
class _Room:
    """An open shelf, and who is there."""

    shelf: Shelf
    here: Appliance
    store: MessageStore

    def find(self, entry_id: str) -> StoredMessage:
        """The message with this id. Raises CommandFailure."""
        entry = self.store.entry(entry_id)
        if entry is None:
            raise CommandFailure(
                f"{_capital(self.shelf.title)} has no message {entry_id}.",
                f"'ksmg {self.shelf.verb} list' shows the messages there are.",
                ExitCode.NOT_FOUND,
            )
        return entry

    def record(self, name: Name, **detail: Any) -> None:
        """Makes a system event of what was done."""
        event = SystemEvent(name, detail, self.here.caller)
        open_system_events(self.here.policy, self.here.settings).add(event)
        fields = [("event", name.value), ("account", self.here.caller), *event.detail.items()]
        Syslog("ksmg").send(name.severity, line(fields))

    def record_one(self, name: Name, entry: StoredMessage, **detail: Any) -> None:
        """The same, of what was done with one message."""
        self.record(name, **{self.shelf.id_field: entry.id, "queue_id": entry.queue_id, **detail})


def add_store_verbs(shelf: Shelf, help_text: str, verbs: Verbs) -> None:
    """Adds a store's verb with its verbs."""
    group = add_group(verbs, shelf.verb, help_text)
    listing = add_verb(group, "list", "List messages, newest first.", _bound(run_list, shelf), json=True)
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most N messages (50)")
    add_criteria(listing)
    show = add_verb(
        group, "show", "Show a message as text that is safe to look at.", _bound(run_show, shelf), json=True
    )
    show.add_argument("id", metavar="ID", help="the message's id, as 'list' shows it")
    show.add_argument("--raw", action="store_true", help="print the original as it was received")
    download = add_verb(group, "download", "Write the original to a new file.", _bound(run_download, shelf))
    download.add_argument("id", metavar="ID", help="the message's id, as 'list' shows it")
    download.add_argument("file", type=Path, metavar="FILE", help="the new file, for your account alone")
    for name, text in (("deliver", "Deliver messages."), ("release", "The same as deliver.")):
        delivery = add_verb(group, name, text, _bound(run_deliver, shelf))
        add_many(delivery)
        delivery.add_argument("--to", type=_address, metavar="ADDRESS", help="to this address, not to the recipients")
        add_criteria(delivery, to=False)
    delete = add_verb(group, "delete", "Delete messages for good.", _bound(run_delete, shelf))
    add_many(delete)
    add_criteria(delete)


def run_list(shelf: Shelf, chosen: argparse.Namespace) -> int:
    """Prints the newest messages that match."""
    found = _enter(shelf).store.search(criteria(chosen), chosen.limit).messages
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
                ",".join(entry.recipients[:2]) + (" …" if len(entry.recipients) > 2 else ""),
                entry.subject,
            )
            for entry in found
        ),
    )
    return ExitCode.DONE


def run_show(shelf: Shelf, chosen: argparse.Namespace) -> int:
    """Prints one message safely, its entry (--json), or the original. To look at a message is a system event."""
    room = _enter(shelf)
    entry = room.find(chosen.id)
    if chosen.json:
        print_json(dataclasses.asdict(entry))
        return ExitCode.DONE
    with room.store.read(entry) as original:
        room.record_one(shelf.viewed, entry)
        if chosen.raw:
            shutil.copyfileobj(original, sys.stdout.buffer)
        else:
            _print_entry(entry)
            _print_view(original.read())
    return ExitCode.DONE


def run_download(shelf: Shelf, chosen: argparse.Namespace) -> int:
    """Writes one message to a file, which is opened as the caller, before root becomes the gateway's account."""
    with _new_file(chosen.file) as file:
        room = _enter(shelf)
        entry = room.find(chosen.id)
        with room.store.read(entry) as original:
            room.record_one(shelf.taken, entry, file=str(chosen.file.absolute()))
            shutil.copyfileobj(original, file)
    print(f"{entry.id} was written to {chosen.file}. Careful: it is the original, with all that is in it.")
    return ExitCode.DONE


def run_deliver(shelf: Shelf, chosen: argparse.Namespace) -> int:
    """Hands messages to Postfix, for their recipients or for another address. They stay in the store, as decided."""
    room = _enter(shelf)
    entries = chosen_messages(chosen, room.store, room.find, f"Deliver {{}} messages from {shelf.title}?")
    for entry in entries:
        recipients = (chosen.to,) if chosen.to else entry.recipients
        if not recipients:
            raise CommandFailure(f"The message {entry.id} has no recipients.", "Give an address with --to.")
        with room.store.read(entry) as original:
            deliver(original, entry.sender, recipients)
        room.record_one(shelf.released, entry, recipients=list(recipients))
        room.store.mark_decided([entry.id])
        print(f"{entry.id} was handed to Postfix for {', '.join(recipients)}. It stays in {shelf.title}.")
    if not entries:
        print("No message matches.")
    return ExitCode.DONE


def run_delete(shelf: Shelf, chosen: argparse.Namespace) -> int:
    """Deletes messages for good."""
    room = _enter(shelf)
    entries = chosen_messages(chosen, room.store, room.find, f"Delete {{}} messages from {shelf.title} for good?")
    deleted = 0
    for start in range(0, len(entries), _DELETED_AT_ONCE):
        some = entries[start : start + _DELETED_AT_ONCE]
        deleted += room.store.delete(entry.id for entry in some)
        if len(entries) == 1:
            room.record_one(shelf.deleted, entries[0])
        else:
            room.record(shelf.deleted, count=len(some), ids=[entry.id for entry in some])
    print(f"{deleted} messages were deleted.")
    return ExitCode.DONE


def _bound(run: Callable[[Shelf, argparse.Namespace], int], shelf: Shelf) -> Callable[[argparse.Namespace], int]:
    return functools.partial(run, shelf)


def _enter(shelf: Shelf) -> _Room:
    here = store_appliance()
    return _Room(shelf, here, shelf.open(here))


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file of the caller alone; it does not stay when something goes wrong, as far as that can be helped."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
        except BaseException:
            file.truncate(0)
            with contextlib.suppress(OSError):  # root became an account that may not write there: it stays, empty
                path.unlink()
            raise


def _print_entry(entry: StoredMessage) -> None:
    for name, value in dataclasses.asdict(entry).items():
        shown = local_time(entry.time) if name == "time" else value
        shown = ", ".join(value) if isinstance(value, tuple | list) else shown
        print(f"{name.replace('_', ' ') + ':':<12}{shown}")


def _print_view(content: bytes) -> None:
    shown = view(content)
    print()
    for name, value in shown.headers:
        print(f"{name}: {value}")
    print()
    for text in shown.text:
        print(f"  {text}".rstrip())
    for attachment in shown.attachments:
        print(f"Attachment: {attachment}")
    for remark in shown.remarks:
        print(f"Not shown as a whole: {remark}")


def _address(text: str) -> str:
    try:
        return address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
