"""The options that choose messages of a store."""

import argparse
import sys
from collections.abc import Callable

from ksmg.checks.verdict import Status
from ksmg.cli.events import since
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.stores.message_store import EVERYTHING, Criteria, MessageStore, StoredMessage

_AGREED = ("y", "yes")


def add_criteria(parser: argparse.ArgumentParser, *, to: bool = True) -> None:
    """Adds the search's options. Where `--to` means something else, recipients are searched with --recipient only."""
    group = parser.add_argument_group("which messages", "Text is found anywhere in its field, whatever the case.")
    statuses = [status.value for status in Status if status is not Status.CLEAN]
    group.add_argument("--id", default="", help="the message with this id", metavar="ID")
    group.add_argument("--reason", default="", help="why it was kept, in words of the list", metavar="TEXT")
    group.add_argument(
        "--status", default="", choices=statuses, metavar="STATUS", help=f"what was found: {', '.join(statuses)}"
    )
    group.add_argument("--from", dest="sender", default="", help="in the sender's address", metavar="TEXT")
    names = ("--to", "--recipient") if to else ("--recipient",)
    group.add_argument(*names, dest="recipient", default="", help="in a recipient's address", metavar="TEXT")
    group.add_argument("--ip", default="", help="the sending host's address", metavar="ADDRESS")
    group.add_argument("--subject", default="", help="in the subject", metavar="TEXT")
    group.add_argument("--since", type=since, metavar="WHEN", help="2h, 30m, 3d, or 2026-01-31T12:00")
    group.add_argument("--until", type=since, metavar="WHEN", help="the same, not included")


def criteria(chosen: argparse.Namespace) -> Criteria:
    """What the options ask for."""
    return Criteria(
        id=chosen.id,
        reason=chosen.reason,
        status=chosen.status,
        sender=chosen.sender,
        recipient=chosen.recipient,
        client_ip=chosen.ip,
        subject=chosen.subject,
        since=chosen.since,
        until=chosen.until,
    )


def add_many(parser: argparse.ArgumentParser) -> None:
    """Adds the ways to name many messages: by their ids, or as all that the search's options find."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="messages' ids, as 'list' shows them")
    parser.add_argument("--all-matching", action="store_true", help="every message that the options below find")
    parser.add_argument("--yes", action="store_true", help="do not ask before --all-matching")


def chosen_messages(
    chosen: argparse.Namespace, store: MessageStore, find: Callable[[str], StoredMessage], question: str
) -> list[StoredMessage]:
    """The messages that are meant. Asks `question`, with their number in it, when the search found them.

    Raises CommandFailure when it is unclear which are meant, or the answer is no.
    """
    asked = criteria(chosen)
    if bool(chosen.ids) == chosen.all_matching or (chosen.ids and asked != EVERYTHING):
        raise CommandFailure(
            "It is unclear which messages are meant.",
            "Give either their ids, or --all-matching with the options of a search.",
            ExitCode.USAGE,
        )
    if chosen.ids:
        return [find(entry_id) for entry_id in dict.fromkeys(chosen.ids)]
    found = list(store.every(asked))
    if found and not chosen.yes:
        _confirm(question.format(len(found)))
    return found


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise CommandFailure(f"{question} Nobody is there to answer.", "Add --yes to go on without a question.")
    if input(f"{question} [y/N] ").strip().lower() not in _AGREED:
        raise CommandFailure("Nothing was done.")
