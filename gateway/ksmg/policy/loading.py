"""Reads the data policy that the package was built with.

Its schema was checked on the build side, see `ksmg.policy check`.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ksmg.policy.model import Account, Container, DataPolicy, Location, Outgoing, Retention, Row, Unit

POLICY_FILE = Path("/usr/share/ksmg/data_policy.json")
"""Where the Debian package puts the policy that it was built with."""


class PolicyError(ValueError):
    """The policy cannot be read, or is not one. The text is a sentence for people."""


def load_policy(path: Path = POLICY_FILE) -> DataPolicy:
    """The policy of this appliance. Raises PolicyError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PolicyError(f"There is no data policy at {path}: reinstall the package ksmg.") from None
    except (OSError, ValueError) as error:
        raise PolicyError(f"The data policy {path} cannot be read: {error}") from None
    return parse_policy(document)


def read_document(path: Path) -> Any:
    """A policy file as plain values, in YAML or JSON. For the build side: the appliance reads JSON only."""
    import yaml  # noqa: PLC0415 - the package does not depend on it

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def parse_policy(document: Mapping[str, Any]) -> DataPolicy:
    """The policy out of a document's plain values. Raises PolicyError when a required part is missing."""
    try:
        declared = document["data_policy"]
        return DataPolicy(
            accounts={name: Account(name=name, **facts) for name, facts in declared["accounts"].items()},
            containers=tuple(_container(facts) for facts in declared["containers"]),
            rows=tuple(_row(facts) for facts in declared["rows"]),
            outgoing=tuple(_outgoing(facts) for facts in declared["outgoing"]),
            units={name: _unit(name, facts) for name, facts in declared["units"].items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PolicyError(f"The data policy is malformed: {type(error).__name__}: {error}") from None


def _container(facts: Mapping[str, Any]) -> Container:
    return Container(
        path=PurePosixPath(facts["path"]),
        owner=facts["owner"],
        group=facts["group"],
        mode=int(facts["mode"], 8),
        traverse=tuple(facts["traverse"]),
    )


def _location(facts: Mapping[str, Any]) -> Location:
    return Location(
        path=PurePosixPath(facts["path"]),
        at=PurePosixPath(facts["at"]) if "at" in facts else None,
        type=facts["type"],
        owner=facts["owner"],
        group=facts["group"],
        mode=int(facts["mode"], 8),
        at_rest={account: tuple(rights) for account, rights in facts["at_rest"].items()},
        retention=Retention(**facts["retention"]),
        purpose=tuple(facts.get("purpose", ())),
        permission=facts.get("permission"),
        traverse=tuple(facts.get("traverse", ())),
        canary=facts.get("canary"),
    )


def _row(facts: Mapping[str, Any]) -> Row:
    return Row(
        id=facts["id"],
        title=facts["title"],
        holds=tuple(facts["holds"]),
        in_process=tuple(facts["in_process"]),
        in_transit=tuple(facts["in_transit"]),
        permission=facts["permission"],
        locations=tuple(_location(location) for location in facts["locations"]),
        permission_excludes=tuple(facts.get("permission_excludes", ())),
        also_in=tuple(PurePosixPath(place) for place in facts.get("also_in", ())),
    )


def _outgoing(facts: Mapping[str, Any]) -> Outgoing:
    return Outgoing(**{**facts, "sends": tuple(facts["sends"]), "rule": tuple(facts["rule"])})


def _unit(name: str, facts: Mapping[str, Any]) -> Unit:
    return Unit(name=name, account=facts["account"], write=tuple(facts["write"]), read=tuple(facts["read"]))
