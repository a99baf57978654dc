"""`python3 -m ksmg.policy check FILE`: is FILE a data policy without contradictions? For the build side only."""

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ksmg.policy.contradictions import find_contradictions
from ksmg.policy.loading import PolicyError, parse_policy, read_document


def complaints(document: Any) -> list[str]:
    """Everything that is wrong with a policy document, one sentence each."""
    schema = json.loads(resources.files("ksmg.policy").joinpath("schema.json").read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(document)
    if shape := [f"{error.json_path}: {error.message}" for error in errors]:
        return shape
    try:
        return find_contradictions(parse_policy(document))
    except PolicyError as error:
        return [str(error)]


def main(arguments: list[str]) -> int:
    """Prints the complaints; exit code 0 without any, 1 with some, 2 for a wrong call."""
    if len(arguments) != 2 or arguments[0] != "check":
        print("Usage: python3 -m ksmg.policy check FILE", file=sys.stderr)
        return 2
    try:
        found = complaints(read_document(Path(arguments[1])))
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = [f"{arguments[1]} cannot be read: {error}"]
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
