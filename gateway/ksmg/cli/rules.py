"""`ksmg rules`: the rules, in their order; what is wrong with them, and what they would do."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ksmg.cli import rules_trial
from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.change_record import record_change
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table
from ksmg.cli.rules_shown import print_comparison, print_remarks, row_of
from ksmg.cli.verb import Verbs, add_group, add_verb, positive
from ksmg.rules import editing
from ksmg.rules.documents import parse_rules, written
from ksmg.rules.fields import RulesError
from ksmg.rules.lists import Lists
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.soundness import Weight, remarks
from ksmg.rules.store import RuleStore, decoded, digest_of, open_lists, open_rules
from ksmg.stores.system_events import Name

STANDARD_INPUT = "-"


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verbs."""
    group = add_group(verbs, "rules", "Show, change and try the rules that messages are treated by.")
    add_verb(group, "list", "List the rules in their order.", run_list, json=True)
    show = add_verb(group, "show", "Show one rule as JSON.", run_show)
    show.add_argument("name", metavar="NAME")
    export = add_verb(group, "export", "Print all rules as JSON, to edit and to import again.", run_export)
    export.add_argument("--version", metavar="DIGEST", help="an earlier version, as 'rules versions' shows it")
    add_verb(group, "versions", "List the versions that are kept, newest first.", run_versions, json=True)
    importing = add_verb(group, "import", "Put the rules of a file in the place of all rules.", run_import)
    importing.add_argument("file", metavar="FILE", help="a file as 'rules export' prints it; - for standard input")
    _add_edits(group)
    check = add_verb(group, "check", "Find rules that can never match, or mislead.", run_check, json=True)
    check.add_argument(
        "file", metavar="FILE", nargs="?", help="rules that are not in force; without it, those that are"
    )
    check.add_argument("--shadow", metavar="FILE", help="the same as 'rules shadow FILE'")
    check.add_argument("--days", type=positive, default=3, metavar="N", help="with --shadow: of the last N days (3)")
    shadow = add_verb(
        group, "shadow", "Show what other rules would have done with the last days' mail.", run_shadow, True
    )
    shadow.add_argument("file", metavar="FILE", help="the other rules; - for standard input")
    shadow.add_argument("--days", type=positive, default=3, metavar="N", help="mail of the last N days (3)")
    rules_trial.add_parser(group)


def _add_edits(group: Verbs) -> None:
    for name, text, run in (
        ("enable", "Switch a rule on.", run_enable),
        ("disable", "Switch a rule off.", run_disable),
        ("remove", "Delete a rule.", run_remove),
    ):
        add_verb(group, name, text, run).add_argument("name", metavar="NAME")
    move = add_verb(group, "move", "Give a rule another position.", run_move)
    move.add_argument("name", metavar="NAME")
    move.add_argument("position", metavar="POSITION", type=positive, help="counted from 1, as 'rules list' shows it")
    add = add_verb(group, "add", "Add the rule of a file, or replace the one of that name.", run_add)
    add.add_argument("file", metavar="FILE", help="a rule as 'rules show' prints it; - for standard input")
    add.add_argument("--before", metavar="NAME", help="put it before this rule; without it, above Default")
    setting = add_verb(group, "set", "Change fields of a rule.", run_set)
    setting.add_argument("name", metavar="NAME")
    setting.add_argument(
        "fields", metavar="FIELD=VALUE", nargs="+", help="when.sender='[\"*@x.org\"]', modules.antispam.enabled=false"
    )


def run_list(chosen: argparse.Namespace) -> int:
    """Prints the rules."""
    rules = open_rules(store_appliance().policy).load()
    rows = [row_of(number, rule) for number, rule in enumerate(rules.rules, 1)]
    if chosen.json:
        print_json({"digest": rules.digest, "rules": rows})
    else:
        header = ("NO", "NAME", "ON", "CONDITIONS", "MODULES", "COMMENT")
        print_table(header, ([str(row[name.lower()]) for name in header] for row in rows))
    return ExitCode.DONE


def run_show(chosen: argparse.Namespace) -> int:
    """Prints one rule's document."""
    print_json(editing.find(open_rules(store_appliance().policy).document(), chosen.name))
    return ExitCode.DONE


def run_export(chosen: argparse.Namespace) -> int:
    """Prints the document."""
    store = open_rules(store_appliance().policy)
    data = store.data() if chosen.version is None else store.version_data(chosen.version)
    if data is None:
        raise CommandFailure(
            f"There is no version {chosen.version}.", "'ksmg rules versions' lists them.", ExitCode.NOT_FOUND
        )
    sys.stdout.write(data.decode())
    return ExitCode.DONE


def run_versions(chosen: argparse.Namespace) -> int:
    """Prints the versions."""
    store = open_rules(store_appliance().policy)
    active = digest_of(store.data())
    found = store.versions()
    if chosen.json:
        print_json([{"digest": v.digest, "time": v.time, "active": v.digest == active} for v in found])
    else:
        rows = ((local_time(v.time), "active" if v.digest == active else "", v.digest) for v in found)
        print_table(("MADE ACTIVE", "", "DIGEST"), rows)
    return ExitCode.DONE


def run_import(chosen: argparse.Namespace) -> int:
    """Replaces all rules."""
    document = decoded(read_given(chosen.file))
    return _edit(lambda _: document)


def run_enable(chosen: argparse.Namespace) -> int:
    """Switches a rule on."""
    return _edit(lambda document: editing.switched(document, chosen.name, True))


def run_disable(chosen: argparse.Namespace) -> int:
    """Switches a rule off."""
    return _edit(lambda document: editing.switched(document, chosen.name, False))


def run_remove(chosen: argparse.Namespace) -> int:
    """Deletes a rule."""
    return _edit(lambda document: editing.removed(document, chosen.name))


def run_move(chosen: argparse.Namespace) -> int:
    """Moves a rule."""
    return _edit(lambda document: editing.moved(document, chosen.name, chosen.position))


def run_add(chosen: argparse.Namespace) -> int:
    """Adds or replaces a rule."""
    rule = decoded(read_given(chosen.file))
    return _edit(lambda document: editing.added(document, rule, chosen.before))


def run_set(chosen: argparse.Namespace) -> int:
    """Changes fields of a rule."""

    def change(document: dict[str, Any]) -> dict[str, Any]:
        name = chosen.name
        for given in chosen.fields:
            field, equals, value = given.partition("=")
            if not (field and equals):
                raise CommandFailure(f"{given} is not FIELD=VALUE.", code=ExitCode.USAGE)
            document = editing.put_field(document, name, field, _value(value))
            name = value if field == "name" else name
        return document

    return _edit(change)


def run_check(chosen: argparse.Namespace) -> int:
    """Prints what there is to say about the rules. Exit code 5 when one of them does not do what it is there for."""
    if chosen.shadow is not None:
        chosen.file = chosen.shadow
        return run_shadow(chosen)
    given = None if chosen.file is None else read_given(chosen.file)
    here = store_appliance()
    lists = open_lists(here.policy)
    rules = open_rules(here.policy).load() if given is None else _parsed(given, lists)
    found = list(remarks(rules, lists))
    print_remarks(rules, found, chosen.json)
    return ExitCode.UNHEALTHY if any(remark.weight is Weight.FAULT for remark in found) else ExitCode.DONE


def run_shadow(chosen: argparse.Namespace) -> int:
    """Prints what would have differed."""
    given = read_given(chosen.file)
    here = store_appliance()
    print_comparison(here, _parsed(given, open_lists(here.policy)), chosen.days, chosen.json)
    return ExitCode.DONE


def read_given(name: str) -> bytes:
    """A file that the caller names, read before root becomes another account. Raises CommandFailure."""
    try:
        return sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise CommandFailure(f"{name} cannot be read: {error.strerror}.", code=ExitCode.NOT_FOUND) from None


def _parsed(data: bytes, lists: Lists) -> RuleSet:
    return parse_rules(decoded(data), digest_of(data), lists=lists)


def _value(text: str) -> Any:
    """JSON where it is, else the text itself; nothing at all removes the field."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _edit(change: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Changes the rules and records what changed; says what `check` would say of it."""
    here = store_appliance()
    store = open_rules(here.policy)
    before = store.document()
    rules = store.edit(change)
    _record(here, store, before)
    print(f"The rules are changed; this version is {rules.digest[:12]}.")
    for remark in remarks(rules):
        if remark.weight is Weight.FAULT:
            print(f"Warning: the rule '{remark.rule}' {remark.text}.", file=sys.stderr)
    return ExitCode.DONE


def _record(here: Appliance, store: RuleStore, before: dict[str, Any]) -> None:
    after = store.document()
    digests = {"before": digest_of(written(before)), "after": digest_of(written(after))}
    try:
        fields = editing.changes(before, after)
    except (KeyError, TypeError, AttributeError):  # the rules before were so wrong that nothing can be compared
        raise RulesError("The rules before could not be compared with these; they are in force now.") from None
    record_change(here, Name.RULES_CHANGED, {**digests, "changes": fields})
