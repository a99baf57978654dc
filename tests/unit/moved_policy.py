"""The product's policy with its places below a temporary directory."""

from pathlib import Path

import yaml
from ksmg.policy import DataPolicy, parse_policy

POLICY_FILE = Path(__file__).parents[2] / "inventory/group_vars/all/data_policy.yml"


def moved_policy(below: Path) -> DataPolicy:
    """The policy; its directories are made."""
    document = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8"))
    for row in document["data_policy"]["rows"]:
        for location in row["locations"]:
            location["path"] = f"{below}{location['path']}"
    for unit in document["data_policy"]["units"].values():
        unit.update({way: [entry.replace("@", f"@{below}") for entry in unit[way]] for way in ("read", "write")})
    moved = parse_policy(document)
    for _, location in moved.locations():
        made = Path(location.place if location.type == "directory" else location.place.parent)
        made.mkdir(parents=True, exist_ok=True)
    return moved
