"""`ksmg policy`: the data policy that this appliance was built with."""

import argparse

from ksmg.cli.output import print_json, print_table, size
from ksmg.cli.verb import Verbs, add_group, add_verb
from ksmg.policy import Location, Retention, Row, load_policy


def add_parser(verbs: Verbs) -> None:
    """Adds the verb with its verb."""
    group = add_group(verbs, "policy", "Show which data is kept, where, for how long, and who can reach it.")
    add_verb(group, "show", "Print each location of the data policy.", run, json=True)


def run(chosen: argparse.Namespace) -> int:
    """Prints the locations."""
    rows = [_facts(row, location) for row, location in load_policy().locations()]
    if chosen.json:
        print_json(rows)
    else:
        print_table(
            ("ROW", "PLACE", "KEPT", "AT REST"), ((r["row"], r["place"], r["kept"], r["at_rest"]) for r in rows)
        )
    return 0


def _facts(row: Row, location: Location) -> dict[str, str]:
    rights = (f"{account} ({', '.join(rights)})" for account, rights in location.at_rest.items())
    return {
        "row": row.id,
        "place": str(location.place),
        "kept": _kept(location.retention),
        "at_rest": ", ".join(("root", *rights)),
    }


def _kept(retention: Retention) -> str:
    caps = []
    if retention.days:
        caps.append(f"{retention.days} days")
    if retention.weeks:
        caps.append(f"{retention.weeks} weeks")
    if retention.records:
        caps.append(f"{retention.records:,} records")
    if retention.bytes:
        caps.append(size(retention.bytes) + (f" per {retention.per}" if retention.per else ""))
    return " and ".join(caps) or {"none": "no limit"}.get(retention.limit, f"until {retention.limit}")
