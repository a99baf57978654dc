"""`ksmg rules try`: what would happen to a message. Nothing is delivered, kept or recorded."""

import argparse
import asyncio
import io
from pathlib import Path
from typing import Any

from ksmg.checks.verdict import Status, Verdict
from ksmg.cli.appliance import store_appliance
from ksmg.cli.failure import CommandFailure, ExitCode
from ksmg.cli.output import print_json, print_table
from ksmg.cli.verb import Verbs, add_verb
from ksmg.filter.case import Case
from ksmg.filter.trial import try_message
from ksmg.mail.envelope import Client, Envelope
from ksmg.rules.replay import effects_of
from ksmg.rules.rule_set import Group, RuleSet, Why
from ksmg.rules.store import open_rules
from ksmg.stores.locations import spool_directory

_WORDS = {
    Why.OFF: "is switched off",
    Why.SENDER: "does not match: sender",
    Why.CLIENT: "does not match: client's IP address",
    Why.ACCOUNT: "does not match: signed in or not",
    Why.DIRECTION: "does not match: direction",
    Why.RECIPIENT: "does not match: recipient",
    Why.LISTS: "does not match: not listed",
    Why.MATCH: "matches",
}


def add_parser(group: Verbs) -> None:
    """Adds the verb."""
    parser = add_verb(
        group, "try", "Show what would happen to a message; nothing is delivered or kept.", run, json=True
    )
    parser.add_argument("file", metavar="FILE", help="the message (RFC 5322)")
    parser.add_argument(
        "--from", dest="sender", required=True, metavar="ADDRESS", help="envelope sender; '' for a bounce"
    )
    parser.add_argument(
        "--to", dest="recipients", required=True, action="append", metavar="ADDRESS", help="a recipient"
    )
    parser.add_argument("--ip", required=True, metavar="IP", help="the client's IP address")
    parser.add_argument("--helo", default="", metavar="NAME", help="what the client calls itself")
    parser.add_argument("--account", default="", metavar="NAME", help="the account that the client signed in with")


def run(chosen: argparse.Namespace) -> int:
    """Tries the message and prints, for each recipient, rule, reason, verdicts and decision."""
    try:
        raw = Path(chosen.file).read_bytes()
    except OSError as error:
        raise CommandFailure(f"{chosen.file} cannot be read: {error.strerror}.", code=ExitCode.NOT_FOUND) from None
    envelope = Envelope(
        client=Client(chosen.ip, b"", chosen.helo.encode()),
        sender=chosen.sender.encode("utf-8", "surrogateescape"),
        recipients=[one.encode("utf-8", "surrogateescape") for one in chosen.recipients],
        account=chosen.account,
    )
    here = store_appliance()
    rules = open_rules(here.policy).load()
    place = spool_directory(here.policy)
    found = asyncio.run(try_message(here.settings, rules, envelope, io.BytesIO(raw), place))
    if chosen.json:
        print_json(_values(found, rules))
    else:
        _print(found, rules)
    return ExitCode.DONE


def _values(found: Case, rules: RuleSet) -> dict[str, Any]:
    return {
        "rules": rules.digest,
        "answer": found.plan.answer.value,
        "verdicts": [_verdict_values(verdict) for verdict in found.verdicts.values()],
        "groups": [
            {
                "rule": group.rule.name,
                "recipients": [found.message.facts.recipients[number] for number in group.recipients],
                "tried": _tried(rules, group),
                "action": share.decision.action.value,
                "effects": [*effects_of(share.decision), *share.marks],
                "because": [f"{cause.check}: {cause.finding.status.value}" for cause in share.decision.causes],
            }
            for group, share in zip(found.groups, found.plan.shares, strict=True)
        ],
    }


def _verdict_values(verdict: Verdict) -> dict[str, Any]:
    findings = [f"{finding.status.value} {finding.detail}".strip() for finding in verdict.findings]
    return {
        "module": verdict.check,
        "found": findings or [Status.CLEAN.value],
        "evidence": verdict.evidence,
        "engine": verdict.engine,
        "milliseconds": round(verdict.seconds * 1000, 1),
    }


def _tried(rules: RuleSet, group: Group) -> list[dict[str, str]]:
    return [
        {"rule": rule.name, "why": _WORDS[Why(letter)]} for rule, letter in zip(rules.rules, group.trace, strict=False)
    ]


def _print(found: Case, rules: RuleSet) -> None:
    rows = [_verdict_values(verdict) for verdict in found.verdicts.values()]
    print_table(
        ("MODULE", "FOUND", "TIME", "EVIDENCE"),
        (
            (row["module"], "; ".join(row["found"]), f"{row['milliseconds']} ms", ", ".join(row["evidence"]))
            for row in rows
        ),
    )
    print(f"\nThe mail server would hear: {found.plan.answer.value}")
    for group in _values(found, rules)["groups"]:
        print(f"\nTo {', '.join(group['recipients'])}")
        for step in group["tried"]:
            print(f"  {step['rule']} {step['why']}")
        effects = f", {', '.join(group['effects'])}" if group["effects"] else ""
        because = f" (because of {', '.join(group['because'])})" if group["because"] else ""
        print(f"  => {group['action']}{effects}{because}")
