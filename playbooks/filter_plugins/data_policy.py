"""Questions that the roles ask the data policy. Pure functions of `data_policy`; they read no file and hold no path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Policy = dict[str, Any]
Place = dict[str, Any]


def places(policy: Policy) -> list[Place]:
    """Every location of every row, with `row` (its id) and `place` (its whole path on disk) added."""
    return [
        {**location, "row": row["id"], "place": _join(location["path"], location.get("at"))}
        for row in policy["rows"]
        for location in row["locations"]
    ]


def acl(place: Place, policy: Policy) -> list[str]:
    """The ACL entries, beyond owner, group and mode, that give `place` its accounts.

    An account that only reads gets a default entry too, because others make the files there.
    An account that writes as the owner or in the owning group needs none: it makes its own files.
    """
    entries = [f"u:{account}:x" for account in place.get("traverse", [])]
    for account, may in place.get("at_rest", {}).items():
        in_group = policy["accounts"][account].get("group") == place["group"]
        if account == place["owner"] or (in_group and ("write" in may or place["type"] != "directory")):
            continue
        bits = "".join(letter for verb, letter in (("read", "r"), ("write", "w")) if verb in may)
        if place["type"] == "directory":
            entries += [f"u:{account}:{bits}X", f"d:u:{account}:{bits}X"]
        else:
            entries.append(f"u:{account}:{bits}")
    return entries


def unit_view(policy: Policy, unit: str) -> dict[str, list[str]]:
    """What a daemon sees of the policy's places: lists `write`, `read`, `hidden`, `emptied` and `shown`.

    Where nothing below a shared directory is opened, the directory is hidden as a whole. So is the directory of a log
    or another single file: a mount over a file would stay with the old one when it is rotated or replaced. Where a
    place beside the log files is opened, such as traces, their directory is emptied, and what is opened is shown in it.
    """
    rules = policy["units"][unit]
    every = [place["place"] for place in places(policy)]
    write, read = (_opened(policy, rules[way]) for way in ("write", "read"))
    shared = [container["path"] for container in policy["containers"]]
    files = [place["place"].rpartition("/")[0] for place in places(policy) if place["type"] != "directory"]
    opened = write + read
    emptied = [path for path in sorted({*files}) if any(_holds(path, place) for place in opened)]
    hidden = [path for path in sorted({*shared, *files, *every}) if not any(_holds(path, place) for place in opened)]
    return {
        "write": write,
        "read": read,
        "hidden": [path for path in hidden if not _below(path, hidden)],
        "emptied": emptied,
        "shown": [place for place in opened if _below(place, emptied) and not _below(place, opened)],
    }


def _opened(policy: Policy, selectors: Iterable[str]) -> list[str]:
    """Paths of the selectors `row` and `row@place`."""
    wanted = [selector.partition("@")[::2] for selector in selectors]
    return [
        place["place"]
        for place in places(policy)
        if any(place["row"] == row and at in ("", place["place"]) for row, at in wanted) and place["type"] != "log"
    ]


def _join(path: str, at: str | None) -> str:
    return f"{path}/{at}" if at else path


def _holds(path: str, place: str) -> bool:
    return place == path or place.startswith(f"{path}/")


def _below(path: str, others: Iterable[str]) -> bool:
    return any(path != other and _holds(other, path) for other in others)


class FilterModule:
    """The filters' names in templates."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names start with `policy_`, so that a reader of a template knows where they come from."""
        return {"policy_places": places, "policy_acl": acl, "policy_unit_view": unit_view}
