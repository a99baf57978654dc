"""The data-protection statement in its own words (statement.md), compared with what a data policy says.

The tables were checked row by row against the published statement, and nothing makes them: a change of the policy alone
fails.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

STATEMENT = Path(__file__).with_name("statement.md")
Table = list[tuple[str, ...]]
_SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def tables(text: str) -> dict[str, Table]:
    """The tables of a Markdown page, by the heading above each, without their header lines."""
    found: dict[str, Table] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
        elif line.startswith("|"):
            found.setdefault(heading, []).append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return {name: rows[2:] for name, rows in found.items()}


def told(document: Mapping[str, Any]) -> dict[str, Table]:
    """What a policy's document says, in the words of the statement."""
    policy = document["data_policy"]
    return {
        "Accounts": [_account(name, facts) for name, facts in policy["accounts"].items()],
        "Shared directories": [_container(facts) for facts in policy["containers"]],
        "Data classes": [_row(facts) for facts in policy["rows"]],
        "Places": [_place(row, facts) for row in policy["rows"] for facts in row["locations"]],
        "Sent out": [_outgoing(facts) for facts in policy["outgoing"]],
        "Services": [_unit(name, facts) for name, facts in policy["units"].items()],
    }


def contradictions(document: Mapping[str, Any], text: str) -> list[str]:
    """One line for each row of a table that the policy does not tell, or tells and the statement does not."""
    wanted = tables(text)
    found = told(document)
    missing = [f"{name}: {' | '.join(row)}" for name, rows in wanted.items() for row in rows if row not in found[name]]
    extra = [f"{name}: {' | '.join(row)}" for name, rows in found.items() for row in rows if row not in wanted[name]]
    twice = [f"{name}: a row is there twice" for name, rows in found.items() if len(rows) != len(set(rows))]
    return [
        *(f"not in the policy: {line}" for line in missing),
        *(f"not in the statement: {line}" for line in extra),
        *twice,
    ]


def _account(name: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    return (name, facts["kind"], *(str(facts.get(key, "-")) for key in ("uid", "group", "home", "shell")))


def _container(facts: Mapping[str, Any]) -> tuple[str, ...]:
    return facts["path"], _owned(facts), _names(facts["traverse"])


def _row(facts: Mapping[str, Any]) -> tuple[str, ...]:
    permission = facts["permission"] or "nobody"
    hidden = facts.get("permission_excludes")
    seen = f"{permission}, without {_names(hidden)}" if hidden else permission
    return facts["id"], _names(facts["in_process"]), _names(facts["in_transit"]), seen, _names(facts.get("also_in", ()))


def _place(row: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[str, ...]:
    place = f"{facts['path']}/{facts['at']}" if "at" in facts else facts["path"]
    rights = [f"{account} {' '.join(may)}" for account, may in facts["at_rest"].items()]
    rights += [f"{account} passes to {facts['canary']}" for account in facts.get("traverse", ()) if "canary" in facts]
    kept = _kept(facts["retention"])
    alone = _names(facts.get("purpose", ()))
    return row["id"], place, facts["type"], _owned(facts), _names(rights), kept, facts.get("permission", "-"), alone


def _owned(facts: Mapping[str, Any]) -> str:
    return f"{facts['owner']}:{facts['group']} {facts['mode']}"


def _kept(retention: Mapping[str, Any]) -> str:
    """How long, or how much, with everything that the policy says about it."""
    limits = {
        "none": "no limit",
        "restart": "until the application restarts",
        "setting": "until the setting is removed",
        "integration": "until the integration is switched off",
        "delivered": "until delivered",
        "settable": "set by users",
        "fixed": "fixed",
    }
    said = [limits[retention["limit"]]]
    said += [f"{retention['days']} days"] if "days" in retention else []
    said += [_size(retention["bytes"])] if "bytes" in retention else []
    said += [f"{retention['records']:,} records".replace(",", " ")] if "records" in retention else []
    said += [f"at most {retention['weeks']} weeks"] if "weeks" in retention else []
    said += [f"rotated {retention['rotate']}"] if "rotate" in retention else []
    said += [f"per {retention['per']}"] if "per" in retention else []
    said += [f"{retention['evict']} first"] if "evict" in retention else []
    return ", ".join(said)


def _size(number: int) -> str:
    """Decimal multiples, as the statement prints them."""
    for factor, unit in _SIZES:
        if number % factor == 0:
            return f"{number // factor} {unit}"
    return f"{number} B"


def _outgoing(facts: Mapping[str, Any]) -> tuple[str, ...]:
    kept = f"{facts['cache_records']} records" if "cache_records" in facts else facts.get("kept", "-")
    return facts["id"], kept, facts.get("evict", "-"), _names(facts["rule"])


def _unit(name: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    return name, facts["account"], _names(facts["write"]), _names(facts["read"])


def _names(found: Iterable[str]) -> str:
    return ", ".join(found) or "-"
