"""Running programs of the control machine; a failure becomes one sentence."""

import subprocess
from collections.abc import Sequence

TIME_LIMIT = 60.0


class LabError(Exception):
    """Something that a person has to know or to do; its text is a full sentence."""


def run(argv: Sequence[str], *, check: bool = True, stdin: str = "", limit: float = TIME_LIMIT) -> str:
    """Run a program and return what it printed; its complaint, if it failed, is in the LabError."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=limit, check=False)
    except FileNotFoundError as missing:
        raise LabError(f"{argv[0]} is not installed: run `python -m lab setup`.") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{' '.join(argv)} did not end within {limit:.0f} s.") from late
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
