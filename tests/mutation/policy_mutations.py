"""Mutations of the data policy: one promise is changed, in each way that the form of the document has room for."""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SEED = 20261124
COUNT = 200
RIGHTS = ("list", "read", "write")
Document = dict[str, Any]
Change = Callable[[Document], None]


@dataclass(frozen=True)
class Mutation:
    """What is changed, in words, and how."""

    name: str
    change: Change

    def of(self, document: Document) -> Document:
        """The changed document; the given one stays as it is."""
        changed = copy.deepcopy(document)
        self.change(changed["data_policy"])
        return changed


def mutations(document: Document, count: int = COUNT) -> list[Mutation]:
    """The same ones each time: a sample of everything that can be changed."""
    chance = random.Random(SEED)
    every = [mutation for mutation in _every(document["data_policy"], chance) if mutation.of(document) != document]
    return chance.sample(every, min(count, len(every)))


def _every(policy: Document, chance: random.Random) -> Iterator[Mutation]:
    accounts = list(policy["accounts"])
    yield from _accounts(policy, chance)
    for number, container in enumerate(policy["containers"]):
        where = ("containers", number)
        yield from _owned(where, container["path"], container, accounts, chance)
        yield _value((*where, "path"), f"{container['path']}: path", f"{container['path']}-other")
        yield from _list((*where, "traverse"), f"{container['path']}: who passes", container["traverse"], accounts)
    for number, row in enumerate(policy["rows"]):
        yield from _row(("rows", number), row, accounts, chance)
    for number, outgoing in enumerate(policy["outgoing"]):
        yield from _outgoing(("outgoing", number), outgoing)
    for name, unit in policy["units"].items():
        yield from _unit(("units", name), name, unit, policy, chance)


def _accounts(policy: Document, chance: random.Random) -> Iterator[Mutation]:
    for name, facts in policy["accounts"].items():
        where = ("accounts", name)
        if "uid" in facts:
            yield _value((*where, "uid"), f"{name}: uid", facts["uid"] + chance.randint(1, 9))
        if "group" in facts:
            yield _value((*where, "group"), f"{name}: group", "www-data")
        if "shell" in facts:
            yield _value((*where, "shell"), f"{name}: shell", "/bin/bash")
        if "home" in facts:
            yield _value((*where, "home"), f"{name}: home", "/home/somebody")


def _row(where: tuple[Any, ...], row: Document, accounts: list[str], chance: random.Random) -> Iterator[Mutation]:
    name = row["id"]
    for key in ("in_process", "in_transit"):
        yield from _list((*where, key), f"{name}: {key}", row[key], accounts)
    yield _value(
        (*where, "permission"), f"{name}: permission", "view_everything" if row["permission"] else "view_backup"
    )
    yield _value((*where, "permission"), f"{name}: no permission", None)
    for key in ("permission_excludes", "also_in"):
        if key in row:
            yield from _list((*where, key), f"{name}: {key}", row[key], ["/var/log/other"])
    if row["locations"]:
        yield Mutation(f"{name}: a place is gone", lambda policy: _at(policy, where)["locations"].pop())
    for number, location in enumerate(row["locations"]):
        yield from _location((*where, "locations", number), name, location, accounts, chance)


def _location(
    where: tuple[Any, ...], row: str, location: Document, accounts: list[str], chance: random.Random
) -> Iterator[Mutation]:
    name = f"{row} at {location.get('at', location['path'])}"
    yield from _owned(where, name, location, accounts, chance)
    yield from _rights((*where, "at_rest"), name, location["at_rest"], accounts, chance)
    yield from _retention((*where, "retention"), name, location["retention"], chance)
    for key in ("path", "at", "canary"):
        if key in location:
            yield _value((*where, key), f"{name}: {key}", f"{location[key]}-other")
    kinds = [kind for kind in ("directory", "file", "log") if kind != location["type"]]
    yield _value((*where, "type"), f"{name}: type", chance.choice(kinds))
    if "permission" in location:
        yield _value((*where, "permission"), f"{name}: permission", "view_backup")
    for key in ("traverse", "purpose"):
        if key in location:
            yield from _list((*where, key), f"{name}: {key}", location[key], ["opendkim"])


def _owned(
    where: tuple[Any, ...], name: str, facts: Document, accounts: list[str], chance: random.Random
) -> Iterator[Mutation]:
    yield _value((*where, "owner"), f"{name}: owner", chance.choice([one for one in accounts if one != facts["owner"]]))
    yield _value((*where, "group"), f"{name}: group", chance.choice([one for one in accounts if one != facts["group"]]))
    for bit in chance.sample(range(9), 3):
        yield _value((*where, "mode"), f"{name}: bit {bit} of the mode", f"{int(facts['mode'], 8) ^ 1 << bit:04o}")


def _rights(
    where: tuple[Any, ...], name: str, at_rest: Document, accounts: list[str], chance: random.Random
) -> Iterator[Mutation]:
    for account in at_rest:
        yield _gone(where, f"{name}: {account} has no rights", account)
        for right in RIGHTS:
            other = [one for one in RIGHTS if (one in at_rest[account]) != (one == right)]
            yield _value((*where, account), f"{name}: {right} of {account}", other)
    stranger = chance.choice([one for one in accounts if one not in at_rest and one != "root"])
    yield _value((*where, stranger), f"{name}: {stranger} has rights", ["read"])


def _retention(where: tuple[Any, ...], name: str, retention: Document, chance: random.Random) -> Iterator[Mutation]:
    for key, value in retention.items():
        if isinstance(value, int):
            yield _value((*where, key), f"{name}: {key}", value * chance.choice((2, 10, 100)))
            yield _gone(where, f"{name}: no {key}", key)
    yield _value((*where, "limit"), f"{name}: limit", "restart" if retention["limit"] != "restart" else "none")
    if "per" in retention:
        yield _gone(where, f"{name}: not per stream", "per")


def _outgoing(where: tuple[Any, ...], outgoing: Document) -> Iterator[Mutation]:
    if "cache_records" in outgoing:
        yield _value((*where, "cache_records"), "cached answers", outgoing["cache_records"] + 1)
        yield _value((*where, "evict"), "which answers go first", "oldest")
    for number, rule in enumerate(outgoing["rule"]):
        rest = [one for place, one in enumerate(outgoing["rule"]) if place != number]
        yield _value((*where, "rule"), f"{outgoing['id']}: without {rule}", rest)


def _unit(
    where: tuple[Any, ...], name: str, unit: Document, policy: Document, chance: random.Random
) -> Iterator[Mutation]:
    yield _value((*where, "account"), f"{name}: account", "nginx" if unit["account"] != "nginx" else "kluser")
    rows = [row["id"] for row in policy["rows"] if row["locations"]]
    for key in ("write", "read"):
        yield from _list((*where, key), f"{name}: {key}", unit[key], chance.sample(rows, 2))


def _list(where: tuple[Any, ...], name: str, values: list[str], others: list[str]) -> Iterator[Mutation]:
    """A list without one of its words, and with one more."""
    for value in values:
        yield _value(where, f"{name} without {value}", [one for one in values if one != value])
    for other in others:
        if other not in values and other != "root":
            yield _value(where, f"{name} with {other}", [*values, other])


def _gone(where: tuple[Any, ...], name: str, key: str) -> Mutation:
    return Mutation(name, lambda policy: _at(policy, where).pop(key))


def _value(where: tuple[Any, ...], name: str, value: Any) -> Mutation:
    def change(policy: Document) -> None:
        _at(policy, where[:-1])[where[-1]] = value

    return Mutation(name, change)


def _at(policy: Document, where: tuple[Any, ...]) -> Any:
    found: Any = policy
    for step in where:
        found = found[step]
    return found
