"""`ksmg replay`: runs a message again from its record, and says what differs."""

import argparse
import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ksmg.cli.appliance import Appliance, store_appliance
from ksmg.cli.explain import find_record
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import print_json
from ksmg.cli.verb import Verbs, add_verb
from ksmg.filter.trial import try_message
from ksmg.mail.envelope import Client, Envelope
from ksmg.rules.modules import installed
from ksmg.rules.replay import facts_of, verdicts_of
from ksmg.rules.rule_set import RuleSet
from ksmg.rules.shadow import Comparison, Outcome, compare
from ksmg.rules.store import open_rules
from ksmg.stores.flight_record import FlightRecord
from ksmg.stores.locations import open_backup, open_spam_quarantine, spool_directory


@dataclass
class Replayed:
    """What came of it."""

    rules: str
    """Digest of the rule set that was used."""
    differences: list[str] = field(default_factory=list)
    engines: str = "not asked: the message itself is not kept"


def add_parser(verbs: Verbs) -> None:
    """Adds the verb."""
    text = "Run a message again from its record, and report every difference. Nothing is delivered or kept."
    parser = add_verb(verbs, "replay", text, run, json=True)
    parser.add_argument("id", metavar="ID", help="the message's id, its queue id, or an event's id")
    parser.add_argument("--active", action="store_true", help="under the rules in force now, not those of then")
    parser.add_argument("--message", type=Path, metavar="FILE", help="the message, when it is in no store")


def run(chosen: argparse.Namespace) -> int:
    """Prints the differences. Exit code 6 when there are some."""
    here = store_appliance()
    record = find_record(here, chosen.id)
    rules = _rules(here, record, chosen.active)
    found = Replayed(rules.digest, list(_decided_again(record, rules)))
    with _content(here, record, chosen.message) as content:
        if content is not None:
            found.engines = "asked again"
            found.differences += asyncio.run(_engines_again(here, record, rules, content))
    if chosen.json:
        print_json({"message": record.message, "same": not found.differences, **vars(found)})
    else:
        _print(record, found)
    return ExitCode.DIFFERENT if found.differences else ExitCode.DONE


def _rules(here: Appliance, record: FlightRecord, active: bool) -> RuleSet:
    store = open_rules(here.policy)
    rules = store.load() if active else store.version(record.document["rules"])
    if rules is None:
        raise CommandFailure(
            "The rules that were in force then are not kept any more.", "Use --active for the ones in force now."
        )
    return rules


def _decided_again(record: FlightRecord, rules: RuleSet) -> Iterator[str]:
    """What the rules decide otherwise about the verdicts of then."""
    total = Comparison()
    for difference in compare([record], rules, installed(), total):
        who = ", ".join(difference.recipients)
        yield f"rules, for {who}: {_outcome(difference.before)} then, {_outcome(difference.after)} now"
        for module in difference.unknown:
            yield f"rules, for {who}: the module {module} was not asked then"
    if total.unreadable:
        raise CommandFailure("The record is damaged or of another format.")


async def _engines_again(here: Appliance, record: FlightRecord, rules: RuleSet, content: BinaryIO) -> list[str]:
    """What the modules find otherwise now."""
    case = await try_message(here.settings, rules, _envelope(record), content, spool_directory(here.policy))
    then = {one.verdict.check: one.verdict for one in verdicts_of(record.document)}
    now = {name: verdict for (name, _), verdict in case.verdicts.items()}
    found = []
    for name in dict.fromkeys(itertools.chain(then, now)):
        before, after = then.get(name), now.get(name)
        if before is None or after is None:
            found.append(f"{name}: asked only {'now' if before is None else 'then'}")
            continue
        if [f.status for f in before.findings] != [f.status for f in after.findings]:
            found.append(f"{name}: {_findings(before)} then, {_findings(after)} now")
        if before.engine != after.engine:
            found.append(f"{name}: engine {before.engine or 'unknown'} then, {after.engine or 'unknown'} now")
    return found


def _findings(verdict: Any) -> str:
    return ", ".join(" ".join(filter(None, (f.status.value, f.detail))) for f in verdict.findings) or "clean"


def _envelope(record: FlightRecord) -> Envelope:
    facts, message = facts_of(record.document), record.document["message"]
    client = Client(facts.client_ip or None, message["client_name"].encode(), message["helo"].encode())
    recipients = [recipient.encode() for recipient in facts.recipients]
    return Envelope(client, facts.sender.encode(), (), recipients, message["queue_id"], facts.account)


@contextlib.contextmanager
def _content(here: Appliance, record: FlightRecord, file: Path | None) -> Iterator[BinaryIO | None]:
    """The message: from the file that was given, from Backup, from the quarantine; None when it is nowhere."""
    if file is not None:
        with file.open("rb") as given:
            yield given
        return
    stores = {"backup_id": open_backup(here.policy), "quarantine_id": open_spam_quarantine(here.policy, here.settings)}
    for group in record.document["groups"]:
        for name, store in stores.items():
            entry = store.entry(group.get("done", {}).get(name, ""))
            if entry is not None:
                with store.read(entry) as kept:
                    yield kept
                return
    yield None


def _outcome(outcome: Outcome) -> str:
    return f"{outcome.rule}: {', '.join([outcome.action, *outcome.effects])}"


def _print(record: FlightRecord, found: Replayed) -> None:
    print(f"Message {record.message}, rules {found.rules[:12]}, engines {found.engines}.")
    print(*(found.differences or ["No difference."]), sep="\n")
