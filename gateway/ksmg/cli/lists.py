"""`ksmg lists`: the allow and deny lists, global and personal ones. The rules AllowList and DenyList act on them."""

import argparse
import json
from typing import Any

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table
from ksmg.cli.rules import read_given
from ksmg.cli.verb import Verbs, add_group, add_verb
from ksmg.rules.fields import RulesError
from ksmg.rules.listing import Verdict
from ksmg.rules.lists import GLOBAL, Entry, entries_document, parse_entries
from ksmg.rules.store import open_lists
from ksmg.stores.system_events import Name


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "lists", "Show and change allow and deny lists.")
    _add_verbs(add_group(group, "global", "The lists for all recipients."))
    text = "The lists of one recipient's address."
    personal = group.add_parser("personal", help=text, description=text)
    personal.add_argument("owner", metavar="ADDRESS")
    _add_verbs(personal.add_subparsers(title="verbs", metavar="VERB", required=True))
    add_verb(group, "owners", "List the addresses that have personal lists.", run_owners, json=True)


def _add_verbs(group: Verbs) -> None:
    add_verb(group, "list", "List the entries.", run_list, json=True)
    add = add_verb(group, "add", "Add entries.", run_add)
    remove = add_verb(group, "remove", "Remove entries.", run_remove)
    for parser in (add, remove):
        parser.add_argument("verdict", choices=[verdict.value for verdict in Verdict], help="which of the two lists")
        parser.add_argument("entries", metavar="ENTRY", nargs="+", help="an address, wildcard or domain")
    add.add_argument("--comment", default="", metavar="TEXT", help="why")
    importing = add_verb(group, "import", "Put the entries of a file in the place of all entries.", run_import)
    importing.add_argument("file", metavar="FILE", help="JSON as 'export' prints it; - for standard input")
    add_verb(group, "export", "Print all entries as JSON, to edit and to import again.", run_export)


def run_list(chosen: argparse.Namespace) -> int:
    """Prints the entries."""
    found = open_lists(store_appliance().policy).entries(_owner(chosen))
    if chosen.json:
        print_json(entries_document(found))
    else:
        rows = ((e.verdict.value, e.entry, e.by, local_time(e.at), e.comment) for e in found)
        print_table(("LIST", "ENTRY", "ADDED BY", "TIME", "COMMENT"), rows)
    return ExitCode.DONE


def run_owners(chosen: argparse.Namespace) -> int:
    """Prints the addresses that have personal lists, and how many entries."""
    lists = open_lists(store_appliance().policy)
    found = {owner: len(lists.entries(owner)) for owner in sorted(lists.owners())}
    if chosen.json:
        print_json(found)
    else:
        print_table(("ADDRESS", "ENTRIES"), ((owner, str(number)) for owner, number in found.items()))
    return ExitCode.DONE


def run_add(chosen: argparse.Namespace) -> int:
    """Adds entries."""
    here = store_appliance()
    given = {chosen.verdict: [{"entry": one, "comment": chosen.comment, "by": here.caller} for one in chosen.entries]}
    entries = parse_entries(given, _owner(chosen))
    open_lists(here.policy).add(entries, _owner(chosen))
    _record(here, chosen, added=_names(entries))
    print(f"Added {len(entries)} entries.")
    return ExitCode.DONE


def run_remove(chosen: argparse.Namespace) -> int:
    """Removes entries."""
    here = store_appliance()
    lists, verdict = open_lists(here.policy), Verdict(chosen.verdict)
    gone = [one for one in chosen.entries if lists.remove(one, verdict, _owner(chosen))]
    if gone:
        _record(here, chosen, removed=[f"{verdict.value} {one}" for one in gone])
    missing = [one for one in chosen.entries if one not in gone]
    if missing:
        raise CommandFailure(
            f"The {verdict.value} list has no entry {missing[0]}.", "'list' shows the entries.", ExitCode.NOT_FOUND
        )
    print(f"Removed {len(gone)} entries.")
    return ExitCode.DONE


def run_import(chosen: argparse.Namespace) -> int:
    """Replaces all entries."""
    data = read_given(chosen.file)
    here = store_appliance()
    lists, owner = open_lists(here.policy), _owner(chosen)
    entries, before = parse_entries(_decoded(data), owner), lists.entries(owner)
    lists.replace(entries, owner)
    old, new = _names(before), _names(entries)
    added, removed = [name for name in new if name not in old], [name for name in old if name not in new]
    _record(here, chosen, added=added, removed=removed)
    print(f"Added {len(added)} entries, removed {len(removed)}.")
    return ExitCode.DONE


def run_export(chosen: argparse.Namespace) -> int:
    """Prints the entries as they can be imported."""
    print_json(entries_document(open_lists(store_appliance().policy).entries(_owner(chosen))))
    return ExitCode.DONE


def _owner(chosen: argparse.Namespace) -> str:
    return str(getattr(chosen, "owner", GLOBAL))


def _names(entries: tuple[Entry, ...] | list[Entry]) -> list[str]:
    return [f"{entry.verdict.value} {entry.entry}" for entry in entries]


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RulesError(f"The list is not JSON: {error}.") from None


def _record(here: Appliance, chosen: argparse.Namespace, **what: list[str]) -> None:
    record_change(here, Name.LISTS_CHANGED, {"list": _owner(chosen) or "global", **what})
