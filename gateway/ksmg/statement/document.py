"""The statement for machines: JSON, described by the schema `schema.json` beside this file.

Names and numbers are the same in every language; what is for people is in the language that was asked for.
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ksmg.policy import Row
from ksmg.retention.measure import Holding
from ksmg.statement import wording
from ksmg.statement.facts import Place, Proof, Sent, StatedRow, Statement
from ksmg.statement.language import Language
from ksmg.statement.page import permission, sending
from ksmg.statement.remarks import CHANNELS, LICENCE, LIMITS

FORM = 1
"""Grows when what a reader may rely on changes."""


def document(statement: Statement, language: Language) -> bytes:
    """The statement as a JSON file."""
    return (json.dumps(values(statement, language), indent=2, ensure_ascii=False) + "\n").encode()


def values(statement: Statement, language: Language) -> dict[str, Any]:
    """The same as plain values."""
    say = language.say
    return {
        "form": FORM,
        "language": language.code,
        "title": say("Data protection statement"),
        "appliance": asdict(statement.identity),
        "time": statement.time.isoformat(timespec="seconds"),
        "time_zone": statement.zone,
        "accounts": [
            {"name": account.name, "kind": account.kind, "purpose": say(account.purpose)}
            for account in statement.accounts
        ],
        "access_proven": _proof(statement.proof),
        "rows": [_row(statement, stated, language) for stated in statement.rows],
        "outgoing": [_sent(sent, language) for sent in statement.outgoing],
        "channels": [say(text) for text in CHANNELS],
        "dumps": "on" if statement.dumps_on else "off",
        "licence": say(LICENCE),
        "known_limits": [say(text) for text in LIMITS],
    }


def _proof(proof: Proof | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {
        "time": proof.time.isoformat(timespec="seconds"),
        "accounts": proof.accounts,
        "services": proof.units,
        "seconds": proof.seconds,
        "differences": proof.differences,
    }


def _row(statement: Statement, stated: StatedRow, language: Language) -> dict[str, Any]:
    row = stated.row
    return {
        "id": row.id,
        "title": language.say(row.title),
        "holds": [language.say(what) for what in row.holds],
        "also_in": [str(place) for place in row.also_in],
        "in_process": list(row.in_process),
        "in_transit": list(row.in_transit),
        "web": _web(row, stated, language),
        "differences": statement.differences(row.id),
        "places": [_place(statement, place, language) for place in stated.places],
    }


def _web(row: Row, stated: StatedRow, language: Language) -> dict[str, Any]:
    return {
        "permission": row.permission,
        "text": permission(language, stated),
        "excludes": [language.say(what) for what in row.permission_excludes],
    }


def _place(statement: Statement, place: Place, language: Language) -> dict[str, Any]:
    location = place.location
    return {
        "location": str(location.path),
        "place": str(location.place),
        "type": location.type,
        "owner": location.owner,
        "group": location.group,
        "mode": wording.mode(location),
        "at_rest": {
            "root": ["list", "read", "write"],
            **{who: list(rights) for who, rights in location.at_rest.items()},
        },
        "purposes": list(location.purpose),
        "permission": location.permission,
        "retention": {
            **{key: value for key, value in asdict(location.retention).items() if value is not None},
            "text": wording.retention(language, location.retention),
        },
        "kept": [_holding(statement, holding) for holding in place.holdings],
    }


def _holding(statement: Statement, held: Holding) -> dict[str, Any]:
    oldest: datetime | None = None if held.oldest is None else statement.moment(held.oldest)
    return {
        "stream": held.stream,
        "bytes": held.bytes,
        "records": held.records,
        "oldest": None if oldest is None else oldest.isoformat(timespec="seconds"),
        "cap": asdict(held.cap),
        "effective_cap": asdict(held.effective),
    }


def _sent(sent: Sent, language: Language) -> dict[str, Any]:
    return {
        "id": sent.outgoing.id,
        "title": language.say(wording.OUTGOING[sent.outgoing.id]),
        "sends": [language.say(what) for what in sent.outgoing.sends],
        "rules": list(sent.outgoing.rule),
        "unit": sent.unit,
        "active": sent.active,
        "text": sending(language, sent),
    }
