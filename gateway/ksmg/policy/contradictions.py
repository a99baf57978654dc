"""What a policy says that cannot be true all at once: duplicates, unknown names, modes that break a row's promise.

The schema checks the shape of the document, this module its meaning.
"""

from collections import Counter
from collections.abc import Iterator

from ksmg.policy.model import Container, DataPolicy, Location, Row

_BITS = {"list": 4, "read": 4, "write": 2}


def find_contradictions(policy: DataPolicy) -> list[str]:
    """One sentence for each contradiction, in the order of the policy; empty when there is none."""
    return [
        *_duplicates(policy),
        *_unknown_accounts(policy),
        *_uncontained(policy),
        *(sentence for row, location in policy.locations() for sentence in _broken_promises(row, location)),
        *(sentence for container in policy.containers for sentence in _open_to_others(str(container.path), container)),
        *_unit_entries(policy),
    ]


def _duplicates(policy: DataPolicy) -> Iterator[str]:
    for row_id, times in Counter(row.id for row in policy.rows).items():
        if times > 1:
            yield f"The row {row_id} is declared {times} times."
    for place, times in Counter(str(location.place) for _, location in policy.locations()).items():
        if times > 1:
            yield f"The place {place} is declared {times} times."


def _unknown_accounts(policy: DataPolicy) -> Iterator[str]:
    known = policy.accounts.keys()
    for row in policy.rows:
        for account in {*row.in_process, *row.in_transit} - known:
            yield f"The row {row.id} names the account {account}, which is not declared."
    for row, location in policy.locations():
        for account in {location.owner, *location.at_rest, *location.traverse} - known:
            yield f"{location.place} ({row.id}) names the account {account}, which is not declared."
    for container in policy.containers:
        for account in {container.owner, *container.traverse} - known:
            yield f"The container {container.path} names the account {account}, which is not declared."


def _uncontained(policy: DataPolicy) -> Iterator[str]:
    """A location below a shared path needs its parent declared as a container, or nobody makes that directory."""
    containers = {container.path: container for container in policy.containers}
    for row, location in policy.locations():
        if location.at is None:
            continue
        container = containers.get(location.place.parent)
        if container is None:
            yield f"{location.place} ({row.id}) lies in {location.place.parent}, which is no container."
            continue
        for account in location.at_rest:
            if account not in ("root", container.owner, container.group, *container.traverse):
                yield f"{account} may reach {location.place} ({row.id}) but not pass {container.path}."


def _broken_promises(row: Row, location: Location) -> Iterator[str]:
    """Rights that neither the mode grants nor an ACL can: the owner's, whose rights no ACL entry changes."""
    yield from _open_to_others(f"{location.place} ({row.id})", location)
    for right in location.at_rest.get(location.owner, ()):
        if not location.mode >> 6 & _BITS[right]:
            yield f"{location.owner} may {right} its own {location.place}, but mode {location.mode:04o} refuses that."
    for account in location.at_rest:
        if account not in row.in_process and account != "root":
            yield f"{account} reaches {location.place} at rest, but the row {row.id} does not name it in process."
    if location.owner not in location.at_rest and location.owner != "root":
        yield f"{location.owner} owns {location.place} ({row.id}), but at_rest does not name it."
    yield from _group_grants(location)


def _group_grants(location: Location) -> Iterator[str]:
    """The group's bits must not give its account more than `at_rest` does."""
    granted = location.mode >> 3 & 7
    allowed = location.at_rest.get(location.group, ())
    if granted & 2 and "write" not in allowed:
        yield f"Mode {location.mode:04o} lets group {location.group} write {location.place}, but at_rest does not."
    if granted & 4 and not {"list", "read"} & set(allowed) and location.group != "root":
        yield f"Mode {location.mode:04o} lets group {location.group} read {location.place}, but at_rest does not."


def _open_to_others(name: str, subject: Location | Container) -> Iterator[str]:
    if subject.mode & 0o007:
        yield f"Mode {subject.mode:04o} opens {name} to every account."


def _unit_entries(policy: DataPolicy) -> Iterator[str]:
    for unit in policy.units.values():
        if unit.account not in policy.accounts:
            yield f"The unit {unit.name} runs as {unit.account}, which is not declared."
        for entry in (*unit.write, *unit.read):
            try:
                locations = policy.resolve(entry)
            except KeyError as error:
                yield f"The unit {unit.name} opens {entry}: {error.args[0]}."
                continue
            right = "write" if entry in unit.write else "read"
            for location in locations:
                if right == "write" and location.type != "log" and not location.may(unit.account, right):
                    yield f"The unit {unit.name} writes {location.place}, but {unit.account} may not."
