"""`ksmg explain`: what each module saw in one message, which rules were tried, and what was done."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import local_time, print_json, print_table, size
from ksmg.cli.verb import Verbs, add_verb
from ksmg.rules.rule_set import Why
from ksmg.rules.store import open_rules
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.locations import open_message_events

_WHY = {
    Why.OFF: "switched off",
    Why.SENDER: "the sender does not match",
    Why.CLIENT: "the client's address does not match",
    Why.ACCOUNT: "the condition on signing in does not hold",
    Why.DIRECTION: "the direction does not match",
    Why.RECIPIENT: "the recipient does not match",
    Why.LISTS: "not on the list",
    Why.MATCH: "MATCHES",
}


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = add_verb(verbs, "explain", "Explain what was done with a message, and why.", run, json=True)
    parser.add_argument("id", metavar="ID", help="the message's id, its queue id, or an event's id")


def run(chosen: argparse.Namespace) -> int:
    """Prints the flight record."""
    here = store_appliance()
    record = find_record(here, chosen.id)
    names = rule_names(here, record.document)
    if chosen.json:
        print_json({"message": record.message, "time": record.time, **record.document, "rule_names": names})
        return ExitCode.DONE
    _print_message(record)
    _print_modules(record.document["verdicts"])
    _print_groups(record.document, names)
    return ExitCode.DONE


def find_record(here: Appliance, name: str) -> FlightRecord:
    """The record of that id. Raises CommandFailure when there is none."""
    record = open_message_events(here.policy, here.settings).record(name)
    if record is None:
        raise CommandFailure(
            f"There is no record of a message {name}.",
            "'ksmg events' shows the messages there are; records are kept as long as events.",
            ExitCode.NOT_FOUND,
        )
    return record


def rule_names(here: Appliance, document: Mapping[str, Any]) -> list[str]:
    """The names of the rules in force then, in order; none when that version is not kept any more."""
    rules = open_rules(here.policy).version(document["rules"])
    return [rule.name for rule in rules.rules] if rules else []


def _print_message(record: FlightRecord) -> None:
    facts, message = record.document["facts"], record.document["message"]
    client = " ".join(filter(None, (facts["client_ip"], message["client_name"], f"(helo {message['helo']})")))
    rows = {
        "message": f"{record.message}, queue id {message['queue_id']}, node {message['node']}",
        "time": local_time(record.time),
        "took": f"{message['milliseconds']} ms, {message['own_milliseconds']} ms without modules",
        "client": f"{client}{', signed in as ' + facts['account'] if facts['account'] else ''}",
        "from": facts["sender"] or "<>",
        "to": ", ".join(facts["recipients"]),
        "message id": message["message_id"],
        "subject": message["subject"],
        "size": size(message["size"]),
        "attachments": ", ".join(message["attachments"]),
        "not scanned": message["unscanned"],
        "answer": message["reply"] or {"accept": "250, delivered", "discard": "250, not delivered"}.get(
            record.document["answer"], record.document["answer"]
        ),
    }  # fmt: skip
    for name, value in rows.items():
        if value:
            print(f"{name + ':':<13}{value}")


def _print_modules(verdicts: Sequence[Mapping[str, Any]]) -> None:
    print()
    if not verdicts:
        print("No module was asked.")
        return
    print_table(("MODULE", "FOUND", "TIME", "ENGINE", "EVIDENCE"), map(_module_row, verdicts))


def _module_row(verdict: Mapping[str, Any]) -> Sequence[str]:
    found = [" ".join(filter(None, (f["status"], f.get("detail", "")))) for f in verdict.get("findings", ())]
    if "reason" in verdict:
        found.append(f"({verdict['reason']})")
    score = [f"score {verdict['score']:g}"] if "score" in verdict else []
    return (
        verdict["check"] + (f" {verdict['options']}" if "options" in verdict else ""),
        "; ".join(found) or "clean",
        f"{verdict.get('milliseconds', 0):.1f} ms",
        verdict.get("engine", "-"),
        ", ".join([*score, *verdict.get("evidence", ())]) or "-",
    )


def _print_groups(document: Mapping[str, Any], names: Sequence[str]) -> None:
    recipients = document["facts"]["recipients"]
    for group in document["groups"]:
        print(f"\nFor {', '.join(recipients[number] for number in group['recipients'])}:")
        for line in _tried(group["trace"], names):
            print(f"  {line}")
        done = group.get("done", {})
        places = [f"{name.removesuffix('_id')} {done[name]}" for name in ("backup_id", "quarantine_id") if name in done]
        print(f"  decided: {', '.join([group['action'], *group['effects']])}")
        print(f"  done:    {', '.join([done.get('action', '-'), *done.get('marks', ()), *places])}")
    if document.get("exhausted"):
        print("\nNo more messages could pass unscanned in that hour.")


def _tried(trace: str, names: Sequence[str]) -> Iterator[str]:
    for number, letter in enumerate(trace):
        name = names[number] if number < len(names) else f"rule {number + 1}"
        yield f"{name:<20} {_WHY[Why(letter)]}"
