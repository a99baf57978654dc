#!/usr/bin/env python3
"""Write the table of variables of each role's README from its argument specification.

With --check nothing is written, and a README that differs, or a role without a specification, is an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"
BEGIN = "<!-- arguments -->"
END = "<!-- /arguments -->"


def specification(role: Path) -> dict[str, Any]:
    """The role's main entry point."""
    spec: dict[str, Any] = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    return spec


def table(spec: dict[str, Any]) -> str:
    """The variables as a Markdown table."""
    options = spec.get("options") or {}
    if not options:
        return "The role has no variables."
    head = "| variable | type | default | meaning |\n|---|---|---|---|"
    return "\n".join([head, *(row(name, option) for name, option in options.items())])


def row(name: str, option: dict[str, Any]) -> str:
    """One variable."""
    kind = f"{option['type']} of {option['elements']}" if "elements" in option else option.get("type", "str")
    default = "required" if option.get("required") else code(option.get("default"))
    choices = f" One of {', '.join(map(code, option['choices']))}." if "choices" in option else ""
    return f"| `{name}` | {kind} | {default} | {cell(text(option.get('description', '')) + choices)} |"


def code(value: object) -> str:
    """A value as it is written in YAML's flow style."""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def text(description: str | list[str]) -> str:
    """A description is one paragraph or several."""
    return description if isinstance(description, str) else " ".join(description)


def cell(content: str) -> str:
    """A bar would end the cell."""
    return " ".join(content.split()).replace("|", "\\|")


def readme(role: Path) -> str:
    """The README as it must be: what a person wrote stays, the table is made."""
    spec = specification(role)
    file = role / "README.md"
    old = file.read_text() if file.exists() else introduction(role.name, spec)
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before.rstrip()}\n\n{BEGIN}\n{table(spec)}\n{END}\n{after.lstrip() and chr(10) + after.lstrip()}"


def introduction(name: str, spec: dict[str, Any]) -> str:
    """The start of a README that nobody wrote yet."""
    description = spec.get("description", [])
    paragraphs = [description] if isinstance(description, str) else description
    points = "\n".join(f"- {paragraph}" for paragraph in paragraphs)
    return f"# {name}: {spec['short_description']}\n\n{points}\n\n## Variables\n"


def problem(role: Path, *, write: bool) -> str | None:
    """What is wrong with the role's README, after writing it if that is wanted."""
    try:
        wanted = readme(role)
    except (OSError, KeyError, TypeError) as error:
        return f"roles/{role.name}/meta/argument_specs.yml has no entry `main` with a short_description ({error})."
    file = role / "README.md"
    if file.exists() and file.read_text() == wanted:
        return None
    if write:
        file.write_text(wanted)
        return None
    return f"roles/{role.name}/README.md is not what its argument specification says: run tests/lint/role_readme.py."


def main() -> int:
    """Check or write the READMEs of the roles named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("role", nargs="*")
    arguments = parser.parse_args()
    every = sorted(path for path in ROLES.iterdir() if (path / "tasks").is_dir())
    roles = [ROLES / name for name in arguments.role] or every
    problems = [found for role in roles if (found := problem(role, write=not arguments.check))]
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
