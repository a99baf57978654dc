"""An appliance below a temporary directory, for the tests of diagnostics."""

from pathlib import Path

import yaml
from ksmg.policy import DataPolicy, parse_policy

_POLICY_FILE = Path(__file__).parents[2] / "inventory/group_vars/all/data_policy.yml"


def moved_policy(directory: Path) -> DataPolicy:
    """The product's policy with its places below a directory, where they all are."""
    document = yaml.safe_load(_POLICY_FILE.read_text(encoding="utf-8"))
    for row in document["data_policy"]["rows"]:
        for location in row["locations"]:
            location["path"] = f"{directory}{location['path']}"
    policy = parse_policy(document)
    for _, location in policy.locations():
        place = Path(location.place)
        (place if location.type == "directory" else place.parent).mkdir(parents=True, exist_ok=True)
    return policy
