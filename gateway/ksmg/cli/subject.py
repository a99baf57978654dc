"""`ksmg subject`: the rights of a person. Finds, exports and erases what the appliance keeps about somebody."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ksmg.cli.appliance import Appliance, appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_table
from ksmg.cli.verb import Verbs, add_group, add_verb
from ksmg.statement.signature import SignatureError, sign
from ksmg.stores.system_events import Name
from ksmg.subject.archive import new_file, write_archive
from ksmg.subject.erasing import counted, erase, everything
from ksmg.subject.finding import Finding, Holder, Scope
from ksmg.subject.matcher import Matcher
from ksmg.subject.person import parse_person
from ksmg.subject.places import NOT_SEARCHED, holders
from ksmg.subject.receipt import Facts, encoded, readable_receipt, receipt, stamp

_LONGEST_SHOWN = 160
"""Characters of a finding on the terminal; --json has all."""


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "subject", "Find, export and erase what is kept about a person.")
    find = add_verb(group, "find", "Find everything about a person in every store and log.", run_find, json=True)
    export = add_verb(group, "export", "Copy everything about a person into an archive.", run_export)
    erasing = add_verb(group, "erase", "Erase a person where the policy allows it.", run_erase, json=True)
    for parser in (find, export, erasing):
        parser.add_argument("address", metavar="ADDRESS", help="the mail address; - reads it from standard input")
        parser.add_argument("--name", action="append", default=[], metavar="NAME", help="a full name to look for too")
    find.add_argument("--counts", action="store_true", help="print the table of counts only")
    export.add_argument("file", type=Path, metavar="FILE", help="the archive (zip) to write, readable for root alone")
    _add_erase_options(erasing)


def _add_erase_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what is there, and change nothing")
    parser.add_argument("--mentions", action="store_true", help="also messages of others that mention the person")
    parser.add_argument("--queue", action="store_true", help="also messages in delivery")
    parser.add_argument(
        "--configuration", action="store_true", help="also entries of allow and deny lists, and old versions of rules"
    )
    parser.add_argument("--receipt", type=Path, metavar="DIRECTORY", help="write the signed receipt there")


def run_find(chosen: argparse.Namespace) -> int:
    """Prints what is found while it is found, then how much in each place."""
    here, places, matcher = _opened(chosen)
    found: Counter[str] = Counter()
    show = _json_line if chosen.json else _line
    if chosen.json:
        print('{"findings": [')
    for holder, finding in everything(places, matcher):
        if not chosen.counts:
            show(finding, first=not found)
        found[holder.place] += 1
    _record(here, Name.SUBJECT_FOUND, places, found)
    if chosen.json:
        print(f'], "counts": {json.dumps(_by_place(places, found))}, "not_searched": {json.dumps(NOT_SEARCHED)}}}')
    else:
        _print_counts(places, found)
    return ExitCode.DONE


def run_export(chosen: argparse.Namespace) -> int:
    """Writes the archive."""
    here, places, matcher = _opened(chosen)
    about = {
        "address": matcher.person.address,
        "names": list(matcher.person.names),
        "appliance": here.settings.text("hostname"),
        "time": stamp(time.time()),
        "by": here.caller,
    }
    try:
        with new_file(chosen.file) as file:
            found = write_archive(file, places, matcher, about)
    except FileExistsError:
        raise CommandFailure(f"{chosen.file} exists already.", "Give the name of a file that does not.") from None
    _record(here, Name.SUBJECT_EXPORTED, places, found)
    _print_counts(places, found)
    print(f"Written to {chosen.file}.")
    return ExitCode.DONE


def run_erase(chosen: argparse.Namespace) -> int:
    """Erases after a look and a question, and prints or writes the receipt."""
    if chosen.receipt and not chosen.receipt.is_dir():
        raise CommandFailure(f"{chosen.receipt} is no directory.", "Nothing was erased.")
    here, places, matcher = _opened(chosen)
    began = time.time()
    found = counted(places, matcher)
    if not chosen.json:
        _print_counts(places, found)
    if chosen.dry_run:
        print("Nothing was changed.", file=sys.stderr)
        return ExitCode.DONE
    if not chosen.yes:
        _ask(chosen)
    outcomes, discarded = erase(places, matcher, Scope(chosen.mentions, chosen.queue, chosen.configuration))
    _record(here, Name.SUBJECT_ERASED, places, {one.place: one.erased + one.pseudonymised for one in outcomes})
    left = counted(places, matcher)
    facts = Facts(here.settings.text("hostname"), here.caller, began, time.time(), found, left, discarded)
    _hand_out(here, chosen, receipt(here.policy, matcher.person, outcomes, facts))
    return ExitCode.DONE


def _opened(chosen: argparse.Namespace) -> tuple[Appliance, list[Holder], Matcher]:
    """The appliance, all places, and what to look for. Raises CommandFailure."""
    if os.geteuid() != 0:
        raise CommandFailure("Only root may do this.", "Run the command with sudo.", ExitCode.DENIED)
    given = sys.stdin.readline() if chosen.address == "-" else chosen.address
    try:
        person = parse_person(given, chosen.name)
    except ValueError as error:
        raise CommandFailure(str(error), "Give the address as ann@example.com.", ExitCode.USAGE) from None
    here = appliance()
    return here, holders(here.policy, here.settings), Matcher(person)


def _ask(chosen: argparse.Namespace) -> None:
    """Raises CommandFailure unless somebody at a terminal says yes."""
    hint = "Look at the counts, then say --yes."
    if chosen.address == "-" or not sys.stdin.isatty():
        raise CommandFailure("Nothing was erased: nobody could be asked.", hint)
    if input("Erase this for good? Type 'erase' to go on: ").strip() != "erase":
        raise CommandFailure("Nothing was erased.", hint)


def _record(here: Appliance, name: Name, places: Iterable[Holder], found: Mapping[str, int]) -> None:
    """A system event with counts by row; who the person is, is not in it."""
    rows: Counter[str] = Counter()
    for holder in places:
        rows[holder.row or "system"] += found.get(holder.place, 0)
    record_change(here, name, {"counts": {row: number for row, number in rows.items() if number}})


def _hand_out(here: Appliance, chosen: argparse.Namespace, document: Mapping[str, Any]) -> None:
    """Prints the receipt, or writes it with its signature; the appliance keeps no copy."""
    data = encoded(document)
    try:
        signature = sign(data, here)
    except SignatureError as error:  # what was done is done, and must be told
        print(f"ksmg: The receipt is not signed: {error}", file=sys.stderr)
        signature = b""
    text = readable_receipt(document)
    if chosen.receipt:
        stem = time.strftime("erasure-%Y%m%d-%H%M%S")
        files = {"json": data, "json.p7s": signature, "txt": text.encode()}
        for kind, content in files.items():
            with new_file(chosen.receipt / f"{stem}.{kind}") as file:
                file.write(content)
    if chosen.json:
        print(json.dumps({"receipt": data.decode(), "signature": signature.decode()}))
    else:
        print(text, end="")


def _line(finding: Finding, first: bool) -> None:
    when = local_time(finding.time) if isinstance(finding.time, float) else finding.time or ""
    if first:
        print("Place, time, kind, and what was found:")
    print(f"{finding.place}  {when}  {finding.kind.value}  {finding.id}  {finding.text[:_LONGEST_SHOWN]}".rstrip())


def _json_line(finding: Finding, first: bool) -> None:
    print("" if first else ",", json.dumps(finding.document, ensure_ascii=False), sep="")


def _by_place(places: Iterable[Holder], found: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"row": one.row, "place": one.place, "found": found.get(one.place, 0)} for one in places]


def _print_counts(places: Iterable[Holder], found: Mapping[str, int]) -> None:
    rows = ((one["row"] or "system log", str(one["found"]), one["place"]) for one in _by_place(places, found))
    print_table(("ROW", "FOUND", "PLACE"), rows)
    print("Not searched: " + "; ".join(NOT_SEARCHED) + ".")
