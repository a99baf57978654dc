"""What is to be built: the target's data file and the inventory's package list, checked and typed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from golden.problem import Problem

REPOSITORY = Path(__file__).resolve().parents[2]
TARGETS = REPOSITORY / "image" / "targets"
PACKAGES = REPOSITORY / "inventory" / "group_vars" / "all" / "packages.yml"


@dataclass(frozen=True)
class Partition:
    """A data partition, made at first boot. Sizes in bytes; weights share what the disk has beyond them."""

    label: str
    mount: str
    min_size: int
    weight: int
    options: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """One kind of image. Every id on its disk comes from ``seed``."""

    id: str
    suite: str
    kernel_command_line: str
    seed: str
    virtual_size: int
    esp_size: int
    root_size: int
    verity_size: int
    partitions: tuple[Partition, ...]
    initrd_modules: tuple[str, ...]
    tools: tuple[str, ...]
    packages: tuple[str, ...]


def load(name: str = "appliance") -> Target:
    """Read ``image/targets/NAME.yml``. Raises Problem where the file does not fit its schema."""
    path = TARGETS / f"{name}.yml"
    data = _read(path)
    schema = json.loads((TARGETS / "schema.json").read_text())
    try:
        jsonschema.validate(data, schema)
    except jsonschema.ValidationError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "the file"
        raise Problem(f"{path.relative_to(REPOSITORY)}: {where}: {error.message}", "Correct the target file.") from None
    slot, partitions = data.pop("slot"), data.pop("partitions")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return Target(
        **values,
        **slot,
        partitions=tuple(Partition(**{**row, "options": tuple(row["options"])}) for row in partitions),
        packages=appliance_packages(),
    )


def appliance_packages() -> tuple[str, ...]:
    """Every Debian package of the appliance with its kernel, sorted, from the inventory's one list."""
    data = _read(PACKAGES)
    names = {name for group in data["appliance_packages"].values() for name in group}
    return tuple(sorted(names | {data["appliance_kernel"]}))


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise Problem(f"{path} can't be read: {error}", "Restore the file from the repository.") from None
