#!/usr/bin/env python3
"""Check that hardening tasks carry the rules that they meet, and that waivers have a reason and a date to come."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"
WAIVERS = ROLES / "hardening/waivers.yml"
RULE = re.compile(r"^\d+(\.\d+)+$")
NAME = re.compile(r"^(?P<rules>\d+(?:\.\d+)+(?:, \d+(?:\.\d+)+)*) \| Ensure ")


def tasks() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every task of every role, with its file."""
    for file in sorted(ROLES.glob("*/tasks/*.yml")):
        for task in yaml.safe_load(file.read_text()) or []:
            yield file.relative_to(ROLES.parent), task


def unmarked() -> Iterator[str]:
    """A name that starts with a rule needs that rule, or rules below it, among the tags; and the other way round."""
    for file, task in tasks():
        name = NAME.match(task.get("name", ""))
        rules = [tag for tag in task.get("tags", []) if RULE.match(str(tag))]
        for promised in name["rules"].split(", ") if name else []:
            if not any(rule == promised or rule.startswith(f"{promised}.") for rule in rules):
                yield f"{file}: the task `{task['name']}` has no tag {promised}: tag it with what it meets."
        if rules and not name:
            yield f"{file}: the task `{task['name']}` has rules as tags: start its name with `{rules[0]} | Ensure`."


def bad_waivers(today: datetime.date) -> Iterator[str]:
    """A waiver without a reason, one whose time is over, or one for a rule that a task claims to meet."""
    met = {str(tag) for _, task in tasks() for tag in task.get("tags", [])}
    for waiver in yaml.safe_load(WAIVERS.read_text()):
        rule = waiver.get("rule", "?")
        if not all(waiver.get(field) for field in ("rule", "title", "reason", "until")):
            yield f"The waiver {rule} needs rule, title, reason and until."
        elif waiver["until"] < today:
            yield f"The waiver {rule} ended on {waiver['until']}: meet the rule, or give a new reason and date."
        if rule in met:
            yield f"The waiver {rule} is for a rule that a task meets: remove one of them."


def main() -> int:
    """Print what is wrong."""
    problems = [*unmarked(), *bad_waivers(datetime.datetime.now(tz=datetime.UTC).date())]
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
