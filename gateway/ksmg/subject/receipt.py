"""The receipt of an erasure: what went, what stays and why, without the address.

It has a salted digest of the address and the salt, so that who knows the address can prove that it is the one. It is
handed out, and the appliance keeps no copy.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ksmg.policy import DataPolicy
from ksmg.stores.erasure import Discarded
from ksmg.subject.finding import Outcome
from ksmg.subject.person import Person
from ksmg.subject.places import NOT_SEARCHED

_SALT = 16


@dataclass(frozen=True)
class Facts:
    """What a receipt says beside the outcomes."""

    appliance: str
    by: str
    began: float
    ended: float
    found: Mapping[str, int]
    """By place, before."""
    left: Mapping[str, int]
    """By place, by another search afterwards."""
    discarded: Mapping[str, Discarded]
    """By directory of each file system."""


def receipt(policy: DataPolicy, person: Person, outcomes: Sequence[Outcome], facts: Facts) -> dict[str, Any]:
    """The receipt as JSON can hold it."""
    salt = os.urandom(_SALT)
    titles = {row.id: row.title for row in policy.rows}
    return {
        "document": "receipt of the erasure of personal data",
        "appliance": facts.appliance,
        "by": facts.by,
        "began": stamp(facts.began),
        "ended": stamp(facts.ended),
        "subject": {"salt": salt.hex(), "sha256": digest(salt, person.address), "names": len(person.names)},
        "rows": [_row(outcome, titles, facts) for outcome in outcomes],
        "not_searched": NOT_SEARCHED,
        "free_space": [
            {
                "directory": name,
                "discarded_bytes": found.bytes,
                "held_bytes": found.held,
                "not_discarded": found.reason,
            }
            for name, found in facts.discarded.items()
        ],
    }


def _row(outcome: Outcome, titles: Mapping[str, str], facts: Facts) -> dict[str, Any]:
    return {
        "title": titles.get(outcome.row, "System log"),
        **outcome.document,
        "found": facts.found.get(outcome.place, 0),
        "found_afterwards": facts.left.get(outcome.place, 0),
    }


def digest(salt: bytes, address: str) -> str:
    """What a receipt has in the place of an address: SHA-256 of the salt and the address in lower case."""
    return hashlib.sha256(salt + address.encode("utf-8", "replace")).hexdigest()


def encoded(document: Mapping[str, Any]) -> bytes:
    """A receipt as it is signed."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def readable_receipt(document: Mapping[str, Any]) -> str:
    """A receipt for people."""
    subject = document["subject"]
    head = [
        "RECEIPT OF THE ERASURE OF PERSONAL DATA",
        "",
        f"Appliance   {document['appliance']}",
        f"Done by     {document['by']}",
        f"Time        {document['began']} to {document['ended']}",
        f"Person      SHA-256 {subject['sha256']}",
        f"            of the salt {subject['salt']} (16 bytes, hexadecimal) and the address in lower case",
        "",
    ]
    shown = [row for row in document["rows"] if row["found"] or row["erased"] or row["pseudonymised"] or row["kept"]]
    lines = [line for row in shown for line in _lines(row)] or ["Nothing was found."]
    tail = [
        "",
        "Not searched:",
        *(f"  - {one}" for one in document["not_searched"]),
        "",
        "Free space of the disks:",
        *map(_space, document["free_space"]),
        "",
        "The signature of the JSON form is checked with the certificate of the site's authority:",
        "  openssl cms -verify -binary -inform PEM -in NAME.json.p7s -content NAME.json -CAfile ca.crt",
    ]
    return "\n".join([*head, *lines, *tail]) + "\n"


def _lines(row: Mapping[str, Any]) -> Iterable[str]:
    yield f"{row['title']} ({row['place']})"
    numbers = ("found", "erased", "pseudonymised", "kept", "found_afterwards")
    yield "  " + ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in numbers)
    yield from (f"  {ground}" for ground in row["grounds"])


def _space(one: Mapping[str, Any]) -> str:
    held = f", {one['held_bytes']} kept ready by the file system" if one["held_bytes"] else ""
    done = one["not_discarded"] or f"{one['discarded_bytes']} bytes given back to the device{held}"
    return f"  {one['directory']}: {done}"


def stamp(moment: float) -> str:
    """A moment as ISO 8601 has it, in the appliance's time zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment))
